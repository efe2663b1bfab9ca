// Package check checks HTTP requests: it finds out what a request means by the route file, asks, and says whether it may pass. The adapters
// for servers, proxies and frameworks share it; it sends no response itself. Start reading at [Checker.Check].
package check
