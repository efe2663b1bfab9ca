// Package client asks an AuthZEN decision point (pdp/authzen/PROTOCOL.md) over HTTP: Wardkeeper, or any other that speaks the
// Authorization API 1.0. It takes nothing but a complete, well-formed answer for one, and it neither caches nor logs. It does not
// enforce: adapters/pep does. Start reading at [Client.Decide].
package client
