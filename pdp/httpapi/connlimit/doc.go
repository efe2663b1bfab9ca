// Package connlimit limits the number of open connections of an HTTP server, on all its listeners together, so that idle
// or slow clients cannot keep others out. When the limit is reached, a new connection replaces the slowest sender, or
// else the connection that has been idle for longest. A connection on which a response is being computed is never
// closed. The package does not limit requests; package httpapi does. Start reading at [Limiter].
package connlimit
