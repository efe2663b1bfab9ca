package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	evaluationPath = "/access/v1/evaluation"
	longestAnswer  = 4 << 20
)

// asker puts questions to a server.
type asker struct {
	transport http.RoundTripper
	baseURL   string
	token     string
}

// ask gives the decision. An error means that there is none, whatever the server said.
func (a asker) ask(ctx context.Context, q *question) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(a.baseURL, "/")+evaluationPath, bytes.NewReader(encode(q)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	client := http.Client{
		Transport: a.transport,
		// The question and the token are for this server alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w, err := client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("the answer took too long: see --timeout")
		}
		return nil, fmt.Errorf("the server cannot be reached: %w", err)
	}
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(w.Body, longestAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > longestAnswer:
		return nil, errors.New("the answer is too long")
	case w.StatusCode != http.StatusOK:
		return nil, refusal(w.Status, body)
	}
	return readAnswer(body)
}

// refusal words an answer that is none: its status and the sentence of the server, where it is ours.
func refusal(status string, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		return fmt.Errorf("the server answered %s", status)
	}
	return fmt.Errorf("the server answered %s: %s", status, said.Error)
}

// inProcess is the transport to a handler in this process, so that asking without a server takes the very same way.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI() // what a server would have read
	r.RemoteAddr = "127.0.0.1:0"
	t.handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// memoryWriter is an [http.ResponseWriter] that keeps the response.
type memoryWriter struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
