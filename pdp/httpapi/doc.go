// Package httpapi serves HTTP: the AuthZEN API (pdp/authzen/PROTOCOL.md), the evaluation part of OPA's REST API,
// announcements of membership changes, health, readiness and metrics. It limits connections, request bodies, concurrent
// work and response times, and maps kinds of errors to statuses in one table. It decides nothing itself: it passes each
// request to a [Decider] and encodes the result. Health, readiness and metadata need no token; everything else needs the
// bearer token if one is configured. Start reading at [New] and [Server.serve], then at evaluation.go.
package httpapi
