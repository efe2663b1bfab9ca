// Package connlimit limits the number of open connections of an HTTP server, on all its listeners together, without letting idle or slow clients keep
// others out: when the limit is reached, a new connection replaces the one that is slowest to send something, or else the
// one that has been idle for longest. A connection on which a response is being computed is never closed. The package
// does not limit requests; package httpapi does. Start reading at [Limiter].
package connlimit
