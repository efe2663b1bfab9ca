// Package release is what authors of policy use: it reads a tree of sources, compiles, formats and tests it, makes a
// bundle of it, signs the bundle and shows what is in one. It fetches and activates nothing. Start reading at
// [SourceTree].
package release
