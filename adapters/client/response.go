package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
)

// StatusError is an answer with a status other than 200. 401 means that the token is missing or wrong.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("the decision point answered with status %d", e.Status)
}

// checkHeader checks everything about an answer but its body. more are statuses that are accepted beside 200.
func checkHeader(resp *http.Response, id string, more []int) error {
	if resp.StatusCode != http.StatusOK && !slices.Contains(more, resp.StatusCode) {
		return &StatusError{resp.StatusCode}
	}
	if resp.ProtoMajor != 1 {
		return errors.New("the decision point sent another version of HTTP than 1")
	}
	types := resp.Header.Values("Content-Type")
	if len(types) != 1 || !isJSON(types[0]) {
		return errors.New("the decision point sent something else than application/json")
	}
	if len(resp.Header.Values("Content-Encoding")) > 0 {
		return errors.New("the decision point sent an encoded answer, which was not asked for")
	}
	// Another id means that this answers somebody else's request.
	if got := resp.Header.Values("X-Request-Id"); id != "" && len(got) > 0 && (len(got) > 1 || got[0] != id) {
		return errors.New("the decision point answered another request")
	}
	return nil
}

// jsonType matches application/json, to which nothing but the charset may be added (PEP-1). JSON has no parameters (RFC 8259
// section 11): any other may announce another format.
var jsonType = regexp.MustCompile(`(?i)^application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$`)

func isJSON(contentType string) bool { return jsonType.MatchString(contentType) }

// isRefusal reports whether an error is that of TLS, which the other side or this one has refused. With TLS 1.3 a server
// refuses the client's certificate only after the handshake.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "remote error" || e.Op == "local error")
}

// unreachable describes a failed attempt. It keeps the cause of a failed connection. It omits the URL, and any data received
// instead of HTTP, which may name persons.
func unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("the decision point did not answer in time: %w", cause)
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, end) {
			return fmt.Errorf("the decision point broke off the connection: %w", end)
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("the decision point cannot be reached: %w", e)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the decision point cannot be trusted: %w", e)
	}
	return errors.New("the connection to the decision point failed, or something else than HTTP was received (with https: than TLS)")
}
