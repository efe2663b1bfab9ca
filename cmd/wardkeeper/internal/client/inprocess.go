package client

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// InProcess is a transport to a handler in this process, so that asking with and without a server takes the same path.
type InProcess struct{ Handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t InProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &responseBuffer{header: http.Header{}, status: http.StatusOK}
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI() // as a server sets it
	r.RemoteAddr = "127.0.0.1:0"
	t.Handler.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// responseBuffer is an [http.ResponseWriter] that keeps the response.
type responseBuffer struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *responseBuffer) Header() http.Header { return w.header }

func (w *responseBuffer) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *responseBuffer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
