package bundles

import (
	"errors"
	"fmt"
)

// Reason says in one word why a bundle was refused. The words are stable: metrics, readiness and alerts use them.
type Reason string

// The reasons, in the order in which a bundle is checked.
const (
	TooLarge    Reason = "too_large"   // larger than a limit, compressed, inflated or in number of files
	Malformed   Reason = "malformed"   // not an archive, or an archive with content that a bundle must not have
	Unsigned    Reason = "unsigned"    // no signature although one is required
	Signature   Reason = "signature"   // an invalid signature: unknown key, or a changed, added or missing file
	Roots       Reason = "roots"       // content or entrypoint outside the manifest's roots
	Replayed    Reason = "replayed"    // older than a release that was active on this machine
	Compile     Reason = "compile"     // does not compile strictly under our capabilities and the schema of the input
	Entrypoint  Reason = "entrypoint"  // lacks the rule that decides
	Tables      Reason = "tables"      // faults in its tables
	Decision    Reason = "decision"    // a made-up question gets no well-formed decision
	Golden      Reason = "golden"      // decides one of its golden decisions differently
	Directory   Reason = "directory"   // its tables lack something that the directory in force uses
	Unapproved  Reason = "unapproved"  // allows what the policy in force denies, without approval
	Vetoed      Reason = "vetoed"      // refused by the gate for another reason
	NotSaved    Reason = "not_kept"    // good, but cannot be written to disk, so it is not activated
	Unavailable Reason = "unavailable" // not the bundle's fault: the source cannot be read
)

// Refusal says why a bundle does not become active. The active bundle stays in force.
type Refusal struct {
	Reason Reason
	// Temporary reports that the bundle itself is not at fault, so that it is tried again.
	Temporary bool
	// Verified reports that a valid signature was found before the fault: the bundle is refused as it was released, and was
	// not altered on the way.
	Verified bool
	Err      error
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Refuse returns a refusal for a reason; err says why in a sentence.
func Refuse(reason Reason, err error) error { return &Refusal{Reason: reason, Err: err} }

// Refusef is [Refuse] with a formatted error.
func Refusef(reason Reason, format string, args ...any) error {
	return Refuse(reason, fmt.Errorf(format, args...))
}

// AsRefusal makes a refusal of an error. If err wraps a refusal, the result has its reason, and otherwise fallback.
func AsRefusal(err error, fallback Reason) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return &Refusal{Reason: r.Reason, Temporary: r.Temporary, Verified: r.Verified, Err: err}
	}
	return &Refusal{Reason: fallback, Err: err}
}
