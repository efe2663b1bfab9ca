// Package release has the tools of policy authors: it reads a tree of sources, compiles it, checks its format and tests it,
// builds a bundle from it, signs the bundle and shows the contents of one. It fetches and activates nothing. Start reading
// at [SourceTree].
package release
