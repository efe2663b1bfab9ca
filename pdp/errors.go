package pdp

import (
	"errors"
	"strings"
)

// Kind says what went wrong, so that a front door can answer with the right status. A denial is not an error.
type Kind string

// The kinds of failure.
const (
	Invalid     Kind = "invalid"     // the question is malformed: the caller must change it
	Unavailable Kind = "unavailable" // policy or facts cannot be had now: the caller may try again
	Timeout     Kind = "timeout"     // the deadline passed, or the caller went away
	NotOffered  Kind = "not_offered" // the policy in force does not let this be served
	Internal    Kind = "internal"    // anything else
)

// Error is a failure to decide. Message may be shown to the caller; Err is for the log alone.
type Error struct {
	Kind    Kind
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return strings.TrimSuffix(e.Message, ".") + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf says which kind an error is of; anything that is no [*Error] is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
