package routes

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// hostileFile draws from everything: it has a route for every path, and one for each source.
const hostileFile = `version: 1
subject: {jwt: {keys: 'https://i/k', issuer: i, audience: a, algorithms: [ES256]}}
routes:
- {path: /query, methods: [GET], action: a, resource: {id: {query: user_id}}, location: {query: location, optional: true}}
- {path: /header, methods: [GET], action: a, resource: {id: {header: X-User-Id}}, confirmed: {header: X-Confirmed, optional: true}}
- {path: /body, methods: [POST], action: a, resource: {id: {body: /id}}, properties: {role: {body: /a/0/role, optional: true}}}
- {path: '/segment/{id}', methods: [GET], action: a, resource: {id: {path: id}}}
- {path: '/{rest...}', methods: [GET, POST], action: a, resource: {id: x}, properties: {rest: {path: rest, optional: true}}}
`

func hostile(t testing.TB) *Table {
	t.Helper()
	table, err := Parse([]byte(hostileFile))
	require.NoError(t, err)
	return table.WithVerifier(claimsVerifier{"sub": "alice"})
}

// refusedTargets are ambiguous targets, by topic.
var refusedTargets = map[string][]string{
	"no origin form": {
		"", "users", "*", "?", "?a=b", "http://admin.example.org/users", "https://admin.example.org", "HTTP://x/", "//admin.example.org/users", "//",
		"///", "admin.example.org:443", "admin.example.org", "@admin.example.org/users", ":80/users", ".", "..", "./users", "../users",
		"\\users", "\\\\host\\users", "file:///etc/passwd", "javascript:alert(1)", "/http://x/y",
	},
	"encoded slash": {
		"/a%2fb", "/a%2Fb", "/%2f", "/%2F%2f", "/a/..%2fb", "/a/..%2Fb", "/a%2f..%2fb", "/a%2f%2e%2e%2fb", "/static/..%2f..%2fadmin", "/a%2f", "/%2fa",
		"/static%2f../admin",
	},
	"backslash": {
		"/a\\b", "/a\\..\\b", "/a/..\\b", "/a%5cb", "/a%5Cb", "/a/..%5cb", "/a%5c..%5cb", "/\\a", "/\\/a", "/%5c%5ca", "/a\\", "/a%5c",
	},
	"double encoding": {
		"/%252e%252e/a", "/a%252fb", "/a%252Fb", "/a%255cb", "/%25", "/%2525", "/a%2500", "/a%253b", "/a%25u002f", "/100%25", "/%25%32%65",
		"/%%32%65", "/%25%35%63", "/%%35c",
	},
	"dot segments": {
		"/.", "/..", "/./", "/../", "/./a", "/../a", "/a/.", "/a/..", "/a/./b", "/a/../b", "/a/b/../../c", "/static/../admin", "/static/./../admin",
		"/%2e", "/%2E", "/%2e%2e", "/%2E%2E", "/.%2e", "/%2e.", "/a/%2e/b", "/a/%2e%2e/b", "/a/.%2e/b", "/a/%2E./b", "/static/%2e%2e/admin",
		"/a/../../../../etc/passwd", "/.?a", "/..?a=b", "/a/..?b",
	},
	"trailing dots and spaces": {
		"/a.", "/a..", "/a...", "/...", "/a./b", "/a.../b", "/a%20", "/a%20/b", "/a%20.", "/a.%20", "/%20", "/%20/a", "/.%20/a", "/..%20/a", "/a%2e",
		"/web.config.", "/admin%20", "/admin%20/users", "/admin./users", "/a%20%20", "/a.?x",
	},
	"empty segments": {
		"/a//b", "/a///b", "/a//", "/a/b//", "//a", "/a//../b", "/static//admin", "/a//?x",
	},
	"path parameters": {
		"/a;b", "/a;b=c", "/a;b/c", "/;/a", "/a;/b", "/..;/a", "/a/..;/b", "/static/..;/admin", "/a/.;/b", "/a%3bb", "/a%3Bb", "/a%3b/../b", "/..%3b/a",
		"/users/jane;jsessionid=1", "/users/jane;.css", "/users;x/jane", "/a;", "/a%3b",
	},
	"query and fragment in the path": {
		"/a%3fb", "/a%3Fb", "/a%3f/../b", "/a%23b", "/a#b", "/a#", "/#", "/a?b#c", "/a?#", "/a%23", "/static/%3f/../../admin", "/static/%23/../../admin", "/a%3f.css",
	},
	"control characters": {
		"/a\x00b", "/a%00b", "/a%00", "/%00", "/a%00.css", "/users/jane%00.css", "/a\tb", "/a%09b", "/a\nb", "/a%0ab", "/a%0Ab", "/a\rb", "/a%0db", "/a%0d%0ab",
		"/a%0d%0aX-User:%20b", "/a\x0bb", "/a%0bb", "/a\x0cb", "/a%0c", "/a%1fb", "/a\x7fb", "/a%7fb", "/a%7Fb", "/a%C2%80b", "/a%c2%85b", "/a%C2%9Fb", "/a\x1b[31m",
		"/a b", "/ a", "/a ", " /a", "/a?b c", "/a?b\x00", "/a?b\n", "/a?b\x7f", "/a%08", "/a%01",
		"/a%E2%80%A8b", "/a%e2%80%a9b",
	},
	"bad percent signs": {
		"/%", "/a%", "/a%2", "/a%g0", "/a%0g", "/a%zz", "/a%%", "/a%%20", "/a% 20", "/a%u002f", "/a%u2215b", "/%u002e%u002e/a", "/a%-1", "/a%+1", "/a%2/b", "/a%x41", "/%2",
		"/%c", "/a/%", "/a%\u00e9",
	},
	"overlong and invalid UTF-8": {
		"/a%c0%afb", "/a%C0%AFb", "/a%c0%ae%c0%ae/b", "/%c0%ae", "/a%e0%80%afb", "/a%e0%80%ae", "/a%f0%80%80%afb", "/a%f8%80%80%80%af", "/a%fc%80%80%80%80%af", "/a%c1%9cb",
		"/a%c1%1c", "/a%c0%80", "/a%ff", "/a%fe", "/a%80", "/a%bf", "/a%c3", "/a%c3%28", "/a%e2%82", "/a%ed%a0%80", "/a%ed%bf%bf", "/a%f4%90%80%80", "/a%f5%80%80%80",
		"/a%c0%5c", "/a%e9",
	},
	"characters outside ASCII": {
		"/\u00e9", "/a\xffb", "/a\xc0\xafb", "/\u2215", "/a?\u00e9", "/a?b=\xff", "/\uff0f", "/\ufeff",
	},
	"lookalikes": {
		"/a%EF%BC%8Fb", "/a%ef%bc%8f..%ef%bc%8fb", "/%EF%BC%8E%EF%BC%8E/a", "/%E2%80%A4%E2%80%A4/a", "/a%E2%80%A5/b", "/a%E2%80%A6b", "/a%EF%BC%BCb", "/a%EF%B9%A8b", "/a%EF%BC%85%32%66",
		"/a%EF%BC%9Bb", "/a%CD%BEb", "/a%EF%BC%9Fb", "/a%EF%BC%83b", "/a%EF%B9%92b", "/a%E2%84%80b", "/a%E2%84%85b", "/a%EF%B9%AAb", "/a%EF%B8%B0b",
	},
	"characters that must be encoded": {
		"/a\"b", "/a<b", "/a>b", "/a^b", "/a`b", "/a{b}", "/a|b", "/a[b]", "/{id}", "/a}b", "/[::1]/a",
	},
	"method override in the query": {
		"/a?_method=DELETE", "/a?_METHOD=DELETE", "/a?x=1&_method=PUT", "/a?%5fmethod=PUT", "/a?%5Fmethod=PUT", "/a?_method", "/a?_method[]=PUT", "/a?_method%5B%5D=PUT", "/a?.method=PUT",
		"/a?+_method=PUT", "/a?%20_method=PUT", "/a?x;_method=PUT", "/a?_method=", "/a?&&_method=PUT", "/a?_m%65thod=PUT", "/a?[_method]=PUT", "/a?[method=PUT", "/a?%5Bmethod=PUT", "/a?_method%00=PUT",
	},
	"length": {
		"/" + strings.Repeat("a", maxTarget), "/a?" + strings.Repeat("b", maxTarget), "/" + strings.Repeat("%41", maxTarget/3+1),
	},
}

