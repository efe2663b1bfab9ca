package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Config configures a client. Only URL is required.
type Config struct {
	// URL is the address of the decision point: http://HOST:PORT, https://HOST or unix:/PATH.
	URL string
	// Token returns the bearer token: printable ASCII without spaces, so trim what is read from a file. It is called for each
	// request, so that the token can be replaced. nil or "" sends none.
	Token func() string
	// TLS configures https. nil means the system's certificate authorities.
	TLS *tls.Config
	// Timeout bounds a call, including its retry; 0 means 1 s. A context may end the call earlier.
	Timeout time.Duration
	// MaxConnections bounds the connections, and so the requests in progress; 0 means 64. Further requests wait, within
	// Timeout.
	MaxConnections int
	// MaxResponse bounds a response in bytes; 0 means 1 MiB.
	MaxResponse int64
	// BatchSize bounds the questions in a request; 0 means [authzen.MaxEvaluations]. More questions are sent in several
	// requests.
	BatchSize int
}

// Client asks one decision point. It is safe for concurrent use and reuses connections.
type Client struct {
	base        string // without a trailing slash
	socket      bool   // whether to dial a Unix socket; the host of base then means nothing
	endpoints   Endpoints
	token       func() string
	timeout     time.Duration
	maxResponse int64
	batchSize   int
	http        *http.Client
}

var _ pep.Decider = (*Client)(nil)

// New returns a client. It does not connect.
func New(c Config) (*Client, error) {
	base, socket, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	client := &Client{base: base, socket: socket != "", endpoints: standardEndpoints, token: c.Token, timeout: c.Timeout, maxResponse: c.MaxResponse, batchSize: c.BatchSize}
	if client.timeout <= 0 {
		client.timeout = time.Second
	}
	if client.maxResponse <= 0 {
		client.maxResponse = 1 << 20
	}
	if client.batchSize <= 0 || client.batchSize > authzen.MaxEvaluations {
		client.batchSize = authzen.MaxEvaluations
	}
	connections := c.MaxConnections
	if connections <= 0 {
		connections = 64
	}
	dialer := dialer{socket: socket, timeout: client.timeout, tls: c.TLS.Clone()}
	transport := &http.Transport{
		// No proxy from the environment: questions name people.
		DialContext:            dialer.dial,
		DialTLSContext:         dialer.dialTLS,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		// Only HTTP/1.1: a broken connection then affects one question, and it is known whether its answer had begun.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	client.http = &http.Client{
		Transport: transport,
		// A redirect is not an answer, and its target is not the decision point (PEP-2).
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client, nil
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// parseURL returns the base URL of requests, and the path of the Unix socket to dial, or "".
func parseURL(text string) (base, socket string, err error) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", "", errors.New("client: the URL of the decision point has a line break or another control character: remove it")
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			return "", "", fmt.Errorf("client: the URL %q has no absolute path: use unix:/PATH", text)
		}
		return "http://localhost", path, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("client: the URL of the decision point is malformed: use http://HOST:PORT, https://HOST or unix:/PATH")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", "", fmt.Errorf("client: the URL %q is not that of a server: use http://HOST:PORT, https://HOST or unix:/PATH", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", "", fmt.Errorf("client: the URL %q has more than a scheme, a host and a path: use Config.Token for credentials", u.Redacted())
	}
	return trimSlash(u.String()), "", nil
}

func trimSlash(url string) string { return strings.TrimSuffix(url, "/") }

// Decide implements [pep.Decider]. A single question is sent as an evaluation. Several are sent as evaluations, in as few
// requests as the batch size allows.
func (c *Client) Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if len(questions) == 1 {
		body, err := c.post(ctx, c.endpoints.Evaluation, questions[0])
		if err != nil {
			return nil, err
		}
		response, err := authzen.DecodeResponse(body)
		if err != nil {
			return nil, malformed(err)
		}
		return []authzen.Response{response}, nil
	}
	responses := make([]authzen.Response, 0, len(questions))
	for start := 0; start < len(questions); start += c.batchSize {
		chunk := questions[start:min(start+c.batchSize, len(questions))]
		batch := authzen.Batch{Semantic: authzen.ExecuteAll, Items: make([]authzen.Item, len(chunk))}
		for i, q := range chunk {
			batch.Items[i].Evaluation = q
		}
		body, err := c.post(ctx, c.endpoints.Evaluations, batch)
		if err != nil {
			return nil, err
		}
		answers, err := authzen.DecodeResponses(body)
		if err != nil {
			return nil, malformed(err)
		}
		if len(answers) != len(chunk) {
			return nil, fmt.Errorf("the decision point answered %d of %d questions", len(answers), len(chunk))
		}
		responses = append(responses, answers...)
	}
	return responses, nil
}

