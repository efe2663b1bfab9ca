package envoytest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http/httpguts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// Front is an HTTP/1.1 proxy that asks about each request as Envoy does, and forwards what may pass. Without an answer it
// forwards nothing. It is safe for concurrent use.
type Front struct {
	Config Config
	// Client asks the server that is tested.
	Client authv3.AuthorizationClient
	// Token is the bearer token in initial_metadata; "" for none.
	Token string
	// Application is where requests are forwarded to: HOST:PORT.
	Application string

	transport http.Transport
}

// methods are those that Envoy's parser accepts, unless allow_custom_methods is set.
var methods = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}

// hopByHop are the fields that Envoy removes from requests and responses, because they are about one connection.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade"}

// ServeHTTP implements [http.Handler].
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.accept(r) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body, err := f.buffer(r)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	answer, err := f.ask(r, body)
	switch {
	case err != nil || answer.GetErrorResponse() != nil:
		f.fail(w, r)
	case codes.Code(answer.GetStatus().GetCode()) != codes.OK:
		denied := answer.GetDeniedResponse()
		status := int(denied.GetStatus().GetCode())
		if status == 0 {
			status = http.StatusForbidden
		}
		reply(w, status, "", denied.GetBody(), denied.GetHeaders())
	case !apply(r.Header, answer.GetOkResponse().GetHeaders()): // validate_mutations
		w.WriteHeader(http.StatusInternalServerError)
	default:
		for _, name := range answer.GetOkResponse().GetHeadersToRemove() {
			deleteHeader(r.Header, name)
		}
		f.forward(w, r, body, answer.GetOkResponse())
	}
}

// accept does what Envoy's parser and connection manager do before filters run. It reports whether Envoy goes on.
func (f *Front) accept(r *http.Request) bool {
	if !slices.Contains(methods, r.Method) || r.Method == http.MethodConnect || strings.Contains(r.RequestURI, "#") {
		return false
	}
	if f.Config.RejectsUnderscores {
		for name := range r.Header {
			if strings.Contains(name, "_") {
				return false
			}
		}
	}
	if f.Config.NormalizesPath {
		path, ok := normalize(r.RequestURI)
		if !ok {
			return false
		}
		r.RequestURI = path
	}
	for _, name := range hopByHop {
		r.Header.Del(name)
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Envoy-") {
			r.Header.Del(name)
		}
	}
	if !f.Config.KeepsRequestID || r.Header.Get("X-Request-Id") == "" {
		r.Header.Set("X-Request-Id", rand.Text())
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	r.Header.Add("X-Forwarded-For", host)
	r.Header.Set("X-Forwarded-Proto", "http")
	return true
}

// buffer reads the body, if it is one that the filter sends.
func (f *Front) buffer(r *http.Request) ([]byte, error) {
	if f.Config.Filter.BodyLimit == 0 || r.ContentLength == 0 {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(f.Config.Filter.BodyLimit)+1))
	if err == nil && len(body) > f.Config.Filter.BodyLimit {
		err = errors.New("the body is too large")
	}
	return body, err
}

func (f *Front) ask(r *http.Request, body []byte) (*authv3.CheckResponse, error) {
	said := Request{Method: r.Method, Path: r.RequestURI, Host: r.Host, Body: string(body)}
	for name, values := range r.Header {
		for _, value := range values {
			said.Header = append(said.Header, [2]string{strings.ToLower(name), value})
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), f.Config.Timeout)
	defer cancel()
	if f.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+f.Token)
	}
	return f.Client.Check(ctx, f.Config.Filter.CheckRequest(said))
}

// fail answers a request about which there is no answer. Envoy flags it with UAEX and maps the local reply.
func (f *Front) fail(w http.ResponseWriter, r *http.Request) {
	for _, m := range f.Config.mappers {
		if !f.matches(m.GetFilter(), r) {
			continue
		}
		status := f.Config.StatusOnError
		if code := m.GetStatusCode(); code != nil {
			status = int(code.GetValue())
		}
		reply(w, status, m.GetBodyFormatOverride().GetContentType(), m.GetBody().GetInlineString(), expand(m.GetHeadersToAdd(), r.Header))
		return
	}
	w.WriteHeader(f.Config.StatusOnError)
}