// acceptedTargets maps targets with one meaning to their canonical paths.
var acceptedTargets = map[string]string{
	"/": "/", "/a": "/a", "/a/": "/a/", "/a/b": "/a/b", "/A": "/A", "/a?": "/a", "/a?b": "/a", "/a??b": "/a", "/a?b/../c": "/a", "/a?//": "/a", "/a?%zz": "/a", "/a?;": "/a",
	"/%61": "/a", "/%41": "/A", "/%7euser": "/~user", "/%7Euser": "/~user", "/a%2db": "/a-b", "/a%2Db": "/a-b", "/a%5fb": "/a_b", "/a%2eb": "/a.b", "/.well-known/x": "/.well-known/x",
	"/%2ewell-known": "/.well-known", "/..a": "/..a", "/.a": "/.a", "/a..b": "/a..b", "/a%2e%2eb": "/a..b", "/a%20b": "/a%20b", "/%20a": "/%20a",
	"/caf%C3%A9": "/caf%C3%A9", "/caf%c3%a9": "/caf%C3%A9", "/cafe%CC%81": "/cafe%CC%81", "/%E6%BC%A2": "/%E6%BC%A2", "/%F0%9F%98%80": "/%F0%9F%98%80", "/%ef%bf%bd": "/%EF%BF%BD",
	"/a:b@c": "/a:b@c", "/a%3ab%40c": "/a:b@c", "/a%2bb": "/a+b", "/a+b": "/a+b", "/a!$&'()*,=b": "/a!$&'()*,=b", "/a%21%24%26%27%28%29%2a%2c%3d": "/a!$&'()*,=", "/a%22b": "/a%22b",
	"/a%3c%3E%5b%5D%5e%60%7b%7C%7d": "/a%3C%3E%5B%5D%5E%60%7B%7C%7D", "/a?_methods=1": "/a", "/a?x_method=1": "/a", "/a?method=1": "/a", "/a?_method_=1": "/a", "/a?x=_method": "/a",
	"/" + strings.Repeat("a", maxTarget-1): "/" + strings.Repeat("a", maxTarget-1),
}

