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

// longPollType is the content type with which a server says that it holds requests until there is a new bundle.
const longPollType = "application/vnd.openpolicyagent.bundles"

const (
	// maxImmediate is how many answers in a row may come at once and without a change before long polling is given up. A
	// server that announces long polling but does not hold requests would otherwise be asked without pause.
	maxImmediate = 3
	// maxETag is the length in bytes of the longest ETag that is sent back.
	maxETag = 1024
)

// httpSource is a bundle server. It is asked as OPA asks it: with ETags, and with long polling if both sides support it.
type httpSource struct {
	client     *client
	resource   string
	name       string
	polling    Polling
	limits     bundles.Limits
	longPolls  bool // whether the server says that it holds requests
	immediates int  // answers since the last one that was held, or changed something
}

func newHTTPSource(s *service, p Polling, limits bundles.Limits) (*httpSource, error) {
	client, err := newClient(s, p.LongPoll > 0)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	return &httpSource{
		client: client, resource: strings.TrimLeft(s.resource, "/"), name: s.String(), polling: p, limits: limits.WithDefaults(),
	}, nil
}

func (s *httpSource) confirmInterval() time.Duration { return s.polling.confirmInterval() }

func (s *httpSource) renew() { s.client.transport.Renew() }

func (s *httpSource) remote() bool   { return true }
func (s *httpSource) String() string { return s.name }

func (s *httpSource) pause(failures int, changed bool) interval {
	if changed {
		s.immediates = 0
	}
	held := s.longPolls && s.polling.LongPoll > 0 && s.immediates < maxImmediate
	switch {
	case failures > 0:
		return backoff(failures, s.polling.Max)
	case held && changed:
		return exactly(100 * time.Millisecond) // bounds the pace of a server that alternates between two bundles
	case held:
		return exactly(0)
	}
	return s.polling.pause()
}

func (s *httpSource) fetch(ctx context.Context, last seen) (f fetched, err error) {
	prefer, timeout := "modes=snapshot", s.polling.Timeout
	if s.polling.LongPoll > 0 {
		prefer += ";wait=" + strconv.FormatInt(int64(s.polling.LongPoll/time.Second), 10)
		timeout += s.polling.LongPoll
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	etag, sum := splitTag(last.tag)
	if !last.trusted {
		etag = ""
	}
	began := time.Now()
	response, err := s.client.get(ctx, s.resource, map[string]string{"Prefer": prefer, "If-None-Match": etag})
	if err != nil {
		return f, unavailable(redactURL(err))
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, response.Body, 4096) // so that the connection can be reused
		_ = response.Body.Close()
	}()
	s.immediates++
	switch response.StatusCode {
	case http.StatusNotModified:
		if etag == "" {
			return f, unavailable(errors.New("the server answered 304 Not Modified to a request without If-None-Match"))
		}
		if other := response.Header.Get("ETag"); other != "" && opaqueTag(other) != opaqueTag(etag) {
			return s.fetch(ctx, seen{tag: last.tag}) // the answer is about another state: ask unconditionally
		}
		if time.Since(began) >= min(time.Second, s.polling.LongPoll/2) {
			s.immediates = 0
		}
		return fetched{tag: last.tag}, nil
	case http.StatusOK:
		return s.read(response, sum)
	}
	return f, unavailable(fmt.Errorf("the server answered %d %s", response.StatusCode, http.StatusText(response.StatusCode)))
}

// read reads the bundle from a response, unless its digest is lastSum.
func (s *httpSource) read(response *http.Response, lastSum string) (f fetched, err error) {
	s.longPolls = response.Header.Get("Content-Type") == longPollType
	etag := response.Header.Get("ETag")
	if len(etag) > maxETag {
		etag = ""
	}
	data, err := readBounded(response.Body, s.limits.Compressed)
	if err == nil {
		data, err = decodeContent(data, response.Header.Values("Content-Encoding"), s.limits.Compressed)
	}
	if data != nil { // a bundle that is too large is identified by its beginning
		f.tag = joinTag(etag, digest(data))
		if lastSum == digest(data) {
			return fetched{tag: f.tag}, nil
		}
	}
	if err != nil {
		return f, err
	}
	f.raw = data
	return f, nil
}

// opaqueTag returns an ETag without its weakness mark: weak comparison is enough to detect a change.
func opaqueTag(etag string) string { return strings.TrimPrefix(etag, "W/") }

// joinTag joins the server's ETag and our digest of the content.
func joinTag(etag, sum string) string { return sum + " " + etag }

func splitTag(tag string) (etag, sum string) {
	sum, etag, _ = strings.Cut(tag, " ")
	return etag, sum
}
