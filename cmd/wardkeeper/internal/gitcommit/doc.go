// Package gitcommit reads the commit that a release of policy is made from: its name, its time and its files, byte by byte.
// [Read] refuses folders that differ from their commit. It runs git, without trusting the index, attributes or ignored files.
package gitcommit
