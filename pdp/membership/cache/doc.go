// Package cache keeps membership facts close to the engine: it answers from memory, then from a [membership.Store] that several
// sidecars share, and last from a [membership.Origin], which many askers of one record ask once. It receives announced changes
// and follows a [membership.Stream]; whether a record may still be used is for package freshness to say. It opens no connection
// of its own: the store, the stream and the origin are given to it. Start with [Open] in cache.go, then load.go.
package cache
