package envoytest

import (
	"slices"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// Request is a request as a client sends it to Envoy.
type Request struct {
	Method, Path, Host string
	Header             [][2]string // in order, names in lower case as Envoy keeps them
	Body               string
	Extensions         map[string]string // of the route
}

// With returns a changed copy.
func (d Request) With(change func(*Request)) Request {
	d.Header = slices.Clone(d.Header)
	change(&d)
	return d
}

// Filter has the settings of Envoy's filter that say what is sent.
type Filter struct {
	Raw          bool // encode_raw_headers
	BodyLimit    int  // with_request_body.max_request_bytes; 0 if bodies are not sent
	AsText       bool // not pack_as_bytes
	OmitsHeaders bool // allowed_headers
}

// Recommended returns the settings in adapters/envoy.
func Recommended() Filter { return Filter{Raw: true, BodyLimit: 64 << 10} }

// CheckRequest builds the check request that Envoy sends: all fields including the pseudo fields, either one by one or joined
// by name; sanitized text; and the body up to the limit, with a mark.
func (f Filter) CheckRequest(d Request) *authv3.CheckRequest {
	all := [][2]string{{":authority", d.Host}, {":path", d.Path}, {":method", d.Method}, {":scheme", "http"}}
	if f.OmitsHeaders {
		all = nil
	}
	for _, h := range d.Header {
		if h[0] != "x-envoy-auth-partial-body" {
			all = append(all, h)
		}
	}
	all = append(all, [2]string{"x-forwarded-proto", "http"}, [2]string{"x-forwarded-for", "192.0.2.7"})
	r := &authv3.AttributeContext_HttpRequest{
		Id: "7", Method: Sanitized(d.Method), Path: Sanitized(d.Path), Host: Sanitized(d.Host), Scheme: "http", Protocol: "HTTP/1.1", Size: int64(len(d.Body)),
	}
	if f.BodyLimit > 0 && d.Body != "" {
		sent, mark := d.Body, "false"
		if len(sent) > f.BodyLimit {
			sent, mark = sent[:f.BodyLimit], "true"
		}
		if f.AsText {
			r.Body = Sanitized(sent)
		} else {
			r.RawBody = []byte(sent)
		}
		all = append(all, [2]string{"x-envoy-auth-partial-body", mark})
	}
	if f.Raw {
		r.HeaderMap = &corev3.HeaderMap{}
		for _, h := range all {
			r.HeaderMap.Headers = append(r.HeaderMap.Headers, &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])})
		}
	} else {
		r.Headers = map[string]string{}
		for _, h := range all {
			if before, ok := r.Headers[h[0]]; ok {
				h[1] = before + "," + h[1]
			}
			r.Headers[h[0]] = Sanitized(h[1])
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:            &authv3.AttributeContext_Peer{},
		Request:           &authv3.AttributeContext_Request{Http: r},
		ContextExtensions: d.Extensions,
	}}
}

// Sanitized replaces each byte that is not UTF-8 with an exclamation mark, as Envoy does.
func Sanitized(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError && s[i] != "\ufffd"[0] {
			b.WriteByte('!')
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
