// Package bundles opens a policy bundle: it reads the archive within limits, verifies the signature, parses and compiles
// the policy without I/O, clock or randomness, and gives an immutable [Revision] to query. It neither fetches bundles
// (package follow) nor makes them (package release), and knows no rule of any policy. Start reading at [Open].
package bundles
