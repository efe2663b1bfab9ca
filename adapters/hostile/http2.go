package hostile

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// stream is a request of HTTP/2 as it is sent, whether it is well-formed or not.
type stream struct {
	fields []hpack.HeaderField
	body   string
}

// firstOfHTTP2 is the number of the first case. No other case has it, so that what arrives late from an earlier run is known.
const firstOfHTTP2 = 100_000

// CasesOfHTTP2 returns the corpus of HTTP/2 for a site, always in the same order: malformed requests that only HTTP/2 can carry,
// and those of [Cases] that are about a target or fields. Most proxies forward them as HTTP/1.1.
func CasesOfHTTP2(site Site) []Case {
	c := &corpus{site: site, first: firstOfHTTP2}
	for range 3 {
		c.stream(PlainClass, c.fieldsOf2("GET", c.view()), "")
		c.stream(PlainClass, c.fieldsOf2("HEAD", c.view()), "")
		c.stream(PlainClass, c.fieldsOf2("GET", c.target("/<s>/<id>")), "")
	}
	c.pseudoFields()
	c.fieldsOfHTTP1()
	c.downgrades()
	for _, h1 := range Cases(site) {
		if fields, ok := converted(h1); ok {
			// The id is in the path of the request, and must be this case's.
			for i := range fields {
				fields[i].Value = strings.ReplaceAll(fields[i].Value, h1.ID, c.id())
			}
			c.stream(h1.Class, fields, "")
		}
	}
	return c.cases
}

// request returns the request that a stream is, or false if it has not one meaning for everybody.
func (s *stream) request() (routes.Request, bool) {
	r, once := routes.Request{Header: http.Header{}}, map[string]string{}
	for _, f := range s.fields {
		if !strings.HasPrefix(f.Name, ":") {
			r.Header.Add(f.Name, f.Value)
			continue
		}
		if _, twice := once[f.Name]; twice {
			return r, false
		}
		once[f.Name] = f.Value
	}
	r.Method, r.Target, r.Host = once[":method"], once[":path"], []string{once[":authority"]}
	return r, len(once) == 4
}

// stream adds a case of HTTP/2. Its Raw is for reports: a line for each field.
func (c *corpus) stream(class string, fields []hpack.HeaderField, body string) {
	var raw bytes.Buffer
	safe := body == ""
	for _, f := range fields {
		raw.WriteString(f.Name + ": " + f.Value + "\n")
		if f.Name == ":method" && f.Value != "GET" && f.Value != "HEAD" || strings.Contains(f.Value, "DELETE") || strings.Contains(f.Value, "PUT") {
			safe = false
		}
	}
	raw.WriteString("\n" + body)
	c.cases = append(c.cases, Case{ID: c.id(), Class: class, Raw: raw.Bytes(), Safe: safe, stream: &stream{fields, body}})
}

// fieldsOf2 returns the fields of a request, to which more, names and values in turn, are added.
func (c *corpus) fieldsOf2(method, target string, more ...string) []hpack.HeaderField {
	fields := []hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: c.site.Host}, {Name: ":path", Value: target},
	}
	if name, value, ok := strings.Cut(c.site.Credentials, ": "); ok {
		fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: value})
	}
	for i := 0; i < len(more); i += 2 {
		fields = append(fields, hpack.HeaderField{Name: more[i], Value: more[i+1]})
	}
	return fields
}

// replaced returns the fields with another value of one, or without it if the value is "-".
func replaced(fields []hpack.HeaderField, name, value string) []hpack.HeaderField {
	fields = slices.Clone(fields)
	for i := range fields {
		if fields[i].Name == name {
			if value == "-" {
				return slices.Delete(fields, i, i+1)
			}
			fields[i].Value = value
		}
	}
	return fields
}

