// Package gitcommit reads the commit that a release of policy is made from: its id, its time and its files, byte by byte.
// [Read] refuses folders that differ from their commit. It runs git, but does not trust the index, attributes or ignored files.
package gitcommit