func TestHostileTargetsAreRefused(t *testing.T) {
	table, count := hostile(t), 0
	for about, targets := range refusedTargets {
		for _, target := range targets {
			count++
			got, err := table.Resolve(t.Context(), asking("GET", target))
			if assert.Error(t, err, "%s: %q became %q", about, target, got.Path) {
				requireError(t, BadRequest, err)
				assert.Equal(t, NoRoute, got.Outcome)
			}
		}
	}
	require.Greater(t, count, 280)
	for target, path := range acceptedTargets {
		got, err := table.Resolve(t.Context(), asking("GET", target))
		require.NoError(t, err, target)
		require.Equal(t, path, got.Path, target)
		require.Equal(t, Question, got.Outcome)
	}
}

// TestLookalikesAreThoseOfCompatibilityNormalization compares the list in the code with Unicode's tables.
func TestLookalikesAreThoseOfCompatibilityNormalization(t *testing.T) {
	for r := rune(0x80); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		require.Equal(t, strings.ContainsAny(norm.NFKC.String(string(r)), `/\.%;?#`), isLookalike(r), "%U", r)
	}
}

func TestHostileQueriesAreRefused(t *testing.T) {
	table := hostile(t)
	for _, query := range []string{
		"", "user_id", "user_id=", "location=x", "User_id=x", "USER_ID=x", "user.id=x", "user%20id=x", "user+id=x", "user[id=x", "user_id[]=x", "user_id[a]=x", "user_id%5B%5D=x",
		"user_id=a&user_id=b", "user_id=a&user_id=a", "user_id=a&User_Id=b", "user_id=a&user.id=b", "user_id=a&user%2Eid=b", "user_id=a&user%20id=b", "user_id=a&user+id=b",
		"user_id=a&user[id=b", "user_id=a&user_id[]=b", "user_id=a&user_id[0]=b", "user_id=a&user_id%5b0%5d=b", "user_id=a&user%5Fid=b", "user_id=a&%75ser_id=b", "user_id=a&user_id",
		"user_id=a&user_id=", "user_id=a&+user_id=b", "user_id=a&%20user_id=b", "user_id=a&user_id%20=b", "user_id=a&[user_id]=b", "user_id=a&[[user_id]=b", "user_id=a&%20[user_id]=b", "user_id=a&user_id]=b", "user_id=a&&user_id=b",
		"user_id=a;user_id=b", "user_id=a;", ";user_id=a", "x=1;y=2&user_id=a", "user_id=a&x=%zz", "user_id=a%", "user_id=%", "user_id=a&%", "user_id=a&x=%0", "user_id=%u0061",
		"user_id=a%00", "user_id=a&x=%00", "user_id%00=a", "user_id=%0a", "user_id=a&x=%0d%0a", "user_id=%7f", "user_id=%c2%85", "user_id=%c0%af", "user_id=%ff", "user_id=a&x=%ed%a0%80",
		"user_id=a+b", "user_id=a&location=x+y", "user_id=a&location=", "user_id=a&location", "user_id=a&LOCATION=x", "user_id=a&location[]=x", "user_id=a&location[0][id]=x", "user_id=a&locatİon=x",
		"user_id=a&location=x&Location=y", "user_id=" + strings.Repeat("a", 1025), "u\u017fer_id=a", "user_id=a&u%C5%BFer_id=b", "user_id=a&%E2%84%AAx=1&location%5B=1",
	} {
		_, err := table.Resolve(t.Context(), asking("GET", "/query?"+query))
		if assert.Error(t, err, query) {
			requireError(t, BadRequest, err)
		}
	}
	for query, want := range map[string][2]string{
		"user_id=a": {"a"}, "user_id=a&location=x": {"a", "x"}, "location=x&user_id=a": {"a", "x"}, "user%5fid=%61": {"a"}, "user_id=a&x=1&x=2&": {"a"}, "&user_id=a": {"a"},
		"user_id=a%20b": {"a b"}, "user_id=a%2Bb": {"a+b"}, "user_id=a=b": {"a=b"}, "user_id=a%26b%3Bc": {"a&b;c"}, "user_id=%C3%A9": {"é"}, "user_id=a&x=b+c": {"a"}, "user_id=a?b": {"a?b"},
		"user_id=a&locations=x": {"a"}, "user_id=a&my_location=x": {"a"}, "user_id=a&x[location]=y": {"a"}, "user_id=a&user__id=b": {"a"}, "user_id=a&userid=b": {"a"}, "user_id=a/../b": {"a/../b"},
		"user_id=%2561": {"%61"}, "user_id=" + strings.Repeat("a", 1024): {strings.Repeat("a", 1024)},
	} {
		got, err := table.Resolve(t.Context(), asking("GET", "/query?"+query))
		require.NoError(t, err, query)
		require.Equal(t, want[0], got.Evaluation.Resource.ID, query)
		location, _ := got.Evaluation.Resource.Properties["location"].(string)
		require.Equal(t, want[1], location, query)
	}
}