// pseudoFields adds requests whose pseudo fields are missing, repeated, misplaced, or have what would end the request line.
func (c *corpus) pseudoFields() {
	get := func() []hpack.HeaderField { return c.fieldsOf2("GET", c.view()) }
	for _, path := range []string{
		"", "-", "*", " /<p>/<id>", "/<p>/<id> ", "/<p>/<id> HTTP/1.1", "/<s>/<id> HTTP/1.1\r\nX-Wardkeeper-Subject: mallory", "/<s>/<id>\r\nX-Confirmed: true", "/<s>/<id>\nX-Confirmed: true",
		"/<s>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\nGET /<p>/<id>", "/<p>/<id>\t", "/<p>/<id>\x00", "/<s>/<id>\r", "<p>/<id>", "https://<host>/<p>/<id>", "https://admin.example.org/<p>/<id>", "//<host>/<p>/<id>", "/<p>/<id>#", "/<s>/<id>#/../<p>/<id>",
		"/<s>/../<p>/<id>", "/<s>/%2e%2e/<p>/<id>", "?/<p>/<id>", "\\<p>\\<id>", "/<p>/<id>\x7f", "/<p>/<id>\xff",
	} {
		c.stream("values of :path", replaced(get(), ":path", c.target(path)), "")
	}
	for _, method := range []string{
		"", "-", "get", "GET ", " GET", "GET /<s>/<id> HTTP/1.1\r\nX:", "GET /<p>/<id>?a=", "GET\r\nX: y", "GET\x00", "GET\t/<p>/<id>", "CONNECT", "TRACE", "G:T", "\"GET\"",
	} {
		c.stream("values of :method", replaced(get(), ":method", c.target(method)), "")
		c.stream("values of :method", c.fieldsOf2(c.target(method), c.target("/<s>/<id>")), "")
	}
	for _, authority := range []string{
		"", "-", "admin.example.org", "<host>/<p>", "<host> ", "<host>\r\nX-Confirmed: true", "<host>\nHost: admin.example.org", "user@admin.example.org", "<host>@admin.example.org", "<host>,admin.example.org", "<host>\x00", "<host>#", "<host>?a=b", "[::1", "<host>:http",
	} {
		c.stream("values of :authority", replaced(get(), ":authority", c.target(authority)), "")
	}
	for _, scheme := range []string{"", "-", "http", "HTTPS", "https://admin.example.org/<p>/<id>?", "https ", "file", "https\r\nX-Confirmed: true", "javascript", "\x00"} {
		c.stream("values of :scheme", replaced(get(), ":scheme", c.target(scheme)), "")
	}
	for _, pseudo := range [][2]string{
		{":path", "/<s>/<id>"}, {":method", "GET"}, {":method", "HEAD"}, {":authority", "admin.example.org"}, {":authority", "<host>"}, {":scheme", "http"}, {":status", "200"}, {":protocol", "websocket"}, {":other", "x"}, {":", "x"}, {":Path", "/<s>/<id>"},
	} {
		name, value := pseudo[0], c.target(pseudo[1])
		c.stream("pseudo fields twice or unknown", append([]hpack.HeaderField{{Name: name, Value: value}}, get()...), "")
		c.stream("pseudo fields after others", c.fieldsOf2("GET", c.view(), "a", "b", name, value), "")
	}
	c.stream("pseudo fields after others", append([]hpack.HeaderField{{Name: "a", Value: "b"}}, get()...), "")
	for _, host := range []string{"<host>", "admin.example.org", "", "<host>, admin.example.org"} {
		c.stream("fields host beside :authority", c.fieldsOf2("GET", c.view(), "host", c.target(host)), "")
		c.stream("fields host instead of :authority", replaced(c.fieldsOf2("GET", c.view(), "host", c.target(host)), ":authority", "-"), "")
	}
}

