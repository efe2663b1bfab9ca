// Package identity says who a person is: it verifies JSON Web Tokens by the public keys of who issues them. It does not sign anybody in, and
// it knows nothing of routes. Start reading at [Verifier.Verify]; adapters/CONTRACT.md has the duty that it serves, PEP-13.
package identity
