// Package nethttp protects an [net/http.Handler]: requests pass only if the decision point allows them. It has no routes of its own; what a
// request asks is in the route file (adapters/routes). Start reading at [Middleware]; adapters/nethttp/README.md shows how to use it.
package nethttp