// fieldsOfHTTP1 adds requests with fields that HTTP/2 forbids, and with bytes that would end a line of HTTP/1.1.
func (c *corpus) fieldsOfHTTP1() {
	for _, field := range [][2]string{
		{"transfer-encoding", "chunked"}, {"transfer-encoding", "identity"}, {"transfer-encoding", ""}, {"connection", "keep-alive"}, {"connection", "X-Wardkeeper-Subject"}, {"connection", "authorization"}, {"connection", "x-confirmed"},
		{"keep-alive", "timeout=5"}, {"proxy-connection", "X-Wardkeeper-Subject"}, {"upgrade", "h2c"}, {"upgrade", "websocket"}, {"te", "chunked"}, {"te", "trailers"}, {"te", "trailers, chunked"}, {"http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"},
		{"X-Wardkeeper-Subject", "mallory"}, {"Authorization", "Bearer mallory"}, {"X-Confirmed", "true"}, {"Transfer-Encoding", "chunked"}, {"Content-Length", "0"},
		{"x\r\nx-wardkeeper-subject", "mallory"}, {"x: y\r\nx-wardkeeper-subject", "mallory"}, {"x\nx-wardkeeper-subject", "mallory"}, {"x-wardkeeper-subject:", "mallory"}, {"x-wardkeeper-subject ", "mallory"}, {" x-wardkeeper-subject", "mallory"},
		{"x-wardkeeper-subject\x00", "mallory"}, {"x_wardkeeper_subject", "mallory"}, {"x-wardkeeper-subject", "mallory"}, {"", "x"}, {"x y", "z"}, {"x:y", "z"}, {"x\xff", "y"}, {"x\x01", "y"}, {"(x)", "y"},
		{"x", "y\r\nX-Wardkeeper-Subject: mallory"}, {"x", "y\nX-Wardkeeper-Subject: mallory"}, {"x", "y\rX-Wardkeeper-Subject: mallory"}, {"x", "y\x00z"}, {"x", "y\r\n\r\nGET /<p>/<id>?hidden HTTP/1.1\r\nHost: <host>\r\n\r\n"}, {"x", " y"}, {"x", "y "}, {"x", "y\r\n"},
		{"x-confirmed", "true\r\n"}, {"x-confirmed", "true\x00"}, {"cookie", "a=b\r\nX-Confirmed: true"}, {"content-length", "5"}, {"content-length", "-1"}, {"content-length", "0, 5"}, {"content-length", "0\r\nX: y"}, {"content-length", "+0"}, {"expect", "100-continue"},
		{"x-forwarded-uri", "/<s>/<id>"}, {"x-forwarded-method", "HEAD"}, {"x-forwarded-host", "admin.example.org"}, {"x-original-url", "/<s>/<id>"},
	} {
		c.stream("fields that HTTP/2 forbids", c.fieldsOf2("GET", c.view(), c.target(field[0]), c.target(field[1])), "")
		c.stream("fields that HTTP/2 forbids, on public paths", c.fieldsOf2("GET", c.target("/<s>/<id>"), c.target(field[0]), c.target(field[1])), "")
	}
}

// downgrades adds requests whose body would begin another request if the proxy framed it by their fields.
func (c *corpus) downgrades() {
	for _, target := range []string{"/<p>/<id>/notes", "/<s>/<id>"} {
		for _, field := range [][2]string{
			{"content-length", "0"}, {"content-length", "1"}, {"content-length", "5"}, {"content-length", "0\r\nx: y"}, {"Content-Length", "0"}, {"content_length", "0"}, {"transfer-encoding", "chunked"}, {"Transfer-Encoding", "chunked"}, {"transfer_encoding", "chunked"},
			{"transfer-encoding", "identity, chunked"}, {"transfer-encoding\r\nx", "y"}, {"x: y\r\ntransfer-encoding", "chunked"}, {"x", "y\r\ntransfer-encoding: chunked"}, {"x", "y\r\ncontent-length: 0"}, {"te", "trailers"}, {"trailer", "x-wardkeeper-subject"}, {"content-length", "999"},
		} {
			for _, body := range []string{c.hidden(), "0\r\n\r\n" + c.hidden()} {
				c.stream("downgrades to HTTP/1.1", c.fieldsOf2("POST", c.target(target), field[0], field[1]), body)
				c.stream("downgrades to HTTP/1.1", c.fieldsOf2("POST", c.target(target), field[0], field[1], "content-length", length(body)), body)
			}
		}
	}
}

// converted returns the fields of HTTP/2 of a case of HTTP/1.1, if it is about one request without a body.
func converted(h1 Case) ([]hpack.HeaderField, bool) {
	switch h1.Class {
	case PlainClass, "versions", "versions on public paths", "request lines", "lines of hosts", "many fields", "malformed fields", "malformed fields on public paths":
		return nil, false
	}
	head, rest, ok := strings.Cut(string(h1.Raw), "\r\n\r\n")
	if !ok || h1.Hangs || !h1.Safe && !strings.Contains(h1.Class, "methods") || strings.Count(rest, "\r\n\r\n") != 1 {
		return nil, false
	}
	lines := strings.Split(head, "\r\n")
	method, target, ok := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
	if !ok || !strings.HasSuffix(lines[0], " HTTP/1.1") {
		return nil, false
	}
	fields := []hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: target}}
	authority := false
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return nil, false
		}
		name, value = strings.ToLower(name), strings.TrimPrefix(value, " ")
		if name == "host" && !authority {
			fields, authority = slices.Insert(fields, 2, hpack.HeaderField{Name: ":authority", Value: value}), true
			continue
		}
		fields = append(fields, hpack.HeaderField{Name: name, Value: value})
	}
	return fields, true
}
