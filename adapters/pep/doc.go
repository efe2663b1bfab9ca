// Package pep is the core of a policy enforcement point: it asks a [Decider], accepts only a well-formed allow, performs the
// obligations that the application has handlers for, and describes the refusal that the person gets otherwise. It knows
// nothing of routes, identities or frameworks and does no I/O of its own; the neighboring packages do. Start reading at
// [Enforcer.Enforce]; adapters/CONTRACT.md has the duties that it meets.
package pep
