// Package follow keeps the active policy up to date with where its bundles come from: a path, an HTTP server or an OCI
// registry. It fetches, opens, checks by a gate, saves to disk and activates each new bundle, and keeps the last good one
// otherwise. It does not decide what a good policy is: that is the gate's. Start reading at [Start] and
// [Follower.attempt].
package follow
