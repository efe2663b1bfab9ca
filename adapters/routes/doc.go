// Package routes reads a route file and determines what an HTTP request means: a public route, no route, or a question for
// the decision point. A request that the adapter, its proxies and the application could read in different ways is refused.
// The package asks nobody and enforces nothing, and it leaves the verification of tokens to a [Verifier]. Start reading at
// [Parse] and [Table.Resolve].
package routes
