package routes

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
)

// Request is a request to resolve. An adapter passes on what it received, unchanged.
type Request struct {
	Method string
	// Target is the request target as received: path and query, still encoded.
	Target string
	// Host has every value of the Host header, or of :authority.
	Host []string
	// Header has the other headers. Names may be in any case.
	Header http.Header
	// ReadBody returns the whole body, or [ErrBodyTooLong] if it is longer than limit bytes. It is called at most once, and
	// only if the question draws from the body. An adapter that does not see bodies leaves it nil: such requests are then
	// refused.
	ReadBody func(limit int) ([]byte, error)
	// FromProxy means that the caller is an authenticated proxy. Only then may a header name the person.
	FromProxy bool
}

// FromHTTP returns the Request for a server's request. If the body is read, r.Body is replaced by one with the same bytes.
func FromHTTP(r *http.Request) Request {
	request := Request{Method: r.Method, Target: r.RequestURI, Host: []string{r.Host}, Header: r.Header}
	if len(r.Trailer) > 0 { // the server has removed the header that announces them
		request.Header = r.Header.Clone()
		request.Header["Trailer"] = slices.Sorted(maps.Keys(r.Trailer))
	}
	for _, host := range r.Header["Host"] { // HTTP/2 allows it beside :authority
		if host != r.Host {
			request.Host = append(request.Host, host)
		}
	}
	request.ReadBody = func(limit int) ([]byte, error) {
		if r.Body == nil {
			return nil, nil
		}
		if r.ContentLength > int64(limit) {
			return nil, ErrBodyTooLong
		}
		data, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
		if err == nil && len(data) > limit {
			err = ErrBodyTooLong
		}
		if err != nil {
			return nil, err
		}
		err = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(data))
		return data, err
	}
	return request
}
