package ask

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	evaluationPath = "/access/v1/evaluation"
	maxResponse    = 4 << 20 // bytes
)

// Client puts questions to a server.
type Client struct {
	BaseURL   string
	Token     string            // sent as the bearer token; may be empty
	Transport http.RoundTripper // may be nil
}

// Ask puts a question to the server and returns its decision. If it returns an error, there is no decision.
func (c Client) Ask(ctx context.Context, q *Question) (*Decision, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.BaseURL, "/")+evaluationPath, bytes.NewReader(encode(q)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := http.Client{
		Transport: c.Transport,
		// The question and the token must not go to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("the server did not answer in time: see --timeout")
		}
		var request *url.Error
		if errors.As(err, &request) { // drop the URL: over a Unix socket it means nothing
			err = request.Err
		}
		return nil, fmt.Errorf("cannot reach the server: %w", err)
	}
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(w.Body, maxResponse+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer is incomplete: %w", err)
	case len(body) > maxResponse:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxResponse)
	case w.StatusCode != http.StatusOK:
		return nil, statusError(w.Status, body)
	}
	return Decode(body)
}

// statusError returns the error for a status that is not 200, with the server's own message if it sent one.
func statusError(status string, body []byte) error {
	var response struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &response) != nil || response.Error == "" {
		return fmt.Errorf("the server answered %s", status)
	}
	return fmt.Errorf("the server answered %s: %s", status, response.Error)
}
