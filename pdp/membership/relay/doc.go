// Package relay lets one sidecar listen to the origin for all that share a stream: the leader. What the leader hears it puts
// into the stream, and it publishes watermarks, which say up to when the stream is complete. A sidecar that sees no proof
// listens itself, as if nothing were shared. To package cache a [Relay] is the origin's [membership.Watcher] and the stream.
//
// What is proven, and how. A follower sends a request to the stream's server at its time T, and sees that round r was the last
// one that had been started. Later it sees a watermark of a round after r: that round was started after T. The leader started
// it before it sent the heartbeat that the watermark stands on, and it had begun to listen before. So everything committed
// until T, since the leader began to listen, was heard by the leader, and it was in the stream before the watermark was
// published; the follower has read the stream up to there. No clock is compared and no lease is trusted for this. The claim
// stays true however late a watermark comes: of a leader that was stopped, or deposed. (follower.go)
//
// Between two leaders nobody may have listened. A follower therefore begins anew with each term: what was fetched before it
// began is confirmed by nothing that it hears. So it does with each epoch of the stream, and with each gap in it.
//
// The lease decides only who should listen. Should there be two leaders, the watermarks of one are not published.
// Start reading at [Relay.Watch] in watch.go.
package relay
