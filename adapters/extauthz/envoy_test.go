package extauthz_test

import (
	"context"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/metadata"
)

// downstream is a request as a client sends it to Envoy.
type downstream struct {
	method, path, host string
	header             [][2]string // in order, names in lower case as Envoy keeps them
	body               string
	extensions         map[string]string
}

// filter is a configuration of Envoy's filter.
type filter struct {
	raw          bool // encode_raw_headers
	bodyLimit    int  // with_request_body.max_request_bytes; 0 if bodies are not sent
	asText       bool // not pack_as_bytes
	omitsHeaders bool // allowed_headers
}

// recommended is the configuration in adapters/envoy.
var recommended = filter{raw: true, bodyLimit: 64 << 10}

// checkRequest builds the check request that Envoy sends: all fields including the pseudo fields, either one by one or joined
// by name; sanitized text; and the body up to the limit, with a mark.
func (f filter) checkRequest(d downstream) *authv3.CheckRequest {
	all := [][2]string{{":authority", d.host}, {":path", d.path}, {":method", d.method}, {":scheme", "http"}}
	if f.omitsHeaders {
		all = nil
	}
	for _, h := range d.header {
		if h[0] != "x-envoy-auth-partial-body" {
			all = append(all, h)
		}
	}
	all = append(all, [2]string{"x-forwarded-proto", "http"}, [2]string{"x-forwarded-for", "192.0.2.7"})
	r := &authv3.AttributeContext_HttpRequest{
		Id: "7", Method: sanitized(d.method), Path: sanitized(d.path), Host: sanitized(d.host), Scheme: "http", Protocol: "HTTP/1.1", Size: int64(len(d.body)),
	}
	if f.bodyLimit > 0 && d.body != "" {
		sent, mark := d.body, "false"
		if len(sent) > f.bodyLimit {
			sent, mark = sent[:f.bodyLimit], "true"
		}
		if f.asText {
			r.Body = sanitized(sent)
		} else {
			r.RawBody = []byte(sent)
		}
		all = append(all, [2]string{"x-envoy-auth-partial-body", mark})
	}
	if f.raw {
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
			r.Headers[h[0]] = sanitized(h[1])
		}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:            &authv3.AttributeContext_Peer{},
		Request:           &authv3.AttributeContext_Request{Http: r},
		ContextExtensions: d.extensions,
	}}
}

// sanitized replaces each byte that is not UTF-8 with an exclamation mark, as Envoy does.
func sanitized(s string) string {
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

// proxyContext returns the context of a call by a proxy with a token, for tests that call the method itself.
func proxyContext(token string) context.Context {
	return metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer "+token))
}
