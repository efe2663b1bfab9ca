// Package nethttp protects an [net/http.Handler]: requests pass only if the decision point allows them. It defines no routes;
// the route file (adapters/routes) says what a request asks. Start reading at [Middleware]; adapters/nethttp/README.md shows
// how to use it.
package nethttp
