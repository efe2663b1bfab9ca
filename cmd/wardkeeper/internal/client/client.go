package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxResponse = 4 << 20 // bytes
	maxMessage  = 500     // bytes of what is shown of a server's own words
)

// Client sends requests to a server. The zero Transport is [http.DefaultTransport].
type Client struct {
	BaseURL       string
	Authorization string // the field of that name; may be empty
	Transport     http.RoundTripper
}

// Bearer returns the Authorization field for a bearer token.
func Bearer(token string) string { return "Bearer " + token }

// Basic returns the Authorization field for the id and secret of HTTP Basic.
func Basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// Answer is the answer of a server, whatever its status.
type Answer struct {
	Status int
	Text   string // the status in words: "404 Not Found"
	Body   []byte
	TLS    *tls.ConnectionState // nil without TLS
}

// Get asks for what is at a path.
func (c Client) Get(ctx context.Context, path string) (*Answer, error) {
	return c.do(ctx, http.MethodGet, path, nil)
}

// Post sends a JSON document to a path.
func (c Client) Post(ctx context.Context, path string, body []byte) (*Answer, error) {
	return c.do(ctx, http.MethodPost, path, body)
}

// ErrUnreachable is the error of a server to which no connection could be made.
var ErrUnreachable = errors.New("cannot reach the server")

func (c Client) do(ctx context.Context, method, path string, body []byte) (*Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.BaseURL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.Authorization != "" {
		r.Header.Set("Authorization", c.Authorization)
	}
	client := http.Client{
		Transport: c.Transport,
		// The question and the credentials must not go to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("the server did not answer in time: see --timeout")
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, explain(err))
	}
	defer func() { _ = w.Body.Close() }()
	answer := &Answer{Status: w.StatusCode, Text: shortened(w.Status), TLS: w.TLS}
	answer.Body, err = io.ReadAll(io.LimitReader(w.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer is incomplete: %w", err)
	case len(answer.Body) > maxResponse:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxResponse)
	}
	return answer, nil
}

// explain adds what to do about an error of a connection. It drops the URL: over a Unix socket it means nothing.
func explain(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: replace the server's certificate, or set the clock", err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w: name its authority by --ca-file, and the server as in its certificate", err)
	}
	switch text := err.Error(); {
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%w: use an http:// URL", err)
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "remote error: tls: bad certificate"),
		strings.Contains(text, "remote error: tls: unknown certificate authority"):
		return fmt.Errorf("%w: send a client certificate that it accepts, by --cert-file and --key-file", err)
	}
	return err
}

// shortened returns the beginning of a text. A server may say anything, and every failed request keeps what it said.
func shortened(text string) string {
	if len(text) > maxMessage {
		return strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

// Err returns the error for an answer that is not what was asked for, with the server's own message if it sent one.
func (a *Answer) Err() error {
	var response struct {
		Error string `json:"error"`
	}
	switch err := json.Unmarshal(a.Body, &response); {
	case err == nil && response.Error != "":
		return fmt.Errorf("the server answered %s: %s", a.Text, shortened(response.Error))
	case bytes.HasPrefix(a.Body, []byte("Client sent an HTTP request to an HTTPS server.")): // as net/http says it
		return fmt.Errorf("the server answered %s: it speaks TLS, so use an https:// URL", a.Text)
	}
	return fmt.Errorf("the server answered %s", a.Text)
}