// TestFormsBesideDrawnParametersAreRefused checks bodies that a framework could merge with the query.
func TestFormsBesideDrawnParametersAreRefused(t *testing.T) {
	table, err := Parse([]byte(jwtFile + "routes:\n- {path: /a, methods: [GET, POST], action: a, resource: {id: {query: user_id}}, properties: {x: {body: /x, optional: true}}}\n" +
		"- {path: /b, methods: [GET, POST], action: a, resource: {id: {query: user_id}}}\n- {path: /c, methods: [POST], action: a, resource: {id: x}}\n"))
	require.NoError(t, err)
	require.Len(t, table.Warnings(), 1)
	require.Equal(t, 5, table.Warnings()[0].Line)
	table = table.WithVerifier(claimsVerifier{"sub": "alice"})
	resolve := func(method, target, contentType, body string) error {
		r := asking(method, target)
		r.Header["Content-Type"] = []string{contentType}
		r.ReadBody = func(int) ([]byte, error) { return []byte(body), nil }
		_, err := table.Resolve(t.Context(), r)
		return err
	}
	for _, method := range []string{"GET", "HEAD", "POST"} {
		for _, contentType := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8", " multipart/form-data; boundary=x", "multipart/mixed"} {
			requireError(t, BadRequest, resolve(method, "/a?user_id=x", contentType, ""))
			requireError(t, BadRequest, resolve(method, "/b?user_id=x", contentType, ""))
			require.NoError(t, resolve("POST", "/c?user_id=x", contentType, ""))
		}
	}
	for _, body := range []string{`{"user_id":"b"}`, `{"USER_ID":"b"}`, `{"user.id":"b"}`, `{"user_id[]":"b"}`, `{"x":1,"user id":null}`} {
		requireError(t, BadRequest, resolve("POST", "/a?user_id=x", "application/json", body))
	}
	require.NoError(t, resolve("POST", "/a?user_id=x", "application/json", `{"x":{"user_id":"b"}}`))
	require.NoError(t, resolve("GET", "/a?user_id=x", "", ""))
}

func TestReservedHeaders(t *testing.T) {
	for _, name := range []string{"X-Wardkeeper-Subject", "x-wardkeeper-subject", "X_WARDKEEPER_SUBJECT", "x.wardkeeper obligations", "X-Wardkeeper-"} {
		assert.True(t, IsReserved(name), name)
	}
	for _, name := range []string{"", "X-Wardkeeper", "Wardkeeper-Subject", "XX-Wardkeeper-Subject", "X-Request-Id"} {
		assert.False(t, IsReserved(name), name)
	}
}

