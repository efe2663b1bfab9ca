package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// longPollType is how a server says that it holds a request until there is something new.
const longPollType = "application/vnd.openpolicyagent.bundles"

const (
	// maxEager is how many answers in a row may be neither news nor held back. A server that says that it holds requests,
	// and does not, would be asked without end.
	maxEager = 3
	// maxTag is the longest ETag that is sent back.
	maxTag = 1024
)

// httpSource is a bundle server, asked as OPA asks it: with ETags, and with long polling where both sides want it.
type httpSource struct {
	server   *caller
	resource string
	name     string
	polling  Polling
	limits   bundles.Limits
	held     bool // whether the server says that it holds requests
	eager    int  // answers since it last held one, or had news
}

func newHTTPSource(s *Service, p Polling, limits bundles.Limits) (*httpSource, error) {
	server, err := s.caller(p.Long > 0) // the server may hold the head of its answer
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	return &httpSource{
		server: server, resource: strings.TrimLeft(s.Resource, "/"), name: s.String(), polling: p, limits: limits.WithDefaults(),
	}, nil
}

func (s *httpSource) confirms() time.Duration { return s.polling.confirms() }

func (s *httpSource) renew() { s.server.transport.Renew() }

func (s *httpSource) network() bool  { return true }
func (s *httpSource) String() string { return s.name }

func (s *httpSource) pause(failures int, news bool) time.Duration {
	if news {
		s.eager = 0
	}
	switch {
	case failures > 0:
		return backoff(failures, s.polling.Max)
	case s.held && s.polling.Long > 0 && s.eager < maxEager && news:
		return 100 * time.Millisecond // two bundles in turn, without end, have to take their time
	case s.held && s.polling.Long > 0 && s.eager < maxEager:
		return 0
	}
	return s.polling.pause()
}

func (s *httpSource) fetch(ctx context.Context, before seen) (f fetched, err error) {
	prefer, limit := "modes=snapshot", s.polling.Timeout
	if s.polling.Long > 0 {
		prefer += ";wait=" + strconv.FormatInt(int64(s.polling.Long/time.Second), 10)
		limit += s.polling.Long
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	etag, sum := tagged(before.tag)
	if !before.proven {
		etag = ""
	}
	began := time.Now()
	response, err := s.server.get(ctx, s.resource, map[string]string{"Prefer": prefer, "If-None-Match": etag})
	if err != nil {
		return f, unreached(withoutURL(err))
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, response.Body, 4096) // so that the connection can be used again
		_ = response.Body.Close()
	}()
	s.eager++
	switch response.StatusCode {
	case http.StatusNotModified:
		if etag == "" {
			return f, unreached(errors.New("the server answered 304 Not Modified, and nobody had asked whether it is"))
		}
		if of := response.Header.Get("ETag"); of != "" && opaque(of) != opaque(etag) {
			return s.fetch(ctx, seen{tag: before.tag}) // of another state than the one that it was asked about
		}
		if time.Since(began) >= min(time.Second, s.polling.Long/2) {
			s.eager = 0
		}
		return fetched{tag: before.tag}, nil
	case http.StatusOK:
	default:
		return f, unreached(fmt.Errorf("the server answered %d %s", response.StatusCode, http.StatusText(response.StatusCode)))
	}
	s.held = response.Header.Get("Content-Type") == longPollType
	if etag = response.Header.Get("ETag"); len(etag) > maxTag {
		etag = ""
	}
	data, err := readBounded(response.Body, s.limits.Compressed)
	if err == nil {
		data, err = decoded(data, response.Header.Values("Content-Encoding"), s.limits.Compressed)
	}
	if data != nil { // also of what is too large: the rest of it would make no difference
		f.tag = tag(etag, digest(data))
		if sum == digest(data) {
			return fetched{tag: f.tag}, nil // the same again
		}
	}
	if err != nil {
		return f, err
	}
	f.raw = data
	return f, nil
}

// opaque is what an ETag names: a weak one is good enough to know that nothing has changed.
func opaque(etag string) string { return strings.TrimPrefix(etag, "W/") }

// tag joins what a server and what we call a state of the source.
func tag(etag, sum string) string { return sum + " " + etag }

func tagged(tag string) (etag, sum string) {
	for i := range len(tag) {
		if tag[i] == ' ' {
			return tag[i+1:], tag[:i]
		}
	}
	return "", tag
}
