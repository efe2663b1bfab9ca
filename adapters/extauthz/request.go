package extauthz

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// partialBodyHeader is a field that Envoy adds if it sends a body: "true" means that the body is truncated. Envoy drops the
// field from clients' requests.
const partialBodyHeader = "x-envoy-auth-partial-body"

// Context extensions come from Envoy's configuration of a route, and never from clients. There is none to exempt a route from
// checks: Envoy has its own setting for that, disabled.
const (
	extensionPrefix = "wardkeeper."
	hostExtension   = extensionPrefix + "host" // the host for the route file, in place of the request's
)

// requestOf reconstructs the request that Envoy describes. An error means that Envoy is not configured correctly: it could
// forward another request than the one that would be judged.
func requestOf(attributes *authv3.AttributeContext, fromProxy bool) (routes.Request, error) {
	said := attributes.GetRequest().GetHttp()
	if said == nil {
		return routes.Request{}, errors.New("the proxy does not say what the request is: use the HTTP filter")
	}
	if said.GetQuery() != "" || said.GetFragment() != "" {
		return routes.Request{}, errors.New("the proxy says the query or the fragment beside the path, as Envoy never does")
	}
	fields, pseudo := fieldsOf(said)
	r := routes.Request{
		Method: said.GetMethod(), Target: said.GetPath(), Host: []string{said.GetHost()}, Header: http.Header{}, FromProxy: fromProxy,
	}
	for _, said := range []struct {
		name      string
		attribute *string
	}{{":method", &r.Method}, {":path", &r.Target}, {":authority", &r.Host[0]}} {
		if err := pseudo.confirm(said.name, said.attribute); err != nil {
			return routes.Request{}, err
		}
	}
	marks := fields.addTo(&r)
	if err := readExtensions(attributes.GetContextExtensions(), &r); err != nil {
		return routes.Request{}, err
	}
	r.ReadBody = readerOf(said, marks, r.Header.Values("Content-Length"))
	return r, nil
}

// field is a header field.
type field struct{ name, value string }

type fields []field

// notUTF8 replaces exclamation marks. Unless it is told to send raw values, Envoy writes one for each byte that is not UTF-8,
// so a value that contains one is not known. No question can be drawn from the replacement character.
var notUTF8 = strings.NewReplacer("!", "\ufffd")

// fieldsOf returns the fields of a request, and separately the pseudo fields of HTTP/2. With encode_raw_headers, Envoy sends
// every field as it came; without, it joins fields of the same name with commas.
func fieldsOf(r *authv3.AttributeContext_HttpRequest) (ordinary, pseudo fields) {
	var all fields
	if raw := r.GetHeaderMap().GetHeaders(); len(raw) > 0 {
		for _, h := range raw {
			all = append(all, field{h.GetKey(), rawValue(h)})
		}
	} else {
		for name, value := range r.GetHeaders() {
			value = notUTF8.Replace(value)
			if strings.EqualFold(name, "cookie") {
				for part := range strings.SplitSeq(value, ",") { // each part may have been a field of its own
					all = append(all, field{name, part})
				}
				continue
			}
			all = append(all, field{name, value})
		}
	}
	for _, f := range all {
		if strings.HasPrefix(f.name, ":") {
			pseudo = append(pseudo, f)
		} else {
			ordinary = append(ordinary, f)
		}
	}
	return ordinary, pseudo
}

// traceOf returns the trace of a request.
func traceOf(attributes *authv3.AttributeContext) pep.Trace {
	fields, _ := fieldsOf(attributes.GetRequest().GetHttp())
	return pep.NewTrace(func(name string) (values []string) {
		for _, f := range fields {
			if strings.EqualFold(f.name, name) {
				values = append(values, f.value)
			}
		}
		return values
	})
}

func rawValue(h *corev3.HeaderValue) string {
	if raw := h.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return h.GetValue()
}

// confirm checks that a pseudo field agrees with the attribute, and replaces the attribute if the field has bytes that the
// attribute cannot have. Envoy sends all pseudo fields unless it is configured to leave out fields: then others that matter
// could be missing too.
func (fs fields) confirm(name string, attribute *string) error {
	var found []string
	for _, f := range fs {
		if f.name == name {
			found = append(found, f.value)
		}
	}
	switch {
	case len(found) == 0 && *attribute == "":
		return nil // the route file refuses it
	case len(found) == 0:
		return fmt.Errorf("the proxy leaves out the field %s, and then maybe others that matter: remove allowed_headers and disallowed_headers", name)
	case len(found) > 1:
		return fmt.Errorf("the proxy sends the field %s twice", name)
	case utf8.ValidString(found[0]) && found[0] != *attribute && found[0] != notUTF8.Replace(*attribute):
		return fmt.Errorf("the proxy says one thing in the field %s and another in the attribute", name)
	}
	*attribute = found[0]
	return nil
}

// addTo adds the fields to a request. It returns the values of [partialBodyHeader].
func (fs fields) addTo(r *routes.Request) (marks []string) {
	for _, field := range fs {
		name := strings.ToLower(field.name)
		switch {
		case name == partialBodyHeader:
			marks = append(marks, field.value)
		case name == "host":
			if field.value != r.Host[0] {
				r.Host = append(r.Host, field.value) // refused, because there are two
			}
		default:
			key := textproto.CanonicalMIMEHeaderKey(name)
			r.Header[key] = append(r.Header[key], field.value)
		}
	}
	return marks
}

// readExtensions applies the context extensions of Envoy's route. None of them can let a request through that the route file
// does not. An unknown one is an error, which refuses every request, so that nobody relies on an extension without effect.
func readExtensions(extensions map[string]string, r *routes.Request) error {
	for name, value := range extensions {
		switch {
		case !strings.HasPrefix(name, extensionPrefix): // not for Wardkeeper
		case name == hostExtension && value != "":
			if len(r.Host) == 1 {
				r.Host[0] = value
			}
		default:
			return fmt.Errorf("the context extension %.100q has no meaning: there is only %s, which names a host", name, hostExtension)
		}
	}
	return nil
}

var (
	errBodyLength = errors.New("the proxy has not sent as much of the body as Content-Length says")
	errBodyText   = errors.New("the proxy sends the body as text, in which bytes that are no UTF-8 are replaced: set pack_as_bytes")
)

// readerOf returns the function that reads the body, or nil if Envoy does not send it. It reads only a body that is known to
// be complete: Envoy also marks a body as complete if it has filled the buffer exactly, so Content-Length has to agree.
// Without a mark, there may be a body that Envoy is not configured to send.
func readerOf(r *authv3.AttributeContext_HttpRequest, marks, lengths []string) func(limit int) ([]byte, error) {
	body := r.GetRawBody()
	if len(marks) == 0 {
		if slices.Equal(lengths, []string{"0"}) && len(body)+len(r.GetBody()) == 0 {
			return func(int) ([]byte, error) { return nil, nil }
		}
		return nil
	}
	return func(limit int) ([]byte, error) {
		switch {
		case slices.Contains(marks, "true") || len(body) > limit || len(r.GetBody()) > limit:
			return nil, routes.ErrBodyTooLong
		case r.GetBody() != "":
			return nil, errBodyText
		case !slices.Equal(marks, []string{"false"}) || !slices.Equal(lengths, []string{strconv.Itoa(len(body))}):
			return nil, errBodyLength
		}
		return body, nil
	}
}
