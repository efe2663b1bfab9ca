package httporigin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// request is one request of the contract ([OpenAPI]).
type request struct {
	path, query string
	maxBytes    int                     // of the answer
	read        func(body []byte) error // reads a 200
	notFound    func()                  // handles a 404; nil if the contract has no 404 for this path
	cacheable   bool                    // whether the contract allows an ETag
}

func (q *request) uri() string { return q.path + "?" + q.query }

// attempt sends a request once. If the token is refused and its file contains another one by then, it sends the request
// a second time.
func (h *Origin) attempt(ctx context.Context, q *request) *failure {
	token := h.token.current()
	f := h.roundTrip(ctx, q, token)
	if f != nil && f.unauthorized && h.token.reload(token) {
		f = h.roundTrip(ctx, q, h.token.current())
	}
	h.logUnauthorized(f)
	return f
}

// logUnauthorized logs that the application refuses the credentials. It logs that only once until they are accepted
// again.
func (h *Origin) logUnauthorized(f *failure) {
	switch {
	case f == nil:
		h.unauthorized.Store(false)
	case f.unauthorized && !h.unauthorized.Swap(true):
		h.logger.Error("the application refuses the sidecar's credentials: no facts can be read", "host", h.base.Host, "answer", f.reason)
	}
}

func (h *Origin) roundTrip(ctx context.Context, q *request, token string) *failure {
	attempt, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	began := time.Now()
	// A caller that gave up early proves nothing about the application.
	noteAbandoned := func(f *failure) *failure {
		f.inconclusive = f.inconclusive || ctx.Err() != nil && time.Since(began) < h.timeout/2
		return f
	}
	r, cached := h.newRequest(attempt, q, token)
	response, err := h.client.Do(r)
	if err != nil {
		return noteAbandoned(transportFailure(ctx, attempt, h.timeout, err))
	}
	defer response.Body.Close()
	body, f := h.readBody(ctx, attempt, q, cached, response)
	if f != nil {
		return noteAbandoned(f)
	}
	if response.StatusCode == http.StatusNotFound {
		if err := readUnknownAnswer(body); err != nil {
			return &failure{reason: foreign404}
		}
		h.etags.remove(q.uri())
		q.notFound()
		return nil
	}
	if err := q.read(body); err != nil {
		h.etags.remove(q.uri())
		return &failure{reason: "the answer breaks the contract: " + err.Error(), breaksContract: true}
	}
	if q.cacheable && response.StatusCode == http.StatusOK {
		h.etags.put(&etagEntry{uri: q.uri(), etag: response.Header.Get("ETag"), body: body})
	}
	return nil
}

// newRequest also returns the cached answer whose ETag the request carries; nil if there is none.
func (h *Origin) newRequest(ctx context.Context, q *request, token string) (*http.Request, *etagEntry) {
	u := *h.base
	u.Path, u.RawPath = u.Path+q.path, ""
	if h.base.RawPath != "" {
		u.RawPath = h.base.RawPath + q.path
	}
	u.RawQuery = q.query
	r := (&http.Request{
		Method: http.MethodGet, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Accept":        {"application/json"},
			"Cache-Control": {"no-cache"}, // a proxy must not respond with an older fact
			"User-Agent":    {"wardkeeper"},
		},
	}).WithContext(ctx)
	tracing.Inject(ctx, r.Header)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	var cached *etagEntry
	if q.cacheable {
		if cached = h.etags.get(q.uri()); cached != nil {
			r.Header.Set("If-None-Match", cached.etag)
		}
	}
	return r, cached
}

// readBody returns the body of a 200 or of an expected 404, or the cached body for a 304.
func (h *Origin) readBody(ctx, attempt context.Context, q *request, cached *etagEntry, r *http.Response) ([]byte, *failure) {
	limit := int64(q.maxBytes)
	switch {
	case r.StatusCode == http.StatusOK:
	case r.StatusCode == http.StatusNotFound && q.notFound != nil:
		limit = 1 << 10
	case r.StatusCode == http.StatusNotModified && cached != nil:
	default:
		return nil, statusFailure(r)
	}
	if age := r.Header.Get("Age"); age != "" && age != "0" {
		return nil, &failure{reason: "the answer comes from an HTTP cache (Age): facts must come from the application itself", breaksContract: true}
	}
	if r.StatusCode == http.StatusNotModified {
		if etag := r.Header.Get("ETag"); etag != "" && opaqueTag(etag) != opaqueTag(cached.etag) {
			h.etags.remove(q.uri())
			return nil, &failure{reason: "answered 304 with another ETag than the request had", retryable: true}
		}
		return cached.body, nil
	}
	if f := contentFailure(r); f != nil {
		return nil, f
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var b bytes.Buffer
	// Content-Length is only a claim, so reserve no more than one record for it.
	b.Grow(int(min(max(r.ContentLength, 0), membership.MaxRecord)) + bytes.MinRead)
	// The limit applies after decompression.
	n, err := b.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, transportFailure(ctx, attempt, h.timeout, err)
	case n > limit:
		return nil, tooLarge(limit)
	}
	return b.Bytes(), nil
}

// opaqueTag removes the weakness indicator of an ETag.
func opaqueTag(etag string) string { return strings.TrimPrefix(etag, "W/") }

func tooLarge(limit int64) *failure {
	return &failure{reason: fmt.Sprintf("the answer is larger than %d bytes", limit), breaksContract: true}
}

// foreign404 is the reason of a failure for a 404 without the body that the contract requires.
const foreign404 = "answered 404 without the body that the contract requires for an unknown id: is the URL right?"

// contentFailure checks the headers that describe the body.
func contentFailure(r *http.Response) *failure {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	switch {
	case err != nil || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")):
		if r.StatusCode == http.StatusNotFound {
			return &failure{reason: foreign404}
		}
		return &failure{reason: "the answer's Content-Type is not application/json", breaksContract: true}
	case charset != "" && charset != "utf-8":
		return &failure{reason: "the answer is not in UTF-8", breaksContract: true}
	case r.Header.Get("Content-Encoding") != "": // the transport decompresses gzip and removes the header
		return &failure{reason: "the answer's Content-Encoding is not gzip", breaksContract: true}
	}
	return nil
}

// statusFailure returns the failure for an unexpected status. It ignores the body, which may repeat the request.
func statusFailure(r *http.Response) *failure {
	// A connection can be reused once its body has been read.
	_, _ = io.CopyN(io.Discard, r.Body, 4<<10)
	f := &failure{reason: fmt.Sprintf("answered %d", r.StatusCode)}
	switch s := r.StatusCode; {
	case s >= 300 && s < 400 && s != http.StatusNotModified:
		f.reason += ": redirects are not followed, use the address that they lead to"
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		f.reason += ": check the token or the client certificate"
		f.unauthorized = true
	case s == http.StatusNotFound:
		f.reason += ": is the URL right?"
	case s == http.StatusRequestTimeout || s == http.StatusTooManyRequests:
		f.retryable = true
	case s == http.StatusBadGateway || s == http.StatusServiceUnavailable || s == http.StatusGatewayTimeout:
		f.retryable, f.unavailable = true, true
	}
	if f.retryable {
		if seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 63); err == nil {
			f.retryAfter = time.Duration(min(seconds, 3600)) * time.Second
		}
	}
	return f
}
