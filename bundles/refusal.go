package bundles

import (
	"errors"
	"fmt"
)

// Reason says in one word why a bundle was refused. It is stable: metrics, readiness and alerts go by it.
type Reason string

// The reasons, in the order in which a bundle is judged.
const (
	TooLarge    Reason = "too_large"   // larger than a limit, compressed, inflated or in number of files
	Malformed   Reason = "malformed"   // no archive, or one with what a bundle must not have
	Unsigned    Reason = "unsigned"    // without a signature where one is required
	Signature   Reason = "signature"   // a signature that does not hold: unknown key, changed, added or missing file
	Roots       Reason = "roots"       // content or entrypoint outside of the manifest's roots
	Replayed    Reason = "replayed"    // older than what was active on this machine
	Compile     Reason = "compile"     // does not compile strictly under our capabilities and the schema of the input
	Entrypoint  Reason = "entrypoint"  // without the rule that decides
	Tables      Reason = "tables"      // with faults in its tables
	Decision    Reason = "decision"    // without a well-formed decision on a question that nobody asks
	Golden      Reason = "golden"      // decides one of its golden decisions otherwise
	Directory   Reason = "directory"   // the directory in force has what its tables do not know
	Vetoed      Reason = "vetoed"      // refused by the gate for a reason without a name
	NotSaved    Reason = "not_kept"    // good, but cannot be written to disk, and so not activated
	Unavailable Reason = "unavailable" // not a bundle's fault: the source cannot be read
)

// Refusal is why a bundle does not become active. Nothing changes by one: the active bundle goes on.
type Refusal struct {
	Reason Reason
	// Temporary says that the bundle itself is not at fault, so that it is tried again.
	Temporary bool
	// Verified says that a valid signature was found before the fault: it is the bundle that was released which is refused,
	// and not what became of it on the way.
	Verified bool
	Err      error
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Refusef is [Refuse] with a formatted error.
func Refusef(reason Reason, format string, args ...any) error {
	return &Refusal{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Refuse is a refusal for a reason; err says why in a sentence.
func Refuse(reason Reason, err error) error { return &Refusal{Reason: reason, Err: err} }

// AsRefusal gives an error its reason, otherwise where it has none.
func AsRefusal(err error, otherwise Reason) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return &Refusal{Reason: r.Reason, Temporary: r.Temporary, Verified: r.Verified, Err: err}
	}
	return &Refusal{Reason: otherwise, Err: err}
}
