package httporigin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// failure is the reason why an attempt returned no answer. It must not contain the query, which identifies a person,
// because failures are logged.
type failure struct {
	reason         string
	err            error         // for [errors.Is]
	retryable      bool          // another attempt may succeed
	unavailable    bool          // the application is unreachable or does not work at all; counts for the circuit breaker
	inconclusive   bool          // nothing was sent, or the caller gave up early; ignored by the circuit breaker
	unauthorized   bool          // the application refuses the token or the client certificate
	breaksContract bool          // the answer violates the contract
	retryAfter     time.Duration // the answer's Retry-After
}

func (f *failure) Error() string { return f.reason }

func (f *failure) Unwrap() error { return f.err }

// Is implements the interface of [errors.Is].
func (f *failure) Is(target error) bool { return f.breaksContract && target == membership.ErrContract }

// notSent returns the failure of a request whose context ended before an attempt.
func notSent(ctx context.Context) *failure {
	return &failure{reason: "there was no time left", err: context.Cause(ctx), inconclusive: true}
}

// transportFailure returns the failure for an error of net/http. Such errors may contain the URL or data from the
// server, so only known harmless errors are quoted.
func transportFailure(ctx, attempt context.Context, timeout time.Duration, err error) *failure {
	f := &failure{retryable: true, unavailable: true}
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		// A deadline of the caller counts against the application; a cancellation does not.
		return &failure{reason: "there was no time left", err: ctx.Err(), unavailable: true, inconclusive: errors.Is(ctx.Err(), context.Canceled)}
	case attempt.Err() != nil:
		f.reason = fmt.Sprintf("no answer within %s", timeout)
	case errors.As(err, &certificate):
		f.reason, f.retryable = certificate.Error(), false
	case errors.Is(err, http.ErrSchemeMismatch):
		f.reason, f.retryable = "the server speaks plain http, not https", false
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert: the server refuses or requires a client certificate
		f.reason, f.retryable, f.unauthorized = op.Error(), false, true
	case errors.As(err, &op):
		f.reason = op.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		f.reason = "the connection was closed"
	default:
		f.reason = fmt.Sprintf("the connection failed (%T)", innermost(err))
	}
	return f
}

func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// asError returns the error for the caller. path is a path of the contract without the query.
func (h *Origin) asError(path string, f *failure) error {
	kind := pdp.Unavailable
	if f.err != nil {
		kind = pdp.Timeout
	}
	return &pdp.Error{Kind: kind, Message: "Membership facts are unavailable.", Err: fmt.Errorf("application at %s, %s: %w", h.base.Host, path, f)}
}
