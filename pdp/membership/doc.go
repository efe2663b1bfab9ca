// Package membership is the contract between the decision engine and the sources of membership facts: who has which role
// where.
//
// [Origin] is a system of record, such as an application or a database. [Watcher] is an Origin that reports its own changes.
// [Store] and [Stream] are shared by sidecars. The package contains no implementations: package directory reads a file,
// httporigin and pgorigin are origins, redisstore is a Store and a Stream, and cache combines them into the [facts.Source]
// that the engine uses. To write an origin, start at [Origin], and test it with package origintest.
package membership
