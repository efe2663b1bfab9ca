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

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// partialBodyHeader is added by Envoy if it sends a body: "true" if that is only its beginning. Envoy drops what clients send in it.
const partialBodyHeader = "x-envoy-auth-partial-body"

// Context extensions are said by Envoy's configuration, route by route, and never by clients. Those of a route that should not be asked
// about are Envoy's own: disabled.
const (
	extensionPrefix = "wardkeeper."
	hostExtension   = extensionPrefix + "host" // the host by which the route file is read, whatever the request's is
)

// forwarded is a request that Envoy holds back.
type forwarded struct {
	routes.Request
	// reserved are the names of the fields of the request that only the proxy may set.
	reserved []string
}

// requestOf makes a request of what Envoy says about it. An error means that Envoy is not configured as it has to be: what would be judged
// could be another request than the one that it forwards.
func requestOf(attributes *authv3.AttributeContext, fromProxy bool) (forwarded, error) {
	said := attributes.GetRequest().GetHttp()
	if said == nil {
		return forwarded{}, errors.New("the proxy does not say what the request is: use the HTTP filter")
	}
	if said.GetQuery() != "" || said.GetFragment() != "" {
		return forwarded{}, errors.New("the proxy says the query or the fragment beside the path, as Envoy never does")
	}
	fields, pseudo := fieldsOf(said)
	f := forwarded{Request: routes.Request{
		Method: said.GetMethod(), Target: said.GetPath(), Host: []string{said.GetHost()}, Header: http.Header{}, FromProxy: fromProxy,
	}}
	for _, said := range []struct {
		name      string
		attribute *string
	}{{":method", &f.Method}, {":path", &f.Target}, {":authority", &f.Host[0]}} {
		if err := pseudo.confirm(said.name, said.attribute); err != nil {
			return forwarded{}, err
		}
	}
	marks := fields.addTo(&f)
	if err := readExtensions(attributes.GetContextExtensions(), &f); err != nil {
		return forwarded{}, err
	}
	f.ReadBody = readerOf(said, marks, f.Header.Values("Content-Length"))
	return f, nil
}

// field is one field of a header.
type field struct{ name, value string }

type fields []field

// notUTF8 stands for what Envoy writes for bytes that are not UTF-8, unless it is told to send values as they are. What has it in it is not
// known, so that no question can be drawn from it.
var notUTF8 = strings.NewReplacer("!", "\ufffd")

// fieldsOf returns the fields of a request, the pseudo fields of HTTP/2 apart. With encode_raw_headers, every field is there as it came.
// Without, Envoy joins those of one name by commas.
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
				for part := range strings.SplitSeq(value, ",") { // each of them may have been a field
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

func rawValue(h *corev3.HeaderValue) string {
	if raw := h.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return h.GetValue()
}

// confirm checks that a pseudo field says the same as the attribute, and replaces the attribute where the field has bytes that the
// attribute cannot have. Envoy sends all pseudo fields, unless it leaves fields out: then those that matter could be missing too.
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

// addTo adds fields to a request, without those that are only the proxy's to set. It returns the values of [partialBodyHeader].
func (fs fields) addTo(f *forwarded) (marks []string) {
	for _, field := range fs {
		name := strings.ToLower(field.name)
		switch {
		case name == partialBodyHeader:
			marks = append(marks, field.value)
		case check.IsReserved(name):
			if !slices.Contains(f.reserved, name) {
				f.reserved = append(f.reserved, name)
			}
		case name == "host":
			if field.value != f.Host[0] {
				f.Host = append(f.Host, field.value) // refused: there are two
			}
		default:
			key := textproto.CanonicalMIMEHeaderKey(name)
			f.Header[key] = append(f.Header[key], field.value)
		}
	}
	slices.Sort(f.reserved)
	return marks
}

// readExtensions does what the route of Envoy says. Nothing in it can let a request through that the route file does not: an extension
// that is not known refuses them all, so that nobody trusts in one that has no effect.
func readExtensions(extensions map[string]string, f *forwarded) error {
	for name, value := range extensions {
		switch {
		case !strings.HasPrefix(name, extensionPrefix): // for somebody else
		case name == hostExtension && value != "":
			if len(f.Host) == 1 {
				f.Host[0] = value
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

// readerOf returns what reads the body, or nil if Envoy does not send it. Only a body that is proven to be complete is read: Envoy marks
// one as complete as well if it has filled the buffer exactly, so that Content-Length has to agree. Without a mark there may be a body
// that Envoy was not told to send.
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