// matches reports whether a filter of local replies applies.
func (f *Front) matches(filter *accesslogv3.AccessLogFilter, r *http.Request) bool {
	switch of := filter.GetFilterSpecifier().(type) {
	case *accesslogv3.AccessLogFilter_AndFilter:
		for _, part := range of.AndFilter.GetFilters() {
			if !f.matches(part, r) {
				return false
			}
		}
		return true
	case *accesslogv3.AccessLogFilter_StatusCodeFilter:
		return of.StatusCodeFilter.GetComparison().GetValue().GetDefaultValue() == uint32(f.Config.StatusOnError)
	case *accesslogv3.AccessLogFilter_ResponseFlagFilter:
		return slices.Contains(of.ResponseFlagFilter.GetFlags(), "UAEX")
	case *accesslogv3.AccessLogFilter_HeaderFilter:
		header := of.HeaderFilter.GetHeader()
		return strings.Contains(strings.Join(r.Header.Values(header.GetName()), ","), header.GetStringMatch().GetContains())
	}
	return false
}

// expand replaces values that are the command operator %REQ(NAME)% with that field of the request. There is no field where the
// request has none.
func expand(fields []*corev3.HeaderValueOption, request http.Header) []*corev3.HeaderValueOption {
	var expanded []*corev3.HeaderValueOption
	for _, option := range fields {
		if name, ok := operand(option.GetHeader().GetValue()); ok {
			value := strings.Join(request.Values(name), ",")
			if value == "" {
				continue
			}
			option = &corev3.HeaderValueOption{
				Header: &corev3.HeaderValue{Key: option.GetHeader().GetKey(), Value: value}, AppendAction: option.GetAppendAction(),
			}
		}
		expanded = append(expanded, option)
	}
	return expanded
}

// operand returns NAME of %REQ(NAME)%.
func operand(value string) (name string, ok bool) {
	name, ok = strings.CutPrefix(value, "%REQ(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, ")%")
}

// reply answers in place of the application.
func reply(w http.ResponseWriter, status int, contentType, body string, fields []*corev3.HeaderValueOption) {
	if contentType == "" {
		contentType = "text/plain"
	}
	w.Header().Set("Content-Type", contentType)
	if !apply(w.Header(), fields) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// apply sets and adds fields. It reports whether all of them are valid.
func apply(header http.Header, fields []*corev3.HeaderValueOption) bool {
	for _, option := range fields {
		name, value := option.GetHeader().GetKey(), option.GetHeader().GetValue()
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || strings.EqualFold(name, "host") {
			return false
		}
		_, exists := header[http.CanonicalHeaderKey(name)]
		switch option.GetAppendAction() {
		case corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD:
			header.Add(name, value)
		case corev3.HeaderValueOption_ADD_IF_ABSENT:
			if !exists {
				header.Set(name, value)
			}
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS:
			if exists {
				header.Set(name, value)
			}
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD:
			header.Set(name, value)
		}
	}
	return true
}

// deleteHeader deletes a field by its name in lower case.
func deleteHeader(header http.Header, name string) {
	for known := range header {
		if strings.EqualFold(known, name) {
			delete(header, known)
		}
	}
}

func (f *Front) forward(w http.ResponseWriter, r *http.Request, body []byte, ok *authv3.OkHttpResponse) {
	if strings.HasPrefix(r.RequestURI, "//") { // net/http would write it with a scheme
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	out := r.Clone(r.Context())
	out.Trailer = nil // enable_trailers is not set
	out.RequestURI, out.URL = "", &url.URL{Scheme: "http", Host: f.Application, Opaque: r.RequestURI}
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body)), r.ContentLength
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // so that net/http adds none
	}
	answer, err := f.transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	for name, values := range answer.Header {
		if !slices.Contains(hopByHop, name) {
			w.Header()[name] = values
		}
	}
	if !apply(w.Header(), ok.GetResponseHeadersToAdd()) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// Close closes the connections to the application that are not in use.
func (f *Front) Close() { f.transport.CloseIdleConnections() }

// normalize does what Envoy does with a path by normalize_path, merge_slashes and REJECT_REQUEST of escaped slashes. It
// reports whether Envoy goes on.
func normalize(target string) (string, bool) {
	path, query, hasQuery := strings.Cut(target, "?")
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\':
			b.WriteByte('/')
		case c != '%' || i+2 >= len(path):
			b.WriteByte(c)
		default:
			decoded, err := url.PathUnescape(path[i : i+3])
			switch {
			case err != nil:
				b.WriteByte(c)
				continue
			case decoded == "/" || decoded == "\\" || decoded == "\x00":
				return "", false
			case isUnreserved(decoded[0]):
				b.WriteString(decoded)
			default:
				b.WriteString(path[i : i+3])
			}
			i += 2
		}
	}
	var kept []string
	segments := strings.Split(b.String(), "/")
	for i, segment := range segments[1:] {
		last := i == len(segments)-2
		switch segment {
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		case ".":
		case "":
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	path = "/" + strings.Join(kept, "/")
	if hasQuery {
		path += "?" + query
	}
	return path, strings.HasPrefix(target, "/")
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
