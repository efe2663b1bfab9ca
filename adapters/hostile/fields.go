package hostile

import (
	"strconv"
	"strings"
)

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func length(body string) string { return strconv.Itoa(len(body)) }

func (c *corpus) hosts() {
	for _, host := range []string{
		"admin.example.org", "ADMIN.example.ORG", "admin.example.org.", "admin.example.org:80", "admin.example.org:443", "admin.example.org:0080", "admin.example.org:", "admin.example.org:x", "admin.example.org:99999", "admin.example.org:80:80",
		"user@admin.example.org", "<host>@admin.example.org", "admin.example.org@<host>", "<host>/admin.example.org", "<host>#admin.example.org", "<host>?admin.example.org", "<host>\\admin.example.org", "<host>, admin.example.org",
		"admin.example.org, <host>", "<host> admin.example.org", "<host>\tadmin.example.org", "", " ", ".", "..", ".<host>", "<host>.", "<host>..", "admin..example.org", "[::1]", "[::1]:80", "[::1", "::1", "[fe80::1%25eth0]", "[::ffff:127.0.0.1]", "127.0.0.1",
		"127.1", "2130706433", "0x7f000001", "localhost", "xn--admin-example.org", "adm\u0131n.example.org", "admin%2eexample.org", "admin.example.org%00", "admin.example.org\x00", "\"admin.example.org\"", "admin.example.org;a", "*", "<p>", "http://admin.example.org",
		"http://admin.example.org/", "admin_example.org", "-", "admin.example.org%0d%0aX: y", "(admin.example.org)", "admin.example.org'", "a\x01b",
	} {
		c.add("hosts", c.headFor(c.target(host), "GET", c.view())+"\r\n"+c.last(), true, false)
	}
	for _, field := range []string{
		"Host: admin.example.org", "host: admin.example.org", "HOST: <host>", "Host : admin.example.org", "Host\t: admin.example.org", " Host: admin.example.org", "\tHost: admin.example.org", "Host:admin.example.org", "Host:", "Host",
		"X-Forwarded-Host: admin.example.org", "X-Forwarded-Host: <host>, admin.example.org", "X-Forwarded-Server: admin.example.org", "X-Host: admin.example.org", "X-HTTP-Host-Override: admin.example.org", "Forwarded: host=admin.example.org",
		"X-Original-Host: admin.example.org", ":authority: admin.example.org", "X_Forwarded_Host: admin.example.org", "Ho\u017ft: admin.example.org", "Host\x00: admin.example.org", "Host_: admin.example.org",
	} {
		c.get("second hosts", c.view(), c.target(field))
	}
	line := func(target string) string { return "GET " + target + " HTTP/1.1\r\n" }
	end := c.site.Credentials + "\r\n\r\n"
	for _, hosts := range []string{
		"", "Host: admin.example.org\r\nHost: <host>\r\n", "Host: <host>\r\nX: y\r\nHost: admin.example.org\r\n", "Host: <host>\r\n admin.example.org\r\n", "Host:\r\n <host>\r\n", "Host: \r\n\tadmin.example.org\r\n", "Host : <host>\r\n",
		" Host: <host>\r\n", "\tHost: <host>\r\n", "Host: <host>\rX: y\r\n", "Host: <host>\nHost: admin.example.org\n", "X: y\r\n Host: admin.example.org\r\nHost: <host>\r\n",
	} {
		c.add("lines of hosts", line(c.view())+c.target(hosts)+end+c.last(), true, false)
		c.add("lines of hosts", line(c.target("http://admin.example.org/<p>/<id>"))+c.target(hosts)+end+c.last(), true, false)
	}
}

// spellings returns names that some programs take for the given one.
func spellings(name string) []string {
	return []string{
		name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToLower(strings.ReplaceAll(name, "-", "_")), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", "."),
		strings.Replace(name, "-", " ", 1), strings.ReplaceAll(name, "-", "~"), strings.ReplaceAll(name, "-", "+"), strings.Replace(name, "-", "!", 1), strings.Replace(name, "-", "--", 1), name + " ", name + "\t", " " + name, name + "\x00", name + "_", "HTTP_" + strings.ReplaceAll(name, "-", "_"),
	}
}

