package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// The kinds of failure that only HTTP knows.
const (
	unauthorized     pdp.Kind = "unauthorized"
	notFound         pdp.Kind = "not_found"
	methodNotAllowed pdp.Kind = "method_not_allowed"
	undefined        pdp.Kind = "undefined"
)

// statusGone stands in metrics and log for a caller who went away before the answer. It is never sent.
const statusGone = 499

// statusOf is the one table from kinds to statuses, with the code that OPA's API has for it and what is said where an
// error has no message of its own.
func statusOf(k pdp.Kind) (status int, code, message string) {
	switch k {
	case pdp.Invalid:
		return http.StatusBadRequest, "invalid_parameter", "The request is not valid."
	case unauthorized:
		return http.StatusUnauthorized, "unauthorized", "Send the bearer token of this server in the Authorization header."
	case notFound:
		return http.StatusNotFound, "resource_not_found", "There is nothing at this path."
	case pdp.NotOffered:
		return http.StatusNotFound, "resource_not_found", "The policy does not offer this."
	case undefined:
		return http.StatusNotFound, "undefined_document", "The policy does not define this for this input."
	case methodNotAllowed:
		return http.StatusMethodNotAllowed, "invalid_operation", "This path does not answer this method."
	case overloaded:
		return http.StatusServiceUnavailable, "internal_error", "The server is busy: try again after a second."
	case pdp.Unavailable:
		return http.StatusServiceUnavailable, "internal_error", "The question cannot be decided now: try again later."
	case pdp.Timeout:
		return http.StatusServiceUnavailable, "internal_error", "The question could not be decided in time: try again later."
	default: // pdp.Internal, and whatever else comes
		return http.StatusInternalServerError, "internal_error", "The question could not be decided."
	}
}

// fault is an error as callers see it, with its cause for the log.
type fault struct {
	kind    pdp.Kind
	status  int
	code    string // in OPA's API alone
	message string
	cause   error
}

// errorForm writes the body of an error. Every route has one.
type errorForm func(out []byte, f fault) []byte

// plainError is the form of everything that is ours.
func plainError(out []byte, f fault) []byte {
	return append(authzen.AppendString(append(out, `{"error":`...), f.message), '}')
}

func faultOf(err error) fault {
	f := fault{kind: pdp.Internal, cause: err}
	var own string
	if e, ok := errors.AsType[*pdp.Error](err); ok {
		f.kind, own = e.Kind, e.Message
		if error(e) == err && own == "" && e.Err != nil {
			f.cause = e.Err // all that there is to log
		}
	} else if e, ok := errors.AsType[*authzen.Error](err); ok {
		f.kind, own = pdp.Invalid, e.Message
	} else if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		f.kind = pdp.Timeout
	}
	f.status, f.code, f.message = statusOf(f.kind)
	if own != "" {
		f.message = own
	}
	return f
}

func invalid(message string) error { return &pdp.Error{Kind: pdp.Invalid, Message: message} }
