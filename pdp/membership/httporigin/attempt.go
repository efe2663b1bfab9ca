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
)

// question is one request of the contract ([OpenAPI]).
type question struct {
	path, query string
	largest     int                     // bytes of the answer
	read        func(body []byte) error // takes the answer
	unknown     func()                  // takes a 404; nil where there is none
	kept        bool                    // whether the answer is kept for 304
}

func (q *question) uri() string { return q.path + "?" + q.query }

// attempt asks once. It is nil where the question has been answered.
func (h *Origin) attempt(ctx context.Context, q *question) *failure {
	token := h.token.current()
	f := h.exchange(ctx, q, token)
	if f != nil && f.refused && h.token.renewed(token) {
		f = h.exchange(ctx, q, h.token.current())
	}
	h.admitted(f)
	return f
}

// admitted tells of being turned away, once until it is over.
func (h *Origin) admitted(f *failure) {
	switch {
	case f == nil:
		h.turnedAway.Store(false)
	case f.refused && !h.turnedAway.Swap(true):
		h.logger.Error("the application refuses our credentials, no facts can be had of it", "host", h.base.Host, "answer", f.what)
	}
}

func (h *Origin) exchange(ctx context.Context, q *question, token string) *failure {
	attempt, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	began := time.Now()
	request, kept := h.request(attempt, q, token)
	response, err := h.client.Do(request)
	if err != nil {
		f := failedOn(ctx, attempt, h.timeout, err)
		f.ours = f.ours || ctx.Err() != nil && time.Since(began) < h.timeout/2
		return f
	}
	defer response.Body.Close()
	body, f := h.body(ctx, attempt, q, kept, response)
	if f != nil {
		f.ours = f.ours || ctx.Err() != nil && time.Since(began) < h.timeout/2
		return f
	}
	if response.StatusCode == http.StatusNotFound {
		if err := readUnknownAnswer(body); err != nil {
			return &failure{what: "answered 404, but not as the contract says for what is unknown: is the URL right?"}
		}
		h.kept.drop(q.uri())
		q.unknown()
		return nil
	}
	if err := q.read(body); err != nil {
		h.kept.drop(q.uri())
		return &failure{what: "the answer breaks the contract: " + err.Error(), breach: true}
	}
	if q.kept && response.StatusCode == http.StatusOK {
		h.kept.put(&keptAnswer{uri: q.uri(), etag: response.Header.Get("ETag"), body: body})
	}
	return nil
}

func (h *Origin) request(ctx context.Context, q *question, token string) (*http.Request, *keptAnswer) {
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
			"Cache-Control": {"no-cache"}, // facts are as old as the question at most
			"User-Agent":    {"wardkeeper"},
		},
	}).WithContext(ctx)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	var kept *keptAnswer
	if q.kept {
		if kept = h.kept.get(q.uri()); kept != nil {
			r.Header.Set("If-None-Match", kept.etag)
		}
	}
	return r, kept
}

// body gives what has been answered: the body of a 200 or 404, or the one that a 304 stands for.
func (h *Origin) body(ctx, attempt context.Context, q *question, kept *keptAnswer, r *http.Response) ([]byte, *failure) {
	largest := int64(q.largest)
	switch {
	case r.StatusCode == http.StatusOK:
	case r.StatusCode == http.StatusNotFound && q.unknown != nil:
		largest = 1 << 10
	case r.StatusCode == http.StatusNotModified && kept != nil:
	default:
		return nil, h.refusal(r)
	}
	if age := r.Header.Get("Age"); age != "" && age != "0" {
		return nil, &failure{what: "the answer comes from a cache on the way (Age): facts must come from the application itself", breach: true}
	}
	if r.StatusCode == http.StatusNotModified {
		if etag := r.Header.Get("ETag"); etag != "" && opaque(etag) != opaque(kept.etag) {
			h.kept.drop(q.uri())
			return nil, &failure{what: "answered 304 with another ETag than was asked about", again: true}
		}
		return kept.body, nil
	}
	if f := jsonFault(r); f != nil {
		return nil, f
	}
	if r.ContentLength > largest {
		return nil, tooLarge(largest)
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), membership.MaxRecord)) + bytes.MinRead) // no more on a promise alone
	// What is bounded is what comes out of a compressed answer.
	n, err := b.ReadFrom(io.LimitReader(r.Body, largest+1))
	switch {
	case err != nil:
		return nil, failedOn(ctx, attempt, h.timeout, err)
	case n > largest:
		return nil, tooLarge(largest)
	}
	return b.Bytes(), nil
}

func tooLarge(largest int64) *failure {
	return &failure{what: fmt.Sprintf("the answer is larger than %d bytes", largest), breach: true}
}

// opaque is an ETag without its mark of weakness.
func opaque(etag string) string { return strings.TrimPrefix(etag, "W/") }

func jsonFault(r *http.Response) *failure {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	switch {
	case err != nil || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")):
		if r.StatusCode == http.StatusNotFound {
			return &failure{what: "answered 404, but not as the contract says for what is unknown: is the URL right?"}
		}
		return &failure{what: "the answer's Content-Type is not application/json", breach: true}
	case charset != "" && charset != "utf-8":
		return &failure{what: "the answer is not in UTF-8", breach: true}
	case r.Header.Get("Content-Encoding") != "": // gzip has been undone, and its header removed
		return &failure{what: "the answer is compressed by something else than gzip", breach: true}
	}
	return nil
}

// refusal is what any other status means. What else the application says is not read: it may repeat the question.
func (h *Origin) refusal(r *http.Response) *failure {
	// A connection is used again when its answer has been read, which a short one is worth.
	_, _ = io.CopyN(io.Discard, r.Body, 4<<10)
	f := &failure{what: fmt.Sprintf("answered %d", r.StatusCode)}
	switch s := r.StatusCode; {
	case s >= 300 && s < 400 && s != http.StatusNotModified:
		f.what += ": redirects are not followed, say the address that they lead to"
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		f.what += ": check the token or the client certificate"
		f.refused = true
	case s == http.StatusNotFound:
		f.what += ": is the URL right?"
	case s == http.StatusRequestTimeout || s == http.StatusTooManyRequests:
		f.again = true
	case s == http.StatusBadGateway || s == http.StatusServiceUnavailable || s == http.StatusGatewayTimeout:
		f.again, f.down = true, true
	}
	if f.again {
		if seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 63); err == nil {
			f.after = time.Duration(min(seconds, 3600)) * time.Second
		}
	}
	return f
}