func (c *corpus) identities() {
	for _, name := range []string{"X-Wardkeeper-Subject", "X-Wardkeeper-Obligations", "X-Wardkeeper-Token", "X-Wardkeeper-Status"} {
		for _, spelling := range spellings(name) {
			c.get("identity fields", c.view(), spelling+": mallory")
			c.get("identity fields on public paths", c.target("/<s>/<id>"), spelling+": mallory")
		}
		c.get("identity fields", c.view(), name+": mallory", name+": mallory")
		c.get("identity fields", c.view(), name+":")
		c.get("identity fields", c.view(), name+": alice,mallory")
		c.get("identity fields", c.view(), "X: y\r\n "+name+": mallory")
		c.get("identity fields", c.view(), "X: y\r"+name+": mallory")
		c.get("identity fields", c.view(), "X: y\n"+name+": mallory")
		c.get("identity fields", c.view(), "X: y\n\n"+name+": mallory")
		c.get("identity fields", c.view(), name+":\r\n mallory")
	}
	for _, field := range []string{
		"Authorization: Bearer mallory", "authorization: Bearer mallory", "Authorization: Basic bWFsbG9yeTp4", "Authorization : Bearer mallory", "Authorization\t: Bearer mallory", " Authorization: Bearer mallory", "X-Authorization: Bearer mallory",
		"Proxy-Authorization: Bearer mallory", "AUTHORIZATION: Bearer mallory", "Authorization_: Bearer mallory", "Cookie: token=mallory", "Authorization:Bearer mallory", "Authorization: Bearer alice, Bearer mallory",
		"Authorization: Bearer alice\r\n mallory", "HTTP_AUTHORIZATION: Bearer mallory", "Authorization.: Bearer mallory",
	} {
		c.get("second credentials", c.view(), field)
	}
	for _, name := range []string{"X-Confirmed", "X-Location"} {
		for _, spelling := range spellings(name) {
			c.get("fields of the question", c.target("/<p>/<id>/notes"), spelling+": true")
			c.get("fields of the question", c.view(), spelling+": true", name+": true")
		}
		for _, value := range []string{"", " ", "true,false", "true\x00", "\"true\"", "true\r\n true", "\r\n true", "true ", "\ttrue", "tr\xfce", "TRUE", "1"} {
			c.get("values of the question", c.view(), name+": "+value)
			c.get("values of the question", c.target("/<p>/<id>/notes"), name+": "+value)
		}
	}
}

func (c *corpus) overrides() {
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Forwarded-Method"} {
		for _, spelling := range spellings(name) {
			c.get("method overrides", c.view(), spelling+": GET")
		}
	}
	for _, name := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri"} {
		for _, spelling := range spellings(name) {
			c.get("path overrides", c.view(), spelling+": "+c.target("/<s>/<id>"))
			c.get("path overrides on public paths", c.target("/<s>/<id>"), spelling+": "+c.view())
		}
	}
	for _, name := range []string{
		"X-Original-URI", "X-Original-Method", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Forwarded-URL", "X-Envoy-Original-Path", "X-Replaced-Path", "X-Accel-Redirect", "X-Sendfile", "X-Proxy-URL", "Proxy", "Destination", "Base-URL", "Request-URI", "X-URL",
		"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-User", "X-Remote-User", "X-Real-IP", "Forwarded", "X-Scheme", "X-Middleware-Subrequest", "X-HTTP-Path-Override", "X-Request-ID", "Remote-User", "REMOTE_USER", "PATH_INFO", "SCRIPT_NAME", "REQUEST_URI",
		"SCRIPT_FILENAME", "HTTP_X_FORWARDED_URI", "CONTENT_LENGTH", "CONTENT_TYPE",
	} {
		c.get("other overrides", c.view(), name+": "+c.target("/<s>/<id>"))
		c.get("other overrides", c.target("/<s>/<id>"), name+": "+c.view())
		c.get("other overrides", c.view(), name+": mallory", name+": alice")
	}
}

