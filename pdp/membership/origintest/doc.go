// Package origintest contains the acceptance suites for sources of membership facts, as fstest does for file systems.
// They test the results of a source for records, lists and changes. The package also has an [Application] that serves
// facts over HTTP. If you write an origin, start with [TestOrigin], and run [TestCachedSource] for the cache over it;
// for a source without a cache, see [TestSource]. The package itself tests no source.
package origintest
