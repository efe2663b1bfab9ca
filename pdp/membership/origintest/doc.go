// Package origintest has the acceptance tests of sources of membership facts, for whoever writes one: what they must answer for
// records, lists and changes, and a reference application over HTTP. It tests no source by itself; the packages of the sources
// call it. Start with [TestOrigin], and [TestSource] for what the engine is given.
package origintest
