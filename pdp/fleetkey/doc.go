// Package fleetkey proves that something was made by a sidecar of the same fleet, which has the same secret: values and
// announcements in Redis, and the tokens that callers bring back. It signs or seals them with keys derived from the
// secret, one for each [Use], so that nothing made for one use passes for another. Keys are replaced while the process
// runs: the first key of the file signs, and every key verifies. The package counts and logs what does not verify; it
// does not decide what happens then. Start at [Open].
package fleetkey
