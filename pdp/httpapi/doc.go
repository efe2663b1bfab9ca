// Package httpapi serves HTTP: the AuthZEN API (pdp/authzen/PROTOCOL.md), the evaluation part of OPA's REST API,
// announcements of membership changes, health, readiness and metrics. It limits connections, request bodies, concurrent
// work and response times, and maps kinds of errors to statuses in one table. It decides nothing itself: it passes each
// request to a [Decider] and encodes the result. Each route needs a role of its
// caller, or is public; [Callers] recognizes callers. Start reading at [New] and [Server.serve], then at evaluation.go.
package httpapi
