package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi/opawire"
)

// Kinds of errors that only this package returns.
const (
	unauthorized     pdp.Kind = "unauthorized"
	forbidden        pdp.Kind = "forbidden"
	limitedRate      pdp.Kind = "limited_rate"
	notFound         pdp.Kind = "not_found"
	methodNotAllowed pdp.Kind = "method_not_allowed"
	undefined        pdp.Kind = "undefined"
	overloaded       pdp.Kind = "overloaded" // rejected before any work was done
)

// statusClientClosedRequest is what metrics and the log show if the client disconnected before the response. It is never
// sent.
const statusClientClosedRequest = 499

// statusOf is the only table that maps kinds of errors to HTTP statuses, codes of OPA's API, and messages for errors
// without a message.
func statusOf(k pdp.Kind) (status int, code, message string) {
	switch k {
	case pdp.Invalid:
		return http.StatusBadRequest, "invalid_parameter", "The request is not valid."
	case unauthorized:
		return http.StatusUnauthorized, "unauthorized", "Send the credentials of a caller that this server knows."
	case forbidden:
		return http.StatusForbidden, "unauthorized", "This caller may not do this."
	case limitedRate:
		return http.StatusTooManyRequests, "internal_error", "This caller sends more requests than it may: try again later."
	case notFound:
		return http.StatusNotFound, "resource_not_found", "There is nothing at this path."
	case pdp.NotOffered:
		return http.StatusNotFound, "resource_not_found", "The policy does not offer this."
	case undefined:
		return http.StatusNotFound, "undefined_document", "The policy does not define this for this input."
	case methodNotAllowed:
		return http.StatusMethodNotAllowed, "invalid_operation", "This path does not answer this method."
	case overloaded:
		return http.StatusServiceUnavailable, "internal_error", serverBusy
	case pdp.Unavailable:
		return http.StatusServiceUnavailable, "internal_error", "The question cannot be decided now: try again later."
	case pdp.Timeout:
		return http.StatusServiceUnavailable, "internal_error", "The question could not be decided in time: try again later."
	default: // pdp.Internal and unknown kinds
		return http.StatusInternalServerError, "internal_error", "The question could not be decided."
	}
}

// httpError is an error response with its cause, which is only logged.
type httpError struct {
	kind    pdp.Kind
	status  int
	code    string // for OPA's API only
	message string
	cause   error // never sent
}

func httpErrorOf(err error) httpError {
	e := httpError{kind: pdp.Internal, cause: err}
	var message string
	if pdpErr, ok := errors.AsType[*pdp.Error](err); ok {
		e.kind, message = pdpErr.Kind, pdpErr.Message
		if error(pdpErr) == err && message == "" && pdpErr.Err != nil {
			e.cause = pdpErr.Err // the rest of pdpErr adds nothing
		}
	} else if authzenErr, ok := errors.AsType[*authzen.Error](err); ok {
		e.kind, message = pdp.Invalid, authzenErr.Message
	} else if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		e.kind = pdp.Timeout
	}
	e.status, e.code, e.message = statusOf(e.kind)
	if message != "" {
		e.message = message
	}
	return e
}

// errorFormat appends the body of an error response.
type errorFormat func(out []byte, e httpError) []byte

// plainErrorFormat is the format of every API but OPA's.
func plainErrorFormat(out []byte, e httpError) []byte {
	return append(authzen.AppendString(append(out, `{"error":`...), e.message), '}')
}

func opaErrorFormat(out []byte, e httpError) []byte { return e.opa().Append(out) }

func (e *httpError) opa() *opawire.Error { return &opawire.Error{Code: e.code, Message: e.message} }

func invalid(message string) error { return &pdp.Error{Kind: pdp.Invalid, Message: message} }

// encodingError returns the error for a decision or document that cannot be encoded as JSON. It omits the text of err,
// which may quote the value. An error that may be sent to the client is returned unchanged.
func encodingError(err error) error {
	if e, ok := errors.AsType[*pdp.Error](err); ok {
		return e
	}
	return &pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("the response cannot be encoded as JSON (%T)", err)}
}
