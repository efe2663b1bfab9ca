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
	Malformed   Reason = "malformed"   // not an archive, or one with content that a bundle must not have
	Unsigned    Reason = "unsigned"    // no signature although one is required
	Signature   Reason = "signature"   // an invalid signature: unknown key, or a changed, added or missing file
	Roots       Reason = "roots"       // content or entrypoint outside the manifest's roots
	Replayed    Reason = "replayed"    // older than what was active on this machine
	Compile     Reason = "compile"     // does not compile strictly under our capabilities and the schema of the input
	Entrypoint  Reason = "entrypoint"  // lacks the rule that decides
	Tables      Reason = "tables"      // faults in its tables
	Decision    Reason = "decision"    // no well-formed decision on a question that nobody asks
	Golden      Reason = "golden"      // decides one of its golden decisions differently
	Directory   Reason = "directory"   // its tables do not know something that the directory in force uses
	Vetoed      Reason = "vetoed"      // refused by the gate for another reason
	NotSaved    Reason = "not_kept"    // good, but cannot be written to disk, and so not activated
	Unavailable Reason = "unavailable" // not the bundle's fault: the source cannot be read
)

// Refusal says why a bundle does not become active. The active bundle stays in force.
type Refusal struct {
	Reason Reason
	// Temporary says that the bundle itself is not at fault, so that it is tried again.
	Temporary bool
	// Verified says that a valid signature was found before the fault: what is refused is the bundle as it was released,
	// and not what became of it on the way.
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

// AsRefusal makes a refusal of an error. If err contains one, the result has its reason, and otherwise fallback.
func AsRefusal(err error, fallback Reason) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return &Refusal{Reason: r.Reason, Temporary: r.Temporary, Verified: r.Verified, Err: err}
	}
	return &Refusal{Reason: fallback, Err: err}
}
