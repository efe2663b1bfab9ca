// Package identity authenticates persons: it verifies JSON Web Tokens with the public keys of their issuer. It signs nobody
// in, and it knows nothing of routes. Start reading at [Verifier.Verify]; the duty that it serves is PEP-13 in
// adapters/CONTRACT.md.
package identity
