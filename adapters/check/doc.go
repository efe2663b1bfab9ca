// Package check checks HTTP requests: it determines by the route file what a request means, asks the decision point, and
// reports whether the request may pass. The adapters for servers, proxies and frameworks share it; it sends no response
// itself. Start reading at [Checker.Check].
package check
