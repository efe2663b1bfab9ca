package pdp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/paging"
)

// Kind says what went wrong, so that a server can choose the status. A denial is not an error.
type Kind string

// The kinds of errors.
const (
	Invalid     Kind = "invalid"     // the question is malformed: the caller must change it
	Unavailable Kind = "unavailable" // the policy or the facts are unavailable: the caller may try again
	Timeout     Kind = "timeout"     // the deadline passed, or the caller disconnected
	NotOffered  Kind = "not_offered" // the policy in force does not support the request
	Internal    Kind = "internal"    // anything else
)

// Error is a failure to decide. Message may be shown to the caller; Err is for the log only.
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

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error. It is Internal for any error that is not an [*Error].
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

func invalid(format string, args ...any) error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(format, args...)}
}

// asError converts any other error to an [*Error]. An error that it does not recognize comes from a source and means
// that facts are unavailable.
func asError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &Error{Kind: Timeout, Message: "It took too long to decide this.", Err: err}
	}
	if tooMany, ok := errors.AsType[*facts.TooManyError](err); ok {
		return &Error{Kind: Invalid, Message: tooMany.Message}
	}
	if page, ok := errors.AsType[*paging.Error](err); ok {
		return &Error{Kind: Invalid, Message: page.Message}
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Kind: Unavailable, Message: "Membership facts are unavailable.", Err: err}
}
