// Package client asks an AuthZEN decision point (pdp/authzen/PROTOCOL.md) over HTTP: Wardkeeper, or any other that implements
// the Authorization API 1.0. It accepts only complete, well-formed answers, and it neither caches nor logs. It does not
// enforce: adapters/pep does. Start reading at [Client.Decide].
package client
