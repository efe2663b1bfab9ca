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

// failure is why an attempt gave no answer. Neither it nor its cause tells what was asked for: who is asked about must not
// show in a log.
type failure struct {
	what    string
	err     error         // for [errors.Is]
	again   bool          // another attempt may well succeed
	down    bool          // the application cannot be reached or does not work, whatever is asked
	ours    bool          // it was not tried, or not for long: says nothing of the application
	refused bool          // token or certificate
	breach  bool          // there is an answer, and it breaks the contract
	after   time.Duration // how long it asks to be left alone
}

func (f *failure) Error() string { return f.what }

func (f *failure) Unwrap() error { return f.err }

// Is implements the interface of [errors.Is].
func (f *failure) Is(target error) bool { return f.breach && target == membership.ErrContract }

// unsent is the failure of a request whose caller went away or has no time left.
func unsent(ctx context.Context) *failure {
	return &failure{what: "there was no time left", err: context.Cause(ctx), ours: true}
}

// failedOn says what went wrong between us and the application. Errors of net/http have the URL in them, or what the
// other side sent, so that only those are repeated that are known to be harmless.
func failedOn(ctx, attempt context.Context, timeout time.Duration, err error) *failure {
	f := &failure{again: true, down: true}
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		// An attempt that had most of its time says something, whoever's time was over.
		return &failure{what: "there was no time left", err: ctx.Err(), down: true, ours: errors.Is(ctx.Err(), context.Canceled)}
	case attempt.Err() != nil:
		f.what = fmt.Sprintf("no answer within %s", timeout)
	case errors.As(err, &certificate):
		// It takes an operator to mend.
		f.what, f.again = certificate.Error(), false
	case errors.Is(err, http.ErrSchemeMismatch):
		f.what, f.again = "it speaks plain http, not https", false
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert: it does not want our certificate, or any without
		f.what, f.again, f.refused = op.Error(), false, true
	case errors.As(err, &op):
		f.what = op.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		f.what = "the connection was closed"
	default:
		f.what = fmt.Sprintf("the connection failed (%T)", innermost(err))
	}
	return f
}

func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// failed makes the error that callers get. The path is one of the contract's, without its query.
func (h *Origin) failed(path string, f *failure) error {
	kind := pdp.Unavailable
	if f.err != nil {
		kind = pdp.Timeout
	}
	return &pdp.Error{Kind: kind, Message: "Membership facts are unavailable.", Err: fmt.Errorf("application at %s, %s: %w", h.base.Host, path, f)}
}
