// Package follow keeps the active policy up to date with the source of its bundles: a path, an HTTP server or an OCI
// registry. It fetches each new bundle, opens it, passes it to a gate, saves it to disk and activates it. If any step
// fails, the last good one stays active. It does not decide what a good policy is: the gate does. Start reading at [Start]
// and [Follower.attempt].
package follow
