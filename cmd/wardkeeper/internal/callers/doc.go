// Package callers recognizes the clients of a server and says what they may do: by bearer tokens, HTTP Basic credentials, client
// certificates and JSON Web Tokens. Secrets come from files that are read again when they change; if a file becomes invalid, its
// last good content stays in force. No secret ever belongs to two callers. Start with [Open] and [Callers.Authenticate]. Package
// httpapi says which role a route needs.
package callers