// malformed hides the decoder's error, which may quote the answer.
func malformed(error) error { return errors.New("the decision point sent a malformed answer") }

// post sends a message to an endpoint and returns the body of the answer.
func (c *Client) post(ctx context.Context, endpoint string, message any) ([]byte, error) {
	if endpoint == "" {
		return nil, errors.New("the decision point does not offer this by its metadata")
	}
	body, err := json.Marshal(message)
	if err != nil {
		return nil, errors.New("the question cannot be encoded as JSON")
	}
	return c.request(ctx, http.MethodPost, c.base+endpoint, body)
}

// request sends a request and returns the body of the answer. It retries once, if an established connection breaks before the
// answer begins: the decision point may have closed it while it was idle. Questions change nothing, so asking again is safe
// (PEP-8). What fails for another reason, such as a refused certificate, would fail again.
func (c *Client) request(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	a, broke, err := c.attempt(ctx, method, url, body)
	if broke && ctx.Err() == nil {
		c.http.CloseIdleConnections() // they have probably been closed as well
		a, _, err = c.attempt(ctx, method, url, body)
	}
	return a.body, err
}

// answer is a response to a request: with status 200, or another that the caller accepts.
type answer struct {
	status int
	body   []byte
}

// attempt sends a request once. broke reports whether the connection was established and broke before an answer began. Other
// statuses than 200 are errors unless they are among more.
func (c *Client) attempt(ctx context.Context, method, url string, body []byte, more ...int) (a answer, broke bool, err error) {
	var established, began, surplus atomic.Bool
	var used atomic.Pointer[conn]
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { // after the handshake of TLS
			established.Store(true)
			if c, ok := info.Conn.(*conn); ok {
				c.begin()
				used.Store(c)
			}
		},
		GotFirstResponseByte: func() {
			began.Store(true)
			if c := used.Load(); c == nil || !c.answers() {
				surplus.Store(true)
				if c != nil {
					_ = c.Close()
				}
			}
		},
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, url, bytes.NewReader(body))
	if err != nil {
		return a, false, errors.New("the request to the decision point cannot be made")
	}
	id, err := c.setHeader(ctx, req.Header)
	if err != nil {
		return a, false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return a, established.Load() && !began.Load() && !isRefusal(err), unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if surplus.Load() {
		return a, false, errors.New("the decision point sent an answer before it was asked")
	}
	if err := checkHeader(resp, id, more); err != nil {
		return a, false, err
	}
	received, err := io.ReadAll(io.LimitReader(resp.Body, c.maxResponse+1))
	switch {
	case err != nil:
		return a, false, unreachable(ctx, err)
	case int64(len(received)) > c.maxResponse:
		return a, false, fmt.Errorf("the answer of the decision point is larger than %d bytes", c.maxResponse)
	}
	return answer{resp.StatusCode, received}, false, nil
}

// setHeader sets the header of a request, and returns its request id. It refuses values that the transport would refuse with an
// error that looks like that of the connection.
func (c *Client) setHeader(ctx context.Context, h http.Header) (id string, err error) {
	trace := pep.TraceOf(ctx)
	for _, field := range []struct{ name, value string }{{"X-Request-ID", trace.RequestID}, {"Traceparent", trace.Traceparent}, {"Tracestate", trace.Tracestate}} {
		switch {
		case strings.ContainsFunc(field.value, unicode.IsControl):
			return "", fmt.Errorf("the %s that pep.WithTrace was given has a line break or another control character: remove it", field.name)
		case field.value != "":
			h.Set(field.name, field.value)
		}
	}
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	if c.token == nil {
		return trace.RequestID, nil
	}
	switch token := c.token(); {
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("the token for the decision point has a line break, a space or another character that no token has: remove it (Config.Token)")
	case token != "":
		h.Set("Authorization", "Bearer "+token)
	}
	return trace.RequestID, nil
}
