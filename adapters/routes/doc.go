// Package routes reads a route file and says what an HTTP request means by it: public, no route, or a question for the decision
// point. A request has one meaning for the adapter, its proxies and the application, or it is refused. The package
// asks nobody and enforces nothing; it verifies no tokens, but takes a [Verifier]. Start reading at [Parse] and
// [Table.Resolve].
package routes
