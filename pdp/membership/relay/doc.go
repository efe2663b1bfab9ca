// Package relay lets one sidecar listen to the origin for all that share a stream: the leader. What the leader hears it puts
// into the stream, and it publishes watermarks, which say up to when the stream is complete. Another sidecar stands by: it listens
// too, puts into the stream what the leader does not put there in time, and leads once nobody else does. A sidecar that sees no
// proof listens itself, as if nothing were shared. To package cache a [Relay] is the origin's [membership.Watcher] and the stream.
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
// It goes on with what has been proven until T only if the new leader had begun to listen by then: until T it has the proof of the
// former one, and after T that of the new one. This is proven by rounds too. The watermark names a round s that was started after the
// new leader had begun to listen, as every later one was, and a reply that the follower had before T showed s or a later one.
// The standby names a round if it listened when nobody had started it yet, and has followed the leader's proofs since. Before it
// attests anything it puts into the stream all that it has heard since the last moment until which the stream was proven to itself
// to be complete. What it heard before, and since s, was committed before that moment, so it is in the stream by that proof.
// (standby.go)
//
// While another sidecar leads, the standby attests nothing: no proof depends on it. The leases decide only who should listen.
// Should there be two leaders, the watermarks of one are not published. Start reading at [Relay.Watch] in watch.go.
package relay