func (c *corpus) connections() {
	for _, option := range []string{
		"X-Wardkeeper-Subject", "X-Wardkeeper-Obligations", "X-Wardkeeper-Token", "x-wardkeeper-subject", "close, X-Wardkeeper-Subject", "keep-alive, X-Wardkeeper-Subject", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Host", "Host",
		"Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "X-Confirmed", "X-Location", "keep-alive,Authorization", ",,X-Confirmed", "X-Confirmed,", "\tX-Confirmed", "close\tX-Confirmed", "\"X-Confirmed\"", "X_Confirmed", "upgrade", "Upgrade, HTTP2-Settings", "TE",
		"close;X-Confirmed", "close X-Confirmed", "", ",", "*", "X-Request-ID", "X-Forwarded-For", "Accept", "Connection",
	} {
		c.get("hop-by-hop fields", c.target("/<p>/<id>"), "Connection: "+option, "X-Confirmed: true")
		c.get("hop-by-hop fields", c.target("/<p>/<id>/notes"), "Connection: keep-alive", "Connection: "+option, "X-Location: north")
		c.get("hop-by-hop fields", c.target("/<p>/<id>"), "Proxy-Connection: "+option, "Keep-Alive: "+option)
	}
	for _, fields := range [][]string{
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"}, {"Connection: Upgrade", "Upgrade: h2c"}, {"Upgrade: h2c"}, {"Connection: upgrade", "Upgrade: H2C"}, {"Connection: Upgrade", "Upgrade: websocket, h2c"},
		{"Connection: Upgrade", "Upgrade: websocket"}, {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 777", "Sec-WebSocket-Key: eA=="}, {"Connection: Upgrade", "Upgrade: TLS/1.0"}, {"Connection: Upgrade", "Upgrade: \x0bh2c"}, {"Upgrade: h2"},
		{"Expect: 100-continue"}, {"Expect: 200-ok"}, {"Expect: 100-continue, 100-continue"}, {"Expect:"}, {"expect: 100-Continue"}, {"Range: bytes=0-0"}, {"Range: bytes=0-,0-,0-,0-"}, {"Range: bytes=9-1"}, {"If-Range: x", "Range: bytes=0-1"}, {"TE: trailers"},
		{"TE: chunked"}, {"Trailer: X-Confirmed"}, {"Trailer: X-Wardkeeper-Subject"}, {"trailer:"}, {"Max-Forwards: 0"}, {"Accept-Encoding: gzip;q=1, *;q=0"}, {"Content-Encoding: gzip"}, {"Via: 1.1 x"}, {"Content-Length: 0"}, {"If-None-Match: *"}, {"If-Match: *"},
	} {
		c.get("upgrades and expectations", c.view(), fields...)
		c.get("upgrades and expectations on public paths", c.target("/<s>/<id>"), fields...)
	}
}

func (c *corpus) fields() {
	for _, field := range []string{
		": empty", "no colon", "Sp ace: x", "Tab\tname: x", "Quote\": x", "Br(acket): x", "Sla/sh: x", "Ctl\x01: x", "Nul\x00: x", "High\xff: x", "Del\x7f: x", "At@: x", "Comma,: x", "Semi;: x", "=: x", "X: a\x00b", "X: a\x01b", "X: a\x7fb", "X: a\xffb", "X: a\x0bb", "X: a\x0cb", "X: a\x1bb",
		"X: a\rb", "X: a\r\n b", "X: a\r\n\tb", "X: a\r\n \r\n b", "X: a\r\n  ", "\r", " ", "\t", "X:\r\n", "X", "GET /public HTTP/1.1", "HTTP/1.1 200 OK", "X: a\n", "X: a\n\r", "X : a", "X  : a", "\x00", "\xef\xbb\xbfX: a", "X: \xef\xbb\xbfa",
	} {
		c.get("malformed fields", c.view(), field)
		c.get("malformed fields on public paths", c.target("/<s>/<id>"), "A: b", field, "C: d")
	}
	c.get("many fields", c.view(), strings.TrimSuffix(repeat("X-A: b\r\n", 200), "\r\n"))
	c.get("many fields", c.view(), strings.TrimSuffix(repeat("X-A: b\r\n", 2000), "\r\n"))
	c.get("many fields", c.view(), strings.TrimSuffix(repeat("Cookie: a=b\r\n", 100), "\r\n"))
}

func (c *corpus) methods() {
	for _, method := range []string{"get", "Get", "gET", "head", "put", "delete", "patch", "post"} {
		c.add("spellings of methods", c.head(method, c.view(), "Content-Length: 0")+"\r\n"+c.last(), false, false)
		c.add("spellings of methods", c.head(method, c.target("/<s>/<id>"), "Content-Length: 0")+"\r\n"+c.last(), false, false)
	}
	for _, method := range []string{
		"PUT", "DELETE", "PATCH", "POST", "OPTIONS", "TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "PURGE", "BAN", "LINK", "SEARCH", "REPORT", "PRI", "QUERY", "INVALID", "X", "GETX", "XGET", "GET-", "-GET", "GET.", "G.ET", "_GET",
		"GET1", "1GET", "GET\x00", "\x00GET", "GET\x01", " GET", "  GET", "\tGET", "GET ", "GET\t", "GET\x0b", "\r\nGET", "\r\n\r\nGET", "\nGET", "\rGET", "G\u00cbT", "GET,POST", "GET;", "GET/", "GET:", "\"GET\"", "(GET)", "{GET}", "@GET", "*", "!", "M-SEARCH", repeat("A", 32), repeat("A", 33), repeat("A", 5000),
	} {
		c.add("methods", c.head(method, c.view(), "Content-Length: 0")+"\r\n"+c.last(), false, false)
		c.add("methods on public paths", c.head(method, c.target("/<s>/<id>"), "Content-Length: 0")+"\r\n"+c.last(), false, false)
	}
}

func (c *corpus) versions() {
	for _, version := range []string{
		"HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/1.10", "HTTP/1.01", "HTTP/01.1", "HTTP/2", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/11", "HTTP/1.1x", "HTTP/1.1 x", "HTTP/1,1", "http/1.1", "Http/1.1", "HTTP /1.1", "HTTP/ 1.1", "HTTP/-1.1", "HTTP/+1.1",
		"HTTP/1.1\x00", "HTTP/1.1\t", "HTTP/1.1 ", "HTTP\\1.1", "HTCPCP/1.0", "RTSP/1.0", "ICY/1.1", "S-HTTP/1.1", "HTTP/1.1\r", "HTTP/\xef\xbc\x91.1", "",
	} {
		rest := "\r\nHost: " + c.site.Host + "\r\n" + c.site.Credentials + "\r\n\r\n"
		c.add("versions", "GET "+c.view()+" "+version+rest+c.last(), true, false)
		c.add("versions on public paths", "GET "+c.target("/<s>/<id>")+" "+version+rest+c.last(), true, false)
	}
	for _, raw := range []string{
		"GET /<p>/<id>\r\n", "GET /<s>/<id>\r\n", "GET /<p>/<id>\n", "/<p>/<id>\r\n", "GET  /<p>/<id>  HTTP/1.1\r\nHost: <host>\r\n\r\n", "GET\t/<p>/<id>\tHTTP/1.1\r\nHost: <host>\r\n\r\n", "GET\x0b/<p>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n", "GET/<p>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n",
		"GET /<p>/<id>HTTP/1.1\r\nHost: <host>\r\n\r\n", "GET /<p>/<id> HTTP/1.1\nHost: <host>\n\n", "GET /<p>/<id> HTTP/1.1\rHost: <host>\r\r", "GET /<s>/<id> HTTP/1.1\nHost: <host>\n\n", "GET /<s>/<id> HTTP/1.1\r\nHost: <host>\n\r\n", "GET /<s>/<id> HTTP/1.1\r\nHost: <host>\r\n\n",
		"\r\n\r\n\r\nGET /<p>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n", "\n\nGET /<s>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n", "\x00GET /<s>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n", "\xef\xbb\xbfGET /<s>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /<p>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n", "\x16\x03\x01\x00\x05hello", "GET /<s>/<id> HTTP/1.1 GET /<p>/<id> HTTP/1.1\r\nHost: <host>\r\n\r\n",
	} {
		c.add("request lines", c.target(raw)+c.last(), true, false)
	}
}