func TestHostileHeadersAreRefused(t *testing.T) {
	table := hostile(t)
	resolve := func(path string, header http.Header) (Resolution, error) {
		r := asking("GET", path)
		for name, values := range header {
			r.Header[name] = values
		}
		return table.Resolve(t.Context(), r)
	}
	one := func(name, value string) http.Header { return http.Header{"X-User-Id": {"a"}, name: {value}} }
	for _, header := range []http.Header{
		one("X-Http-Method-Override", "DELETE"), one("x-http-method-override", "GET"), one("X_HTTP_METHOD_OVERRIDE", "x"), one("X-Http_Method-Override", "x"), one("X.HTTP.Method.Override", "x"),
		one("X-Http-Method", "DELETE"), one("X-HTTP-Method", ""), one("x_http_method", "x"), one("X-Method-Override", "x"), one("X_Method_Override", "x"), one("X-Original-Url", "/x"),
		one("X-Original-URL", "/x"), one("X_Original_URL", "/x"), one("x-original_url", "/x"), one("X-Rewrite-Url", "/x"), one("X_REWRITE_URL", "/x"), one("x-rewrite-url", ""), one("X Rewrite URL", "/x"),
		one("Connection", "X-User-Id"), one("Connection", "close, X-User-Id"), one("connection", "x-confirmed"), one("Connection", "keep-alive,Authorization"), one("Connection", "cookie"),
		one("Connection", "HTTP2-Settings"), one("Upgrade", "h2c"), one("Upgrade", "H2C"), one("upgrade", "websocket, h2c"),
		one("Trailer", "X-Confirmed"), one("trailer", ""),
		one("Content_Length", "5"), one("TRANSFER_ENCODING", "chunked"), one("Transfer.Encoding", "x"), one("Proxy_Authorization", "x"), one("X_Remote_User", "admin"), one("Remote.User", "admin"), one("x-forwarded_user", "admin"), one("X-Wardkeeper-Subject", "admin"), one("x-wardkeeper-anything", ""), one("X_Wardkeeper_Subject", "x"), one("X.Wardkeeper-Obligations", "[]"), one("X!Wardkeeper Subject", "x"),
	} {
		for _, path := range []string{"/header", "/a"} {
			_, err := resolve(path, header)
			if assert.Error(t, err, header) {
				requireError(t, BadRequest, err)
			}
		}
	}
	for _, header := range []http.Header{
		{}, {"X-User-Id": {""}}, {"X-User-Id": {"a", "b"}}, {"X-User-Id": {"a", "a"}}, {"X-User-Id": {"a", ""}}, {"X-User-Id": {"a"}, "x-user-id": {"b"}}, {"X-User-Id": {"a"}, "X_User_Id": {"b"}},
		{"X-User-Id": {"a"}, "X-User_Id": {"a"}}, {"X-User-Id": {"a"}, "X.User.Id": {"b"}}, {"X-User-Id": {"a"}, "X User Id": {"b"}}, {"X-User-Id": {"a"}, "x_user-id": {""}}, {"X_User_Id": {"a"}},
		{"X-User-Id": {"a,b"}}, {"X-User-Id": {"a, b"}}, {"X-User-Id": {","}}, {"X-User-Id": {" a"}}, {"X-User-Id": {"a "}}, {"X-User-Id": {" "}}, {"X-User-Id": {"a\tb"}}, {"X-User-Id": {"a\x00"}},
		{"X-User-Id": {"a\r\nX: b"}}, {"X-User-Id": {"\u00e9"}}, {"X-User-Id": {"\xe9"}}, {"X-User-Id": {"a\x7f"}}, {"X-User-Id": {strings.Repeat("a", 1025)}},
		one("X-Confirmed", "yes"), one("X-Confirmed", "1"), one("X-Confirmed", "TRUE"), one("X-Confirmed", ""), one("X_Confirmed", "true"), one("X-Confirmed", "true,true"), one("X-Confirmed", "true "),
		one("X-Confirmed", "null"),
	} {
		_, err := resolve("/header", header)
		if assert.Error(t, err, header) {
			requireError(t, BadRequest, err)
		}
	}
	for _, header := range []http.Header{
		one("X-Confirmed", "true"), one("x-confirmed", "true"), {"x-user-id": {"a"}, "X-CONFIRMED": {"true"}}, {"X-User-Id": {"a"}, "X-Confirmed": {"true"}, "X-Confirmed-By": {"b"}, "Xx-User-Id": {"c"}},
		{"X-User-Id": {"a"}, "X-Confirmed": {"true"}, "Connection": {"close"}}, {"X-User-Id": {"a"}, "X-Confirmed": {"true"}, "Connection": {"Upgrade, keep-alive"}, "Upgrade": {"websocket"}},
		{"X-User-Id": {"a"}, "X-Confirmed": {"true"}, "X-Empty": {}},
	} {
		got, err := resolve("/header", header)
		require.NoError(t, err, header)
		require.Equal(t, "a", got.Evaluation.Resource.ID)
		require.Equal(t, true, got.Evaluation.Context["confirmed"])
	}
}

