// Package pep is a policy enforcement point without a front: it asks a [Decider], takes nothing but a well-formed allow for one, does
// the obligations that the application has registered, and says what the person gets instead of the action. It knows nothing of routes,
// identities or frameworks, and it does no I/O of its own; the packages beside it do. Start reading at [Enforcer.Enforce];
// adapters/CONTRACT.md has the duties that it meets.
package pep
