package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
)

// StatusError is an answer with a status other than 200. 401 means that the token is missing or wrong.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("the decision point answered with status %d", e.Status)
}

// checkHeader checks everything about an answer but its body.
func checkHeader(resp *http.Response, id string) error {
	if resp.StatusCode != http.StatusOK {
		return &StatusError{resp.StatusCode}
	}
	types := resp.Header.Values("Content-Type")
	if len(types) != 1 || !isJSON(types[0]) {
		return errors.New("the decision point sent something else than application/json")
	}
	if resp.Header.Get("Content-Encoding") != "" {
		return errors.New("the decision point sent an encoded answer, which was not asked for")
	}
	// Another id means that this answers somebody else's request.
	if got := resp.Header.Get("X-Request-Id"); id != "" && got != "" && got != id {
		return errors.New("the decision point answered another request")
	}
	return nil
}

func isJSON(contentType string) bool {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	charset, hasCharset := parameters["charset"]
	return err == nil && mediaType == "application/json" && (!hasCharset || strings.EqualFold(charset, "utf-8"))
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