func TestHostileMethodsAreRefused(t *testing.T) {
	table := hostile(t)
	for _, method := range []string{
		"", "get", "Get", "gET", "TRACE", "CONNECT", "trace", "GET ", " GET", "GET\t", "GET\r\n", "GET /", "G\x00T", "GÉT", "GET,POST", "GET:", "G(T)", "[GET]", "GET/1.1", strings.Repeat("G", maxMethod+1), "TRACé",
	} {
		_, err := table.Resolve(t.Context(), asking(method, "/a"))
		if assert.Error(t, err, method) {
			requireError(t, BadRequest, err)
		}
	}
	for method, outcome := range map[string]Outcome{"GET": Question, "HEAD": Question, "POST": Question, "OPTIONS": NoRoute, "PURGE": NoRoute, "M-SEARCH": NoRoute, "VERSION-CONTROL": NoRoute} {
		got, err := table.Resolve(t.Context(), asking(method, "/a"))
		require.NoError(t, err, method)
		require.Equal(t, outcome, got.Outcome, method)
	}
}

func TestHostileHostsAreRefused(t *testing.T) {
	table, err := Parse([]byte("version: 1\nroutes:\n- {path: /, host: admin.example.org, methods: [GET], public: true}\n- {path: /v6, host: '[::1]', methods: [GET], public: true}\n"))
	require.NoError(t, err)
	for _, hosts := range [][]string{
		nil, {}, {""}, {"a", "b"}, {"a", "a"}, {"admin.example.org", "admin.example.org"}, {"admin.example.org."}, {"admin.example.org.:80"}, {"a@admin.example.org"}, {"user:pw@admin.example.org"},
		{"admin.example.org@a"}, {"admin.example.org:"}, {"admin.example.org:x"}, {"admin.example.org:80:80"}, {"admin.example.org:-1"}, {"admin.example.org:+80"}, {"admin.example.org:080000"}, {":80"}, {":"},
		{"."}, {".."}, {".admin.example.org"}, {"admin..example.org"}, {"admin.example.org/"}, {"admin.example.org/x"}, {"http://admin.example.org"}, {"//admin.example.org"}, {"admin.example.org?x"},
		{"admin.example.org#x"}, {"admin.example.org\\x"}, {" admin.example.org"}, {"admin.example.org "}, {"admin.example.org\t"}, {"admin.example.org\x00"}, {"admin.example.org\r\nX: y"},
		{"admin%2eexample.org"}, {"admin.example.org%00"}, {"admin.example.org,a"}, {"admin.example.org, a"}, {"admin.example.org;a"}, {"admın.example.org"}, {"admin\u3002example.org"}, {"admin.example.org\uff0e"}, {"*"},
		{"*.example.org"}, {"[::1"}, {"::1"}, {"[::1]x"}, {"[::1]:"}, {"[::1]:x"}, {"[::1%25eth0]"}, {"[::1%eth0]"}, {"[10.0.0.1]"}, {"[]"}, {"[admin.example.org]"}, {"(admin)"}, {"admin.example.org'"}, {"\"admin\""},
		{strings.Repeat("a", 300)},
	} {
		r := asking("GET", "/")
		r.Host = hosts
		_, err := table.Resolve(t.Context(), r)
		if assert.Error(t, err, hosts) {
			requireError(t, BadRequest, err)
		}
	}
	for host, outcome := range map[string]Outcome{
		"admin.example.org": Public, "ADMIN.example.ORG": Public, "admin.example.org:80": Public, "Admin.Example.Org:65535": Public, "a": NoRoute, "admin.example.org.evil.example": NoRoute,
		"evil-admin.example.org": NoRoute, "admin_example_org": NoRoute, "10.0.0.1": NoRoute, "10.0.0.1:80": NoRoute, "[::1]": NoRoute, "xn--admn-epa.example.org": NoRoute,
	} {
		r := asking("GET", "/")
		r.Host = []string{host}
		got, err := table.Resolve(t.Context(), r)
		require.NoError(t, err, host)
		require.Equal(t, outcome, got.Outcome, host)
	}
	r := asking("GET", "/v6")
	r.Host = []string{"[::1]:8080"}
	got, err := table.Resolve(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, Public, got.Outcome)
}

