// Package authzen defines the messages of the OpenID AuthZEN Authorization API 1.0, with strict decoders and fast
// encoders. The server, the engine and every adapter use it; it imports no other package of this module and does no I/O.
// Decoded values may be shared, for example between the items of a batch: treat them as read-only. PROTOCOL.md describes
// the protocol as Wardkeeper implements it. Start reading at [DecodeEvaluation].
package authzen