func TestHostileBodiesAreRefused(t *testing.T) {
	table := hostile(t)
	resolve := func(body string, header http.Header) (Resolution, error) {
		r := asking("POST", "/body")
		for name, values := range header {
			r.Header[name] = values
		}
		r.ReadBody = func(int) ([]byte, error) { return []byte(body), nil }
		return table.Resolve(t.Context(), r)
	}
	isJSON := http.Header{"Content-Type": {"application/json"}}
	for _, body := range []string{
		``, ` `, `x`, `[]`, `"id"`, `null`, `{}`, `{"id":null}`, `{"id":""}`, `{"id":true}`, `{"id":[]}`, `{"id":["a"]}`, `{"id":{}}`, `{"id":"a","id":"b"}`, `{"id":"a","\u0069d":"b"}`, `{"id":"a","ID":"b"}`,
		`{"Id":"a"}`, `{"ID":"a"}`, `{"id":"a","Id":null}`, `{"id":"a","\u0131d":"x","iD":1}`, `{"id":"a"}{"id":"b"}`, `{"id":"a"}x`, `{"id":"a",}`, `{'id':'a'}`, `{id:"a"}`, `{"id":"a"/**/}`, `{"id":"a"`,
		`{"id":"\ud800"}`, "{\"id\":\"\xff\"}", "\xef\xbb\xbf{\"id\":\"a\"}", `{"id":"a\u0000"}`, `{"id":"a\nb"}`, `{"id":"\u0085"}`, `{"id":1.5}`, `{"id":1.0}`, `{"id":1e2}`, `{"id":-0}`, `{"id":01}`,
		`{"id":9007199254740993}`, `{"id":1e999}`, `{"id":NaN}`, `{"id":"` + strings.Repeat("a", 1025) + `"}`, `{"id":"a","x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		`{"id":"a","A":[]}`, `{"id":"a","a":[{"Role":"x"}]}`, `{"id":"a","a":[{"role":"x","ROLE":"y"}]}`, `{"id":"a","a":[{"role":"x","role":"y"}]}`, "id=a", "<id>a</id>",
		`{"id":"a","a":[{"role":9007199254740993}]}`, `{"id":"a","a":[{"role":{"x":[0.1000000000000000055]}}]}`, `{"id":"a"}` + strings.Repeat(" ", MaxBody), "\x1f\x8b\x08\x00", `{"id":"a","x":{"y":1,"y":2}}`, "{\"id\":\"a\"}\x00",
		`{"id":" a"}`, `{"id":"a "}`, `{"id":" "}`, `{"id":"\u00a0a"}`, `{"id":"a\u3000"}`, `{"id":"\u200ba"}`, `{"id":"a\ufeff"}`,
	} {
		_, err := resolve(body, isJSON)
		if assert.Error(t, err, body) {
			requireError(t, BadRequest, err)
		}
	}
	for _, header := range []http.Header{
		{}, {"Content-Type": {""}}, {"Content-Type": {"text/plain"}}, {"Content-Type": {"application/x-www-form-urlencoded"}}, {"Content-Type": {"text/json"}}, {"Content-Type": {"application/json+x"}},
		{"Content-Type": {"application/problem+json"}}, {"Content-Type": {"application/json; charset=utf-16"}}, {"Content-Type": {"application/json; charset=iso-8859-1"}}, {"Content-Type": {"application/json, text/plain"}},
		{"Content-Type": {"application/json", "text/plain"}}, {"Content-Type": {"application/json", "application/json"}}, {"Content-Type": {"application/json"}, "content-type": {"text/plain"}},
		{"Content-Type": {"application/json"}, "Content_Type": {"text/plain"}}, {"Content_Type": {"application/json"}}, {"Content-Type": {"application/json; x=y"}}, {"Content-Type": {"application/json; charset=utf-8; charset=utf-16"}},
		{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, {"Content-Type": {"application/json"}, "content-encoding": {"br"}}, {"Content-Type": {"application/json"}, "Content_Encoding": {"gzip"}},
		{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, {"Content-Type": {"application/json\x00"}}, {"Content-Type": {"application/json;"}, "Content-Encoding": {"x"}}, {"Content-Type": {"*/*"}},
	} {
		_, err := resolve(`{"id":"a"}`, header)
		if assert.Error(t, err, header) {
			requireError(t, BadRequest, err)
		}
	}
	for body, id := range map[string]string{
		`{"id":"a"}`: "a", " {\n\"id\" :\t\"a\"} ": "a", `{"\u0069d":"\u0061"}`: "a", `{"id":7}`: "7", `{"id":-7}`: "-7", `{"id":"07"}`: "07", `{"id":"a","ids":"b","i":"c"}`: "a", `{"id":"a","x":{"ID":"b"}}`: "a",
		`{"id":"é"}`: "é", `{"id":"a","a":{}}`: "a", `{"id":"a","a":[]}`: "a", `{"id":"a","a":[{}]}`: "a", `{"id":"a","a":[{"role":null}]}`: "a", `{"id":"a","a":7}`: "a", `{"id":"a/../b"}`: "a/../b", `{"id":"a b"}`: "a b", `{"id":"a\u200db"}`: "a\u200db",
	} {
		for _, kind := range []string{"application/json", "Application/JSON", "application/json;charset=UTF-8", `application/json; charset="utf-8"`} {
			got, err := resolve(body, http.Header{"Content-Type": {kind}})
			require.NoError(t, err, body)
			require.Equal(t, id, got.Evaluation.Resource.ID, body)
			require.Empty(t, got.Evaluation.Action.Properties)
		}
	}
	got, err := resolve(`{"id":"a","a":[{"role":{"x":[1,0.1,1.50,1e2,-0,0e999999999,9007199254740992,1e20,5e-324]}}]}`, isJSON)
	require.NoError(t, err)
	require.NotEmpty(t, got.Evaluation.Action.Properties["role"])

	withoutBody := asking("POST", "/body")
	_, err = table.Resolve(t.Context(), withoutBody)
	requireError(t, Unavailable, err)
}

// TestPersonIsUnknown checks which requests are refused with 401, and which are refused because they name the person in two
// ways.
func TestPersonIsUnknown(t *testing.T) {
	byCookie, err := Parse([]byte(strings.Replace(hostileFile, "issuer: i,", "issuer: i, cookie: session,", 1)))
	require.NoError(t, err)
	byHeader, err := Parse([]byte("version: 1\nsubject: {header: X-Signed-In}\nroutes: [{path: /a, methods: [GET], action: a, resource: {id: x}}]\n"))
	require.NoError(t, err)
	verifier := claimsVerifier{"sub": "alice"}
	for _, c := range []struct {
		table     *Table
		header    http.Header
		fromProxy bool
		kind      Kind // 0 if the person is alice
	}{
		{hostile(t), http.Header{}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {""}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Basic YTpi"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer "}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer  x"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer x y"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer x,Bearer y"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer x\x00"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearerx"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Cookie": {"session=x"}}, true, Unauthenticated},
		{hostile(t), http.Header{"X-Signed-In": {"alice"}}, true, Unauthenticated},
		{hostile(t), http.Header{"Authorization": {"Bearer x", "Bearer y"}}, true, BadRequest},
		{hostile(t), http.Header{"Authorization": {"Bearer x"}, "authorization": {"Bearer y"}}, true, BadRequest},
		{hostile(t), http.Header{"authorization": {"bearer x"}}, false, 0},
		{byCookie, http.Header{}, true, Unauthenticated},
		{byCookie, http.Header{"Authorization": {"Bearer x"}}, true, Unauthenticated},
		{byCookie, http.Header{"Cookie": {"a=b"}}, true, Unauthenticated},
		{byCookie, http.Header{"Cookie": {"session"}}, true, Unauthenticated},
		{byCookie, http.Header{"Cookie": {"session="}}, true, Unauthenticated},
		{byCookie, http.Header{"Cookie": {`session="x"`}}, true, Unauthenticated},
		{byCookie, http.Header{"Cookie": {"session=x y"}}, true, Unauthenticated},
		{byCookie, http.Header{"Cookie": {"session=x; session=y"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"session=x", "session=y"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"session=x"}, "cookie": {"session=y"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"session=x; Session=y"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"session=x; session[]=y"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"session=x; s%65ssion=y"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"SESSION=x"}}, true, BadRequest},
		{byCookie, http.Header{"Cookie": {"a=b; session=x; c=d"}}, false, 0},
		{byCookie, http.Header{"Cookie": {"a=b", "session=x.y-z_"}}, false, 0},
		{byHeader, http.Header{}, true, Unauthenticated},
		{byHeader, http.Header{"Authorization": {"Bearer x"}}, true, Unauthenticated},
		{byHeader, http.Header{"X-Signed-In": {"alice"}}, false, Unauthenticated},
		{byHeader, http.Header{"X-Signed-In": {"alice", "bob"}}, true, BadRequest},
		{byHeader, http.Header{"X-Signed-In": {"alice"}, "X_Signed_In": {"bob"}}, true, BadRequest},
		{byHeader, http.Header{"X-Signed-In": {"alice"}, "X-Signed_In": {"alice"}}, true, BadRequest},
		{byHeader, http.Header{"X-Signed-In": {"alice, bob"}}, true, BadRequest},
		{byHeader, http.Header{"X-Signed-In": {""}}, true, BadRequest},
		{byHeader, http.Header{"X_Signed_In": {"alice"}}, true, BadRequest},
		{byHeader, http.Header{"X-Signed-In": {strings.Repeat("a", 1025)}}, true, BadRequest},
		{byHeader, http.Header{"X-Signed-In": {"alice"}}, true, 0},
		{byHeader, http.Header{"x-signed-in": {"alice"}}, true, 0},
	} {
		r := Request{Method: "GET", Target: "/a", Host: []string{"a"}, Header: c.header, FromProxy: c.fromProxy}
		got, err := c.table.WithVerifier(verifier).Resolve(t.Context(), r)
		if c.kind == 0 {
			require.NoError(t, err, "%v", c.header)
			require.Equal(t, "alice", got.Evaluation.Subject.ID)
			continue
		}
		if assert.Error(t, err, "%v", c.header) {
			requireError(t, c.kind, err)
			require.NotNil(t, got.Route)
		}
	}
}

// failingVerifier returns an error.
type failingVerifier struct{ err error }

func (v failingVerifier) Verify(context.Context, string) (map[string]any, error) { return nil, v.err }
