package extauthz_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz/envoytest"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const file = `
version: 1
subject: {header: X-Remote-User}
supported_obligations: [notification]
routes:
  - {path: /open, methods: [GET], public: true}
  - {path: /clinic, host: clinic.example.org, methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}, confirmed: {header: X-Confirmed, optional: true}}
  - {path: /roles, methods: [POST], action: role.add, resource: {id: {body: /id}}}
  - {path: "/notes/{id}", methods: [DELETE], action: note.delete, resource: {id: {path: id}}, properties: {why: {body: /why, optional: true}}}
`

// byResource answers by the id of the resource. For "slow" it waits for release.
type byResource struct {
	mu        sync.Mutex
	questions []authzen.Evaluation
	asked     chan struct{} // receives when a slow question arrives
	release   chan struct{}
}

func (d *byResource) Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	d.mu.Lock()
	d.questions = append(d.questions, questions...)
	d.mu.Unlock()
	switch questions[0].Resource.ID {
	case "allow":
		return []authzen.Response{{Decision: true}}, nil
	case "mail":
		return []authzen.Response{{Decision: true, Context: map[string]any{"obligations": []any{map[string]any{"id": "N", "type": "notification"}}}}}, nil
	case "away":
		return nil, errors.New("away")
	case "panic":
		panic("jane")
	case "never":
		<-ctx.Done()
		return nil, ctx.Err()
	case "slow":
		d.asked <- struct{}{}
		<-d.release
		return []authzen.Response{{Decision: true}}, nil
	}
	return []authzen.Response{{Context: map[string]any{"reasons": []any{map[string]any{"code": "foreign", "message": "<b>Not yours.</b>", "rule": "X-1"}}}}}, nil
}

// server is a server on a Unix socket and a TCP port, with a client for each.
type server struct {
	*extauthz.Server
	decider     *byResource
	log         *logBuffer
	socket, tcp *grpc.ClientConn
}

func start(t *testing.T, configure func(*extauthz.Config)) *server {
	t.Helper()
	table, err := routes.Parse([]byte(file))
	require.NoError(t, err)
	s := &server{decider: &byResource{asked: make(chan struct{}), release: make(chan struct{})}, log: &logBuffer{}}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	checker, err := check.New(check.Config{Routes: table, Decider: s.decider, Logger: logger})
	require.NoError(t, err)
	config := extauthz.Config{Checker: func() *check.Checker { return checker }, Logger: logger}
	if configure != nil {
		configure(&config)
	}
	s.Server, err = extauthz.New(config)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "extauthz") // t.TempDir is too long for a socket
	require.NoError(t, err)
	served := sync.WaitGroup{}
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		served.Wait()
		_ = os.RemoveAll(dir)
	})
	for _, at := range []struct {
		network, address string
		client           **grpc.ClientConn
	}{{"unix", filepath.Join(dir, "s"), &s.socket}, {"tcp", "127.0.0.1:0", &s.tcp}} {
		l, err := net.Listen(at.network, at.address)
		require.NoError(t, err)
		served.Go(func() { assert.NoError(t, s.Serve(l)) })
		target := l.Addr().String()
		if at.network == "unix" {
			target = "unix:" + target
		}
		*at.client, err = grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = (*at.client).Close() })
	}
	return s
}

// logBuffer is a log that is safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ask asks over the socket, with a time-out that no test reaches.
func (s *server) ask(t *testing.T, r *authv3.CheckRequest) *authv3.CheckResponse {
	t.Helper()
	return askOver(t, s.socket, r)
}

func askOver(t *testing.T, conn *grpc.ClientConn, r *authv3.CheckRequest, md ...string) *authv3.CheckResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), md...), time.Minute)
	defer cancel()
	response, err := authv3.NewAuthorizationClient(conn).Check(ctx, r)
	require.NoError(t, err, "failures are denials")
	return response
}

// statusOf returns the status that the person gets, or 200 if the request is forwarded. It requires the parts of a response
// to agree.
func statusOf(t *testing.T, r *authv3.CheckResponse) int {
	t.Helper()
	require.Nil(t, r.GetErrorResponse(), "failure_mode_allow lets those through")
	if r.GetOkResponse() != nil {
		require.Equal(t, int32(codes.OK), r.GetStatus().GetCode())
		return http.StatusOK
	}
	code := int(r.GetDeniedResponse().GetStatus().GetCode())
	want := map[int]codes.Code{400: codes.InvalidArgument, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 503: codes.Unavailable}
	require.Equal(t, int32(want[code]), r.GetStatus().GetCode())
	id := headerOf(t, r.GetDeniedResponse().GetHeaders())["x-request-id"]
	require.NotEmpty(t, id)
	require.Contains(t, r.GetDeniedResponse().GetBody(), id)
	require.Equal(t, id, r.GetDynamicMetadata().AsMap()["request_id"])
	return code
}

// headerOf returns the fields that are set, and requires each to overwrite existing fields of its name.
func headerOf(t *testing.T, options []*corev3.HeaderValueOption) map[string]string {
	t.Helper()
	header := map[string]string{}
	for _, o := range options {
		require.Equal(t, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, o.GetAppendAction())
		require.Equal(t, strings.ToLower(o.GetHeader().GetKey()), o.GetHeader().GetKey())
		require.NotContains(t, header, o.GetHeader().GetKey())
		header[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return header
}

func get(path string, header ...string) envoytest.Request {
	d := envoytest.Request{Method: "GET", Path: path, Host: "clinic.example.org", Header: [][2]string{{"x-request-id", "r1"}, {"x-remote-user", "alice"}}}
	for i := 0; i < len(header); i += 2 {
		d.Header = append(d.Header, [2]string{header[i], header[i+1]})
	}
	return d
}

func post(body string, header ...string) envoytest.Request {
	d := get("/roles", append([]string{"content-type", "application/json", "content-length", strconv.Itoa(len(body))}, header...)...)
	d.Method, d.Body = "POST", body
	return d
}

func TestOutcomes(t *testing.T) {
	s := start(t, nil)
	anonymous := func(d *envoytest.Request) { d.Header = d.Header[:1] }
	big := `{"id":"allow","pad":"` + strings.Repeat("x", 64<<10) + `"}`
	for name, c := range map[string]struct {
		d      envoytest.Request
		filter envoytest.Filter // the envoytest.Recommended() one by default
		status int
		detail string
	}{
		"allowed":                        {d: get("/users/allow?x=1"), status: 200},
		"allowed, joined fields":         {d: get("/users/allow?x=1"), filter: envoytest.Filter{BodyLimit: 1}, status: 200},
		"public":                         {d: get("/open").With(anonymous), status: 200},
		"denied":                         {d: get("/users/deny"), status: 403, detail: "Not yours."},
		"no route":                       {d: get("/nowhere"), status: 403},
		"nobody":                         {d: get("/users/allow").With(anonymous), status: 401},
		"away":                           {d: get("/users/away"), status: 503},
		"panic":                          {d: get("/users/panic"), status: 503},
		"dot segments":                   {d: get("/users/../open"), status: 400},
		"encoded slash":                  {d: get("/users/allow%2f..%2fdeny"), status: 400},
		"absolute form":                  {d: get("http://clinic.example.org/open"), status: 400},
		"method in lower case":           {d: get("/open").With(func(d *envoytest.Request) { d.Method = "get" }), status: 400},
		"CONNECT":                        {d: get("/open").With(func(d *envoytest.Request) { d.Method = "CONNECT" }), status: 400},
		"no host":                        {d: get("/open").With(func(d *envoytest.Request) { d.Host = "" }), status: 400},
		"two hosts":                      {d: get("/open", "host", "other.example.org"), status: 400},
		"the host twice":                 {d: get("/open", "host", "clinic.example.org"), status: 200},
		"method override":                {d: get("/open", "x-http-method-override", "DELETE"), status: 400},
		"drawn field":                    {d: get("/users/allow", "x-confirmed", "true"), status: 200},
		"drawn field twice":              {d: get("/users/allow", "x-confirmed", "true", "x-confirmed", "true"), status: 400},
		"drawn field twice, joined":      {d: get("/users/allow", "x-confirmed", "true", "x-confirmed", "true"), filter: envoytest.Filter{BodyLimit: 1}, status: 400},
		"drawn field, other case":        {d: get("/users/allow", "x-confirmed", "true", "x_confirmed", "false"), status: 400},
		"two persons, joined":            {d: get("/users/allow", "x-remote-user", "bob"), filter: envoytest.Filter{BodyLimit: 1}, status: 400},
		"odd byte in a drawn field":      {d: get("/users/allow", "x-confirmed", "true\xff"), status: 400},
		"odd byte, replaced":             {d: get("/users/allow", "x-confirmed", "true\xff"), filter: envoytest.Filter{BodyLimit: 1}, status: 400},
		"odd byte in another field":      {d: get("/users/allow", "user-agent", "M\xfcnchen"), status: 200},
		"odd byte in the path":           {d: get("/users/allow\xff"), status: 400},
		"odd byte in the path, replaced": {d: get("/users/allow\xff"), filter: envoytest.Filter{BodyLimit: 1}, status: 400},
		"exclamation mark":               {d: get("/users/deny!"), status: 403, detail: "Not yours."},
		"fields left out":                {d: get("/open"), filter: envoytest.Filter{Raw: true, OmitsHeaders: true}, status: 503},
		"fields left out, joined":        {d: get("/open"), filter: envoytest.Filter{OmitsHeaders: true, BodyLimit: 1}, status: 503},
		"body":                           {d: post(`{"id":"allow"}`), status: 200},
		"body, joined fields":            {d: post(`{"id":"allow"}`), filter: envoytest.Filter{BodyLimit: 1 << 10}, status: 200},
		"body denied":                    {d: post(`{"id":"deny"}`), status: 403, detail: "Not yours."},
		"body not sent":                  {d: post(`{"id":"allow"}`), filter: envoytest.Filter{Raw: true}, status: 503},
		"body sent as text":              {d: post(`{"id":"allow"}`), filter: envoytest.Filter{Raw: true, BodyLimit: 1 << 10, AsText: true}, status: 400},
		"body cut":                       {d: post(`{"id":"allow"} "x"`), filter: envoytest.Filter{Raw: true, BodyLimit: 14}, status: 400},
		"body too long":                  {d: post(big), filter: envoytest.Filter{Raw: true, BodyLimit: 1 << 17}, status: 400},
		"body of another length":         {d: post(`{"id":"allow"}`).With(func(d *envoytest.Request) { d.Body += "  " }), status: 400},
		"body without a length":          {d: post(`{"id":"allow"}`).With(func(d *envoytest.Request) { d.Header = append(d.Header[:3], d.Header[4:]...) }), status: 400},
		"forged mark":                    {d: post(`{"id":"allow"}`, "x-envoy-auth-partial-body", "false"), filter: envoytest.Filter{Raw: true}, status: 503},
		"empty body":                     {d: post(""), status: 400},
		"compressed body":                {d: post(`{"id":"allow"}`, "content-encoding", "gzip"), status: 400},
		"no body, with a length":         {d: get("/notes/allow", "content-length", "0").With(func(d *envoytest.Request) { d.Method = "DELETE" }), status: 200},
		"maybe a body":                   {d: get("/notes/allow").With(func(d *envoytest.Request) { d.Method = "DELETE" }), status: 503},
		"unknown context extension":      {d: get("/open").With(func(d *envoytest.Request) { d.Extensions = map[string]string{"wardkeeper.public": "true"} }), status: 503},
		"empty context extension":        {d: get("/open").With(func(d *envoytest.Request) { d.Extensions = map[string]string{"wardkeeper.host": ""} }), status: 503},
		"context extension of others":    {d: get("/users/deny").With(func(d *envoytest.Request) { d.Extensions = map[string]string{"public": "true"} }), status: 403, detail: "Not yours."},
		"host of another application":    {d: get("/clinic").With(func(d *envoytest.Request) { d.Host = "10.0.0.7" }), status: 403},
		"host by the configuration": {d: get("/clinic").With(func(d *envoytest.Request) {
			d.Host, d.Extensions = "10.0.0.7:80", map[string]string{"wardkeeper.host": "clinic.example.org"}
		}), status: 200},
		"two hosts, one configured": {d: get("/clinic", "host", "other").With(func(d *envoytest.Request) { d.Extensions = map[string]string{"wardkeeper.host": "clinic.example.org"} }), status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.filter
			if f == (envoytest.Filter{}) {
				f = envoytest.Recommended()
			}
			response := s.ask(t, f.CheckRequest(c.d))
			require.Equal(t, c.status, statusOf(t, response), response)
			assert.Contains(t, response.GetDeniedResponse().GetBody(), c.detail)
		})
	}
	assert.Contains(t, s.log.String(), "remove allowed_headers")
	assert.Contains(t, s.log.String(), "wardkeeper.public")
	assert.Contains(t, s.log.String(), "pack_as_bytes")
	for _, private := range []string{"alice", "jane", "/users/allow", "Not yours", "192.0.2.7"} {
		assert.NotContains(t, s.log.String(), private, "logs name nobody")
	}
	assert.Contains(t, s.log.String(), `msg=request method=GET route=/envoy.service.auth.v3.Authorization/Check status=200 `)
}

func TestForwardedRequestsTellWhatWasDecided(t *testing.T) {
	s := start(t, nil)
	for _, f := range []envoytest.Filter{envoytest.Recommended(), {BodyLimit: 1}} {
		response := s.ask(t, f.CheckRequest(get("/users/mail", "x_request_id", "other", "x.request-id", "another", "x_confirmed_by", "bob")))
		require.Equal(t, http.StatusOK, statusOf(t, response))
		ok := response.GetOkResponse()
		header := headerOf(t, ok.GetHeaders())
		assert.Equal(t, map[string]string{
			"x-wardkeeper-subject": "alice", "x-request-id": "r1", "x-wardkeeper-obligations": `[{"id":"N","type":"notification","properties":{}}]`,
		}, header)
		assert.Equal(t, []string{"x.request-id", "x_request_id"}, ok.GetHeadersToRemove(), "another spelling of a field that is set")
		for _, name := range ok.GetHeadersToRemove() {
			assert.NotContains(t, header, name, "Envoy removes after it has set")
		}
		assert.Equal(t, map[string]any{"decision": "allowed", "route": "/users/{id}", "request_id": "r1", "subject": "alice"}, response.GetDynamicMetadata().AsMap())
	}

	response := s.ask(t, envoytest.Recommended().CheckRequest(get("/open")))
	header := headerOf(t, response.GetOkResponse().GetHeaders())
	assert.Equal(t, map[string]string{"x-request-id": "r1", "x-wardkeeper-obligations": "[]"}, header)
	assert.Equal(t, map[string]any{"decision": "public", "route": "/open", "request_id": "r1"}, response.GetDynamicMetadata().AsMap())
	assert.Equal(t, []string{"x-wardkeeper-subject"}, response.GetOkResponse().GetHeadersToRemove())
}

func TestFieldsThatOnlyAProxyMaySetAreRefusedInEverySpelling(t *testing.T) {
	s := start(t, nil)
	for _, f := range []envoytest.Filter{envoytest.Recommended(), {BodyLimit: 1}} {
		for _, name := range []string{
			"x-wardkeeper-subject", "x_wardkeeper_subject", "x.wardkeeper-obligations", "x-wardkeeper-status", "x_wardkeeper-anything",
		} {
			for _, path := range []string{"/users/allow", "/open"} {
				response := s.ask(t, f.CheckRequest(get(path, name, "admin")))
				assert.Equal(t, http.StatusBadRequest, statusOf(t, response), "%s %s", path, name)
				assert.Contains(t, response.GetDeniedResponse().GetBody(), `"code":"bad_request"`)
			}
		}
	}
	assert.Empty(t, s.decider.questions)
}

func TestRefusalsAreAnswersForThePerson(t *testing.T) {
	s := start(t, nil)
	response := s.ask(t, envoytest.Recommended().CheckRequest(get("/users/deny", "accept", "application/json")))
	header := headerOf(t, response.GetDeniedResponse().GetHeaders())
	assert.Equal(t, map[string]string{
		"cache-control": "no-store", "content-type": "application/problem+json", "vary": "Accept", "x-content-type-options": "nosniff", "x-request-id": "r1",
	}, header)
	assert.JSONEq(t, `{"title":"Forbidden","status":403,"code":"denied","detail":"<b>Not yours.</b>","request_id":"r1",
		"reasons":[{"code":"foreign","message":"<b>Not yours.</b>","rule":"X-1"}]}`, response.GetDeniedResponse().GetBody())
	assert.Equal(t, map[string]any{"decision": "denied", "route": "/users/{id}", "request_id": "r1"}, response.GetDynamicMetadata().AsMap())

	for _, f := range []envoytest.Filter{envoytest.Recommended(), {BodyLimit: 1}} {
		response = s.ask(t, f.CheckRequest(get("/users/deny", "accept", "text/html", "accept", "*/*;q=0.8")))
		assert.Equal(t, "text/html; charset=utf-8", headerOf(t, response.GetDeniedResponse().GetHeaders())["content-type"])
		assert.Contains(t, response.GetDeniedResponse().GetBody(), "&lt;b&gt;Not yours.")
	}
	response = s.ask(t, envoytest.Recommended().CheckRequest(get("/users/allow").With(func(d *envoytest.Request) { d.Header = d.Header[:1] })))
	assert.Equal(t, "Bearer", headerOf(t, response.GetDeniedResponse().GetHeaders())["www-authenticate"])
	response = s.ask(t, envoytest.Recommended().CheckRequest(get("/users/away")))
	assert.Equal(t, "1", headerOf(t, response.GetDeniedResponse().GetHeaders())["retry-after"])
	assert.Equal(t, map[string]any{"decision": "unavailable", "route": "/users/{id}", "request_id": "r1"}, response.GetDynamicMetadata().AsMap())
}

func TestRequestsThatAreNotOfEnvoysFilterAreDenied(t *testing.T) {
	s := start(t, nil)
	twice := envoytest.Recommended().CheckRequest(get("/open"))
	http1 := twice.GetAttributes().GetRequest().GetHttp()
	http1.HeaderMap.Headers = append(http1.HeaderMap.Headers, &corev3.HeaderValue{Key: ":path", RawValue: []byte("/users/deny")})
	differs := envoytest.Recommended().CheckRequest(get("/open"))
	differs.GetAttributes().GetRequest().GetHttp().Path = "/users/deny"
	query := envoytest.Recommended().CheckRequest(get("/open"))
	query.GetAttributes().GetRequest().GetHttp().Query = "a=b"
	for name, r := range map[string]*authv3.CheckRequest{
		"empty": {}, "no request": {Attributes: &authv3.AttributeContext{}}, "of the network filter": {Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{}}},
		"no fields": {Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/open", Host: "h"}}}},
		"two paths": twice, "path and field differ": differs, "query apart": query,
	} {
		assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, s.ask(t, r)), name)
	}
	assert.Empty(t, s.decider.questions)
}

// byToken recognizes a proxy by one of the tokens.
func byToken(tokens ...string) func(context.Context, []string, *tls.ConnectionState) (context.Context, string, error) {
	return func(ctx context.Context, authorization []string, _ *tls.ConnectionState) (context.Context, string, error) {
		if !check.AcceptsToken(tokens, check.Bearer(authorization)) {
			return ctx, "", errors.New("unknown")
		}
		return ctx, "the-proxy", nil
	}
}

func TestOnlyAProvenProxyNamesThePerson(t *testing.T) {
	r := envoytest.Recommended().CheckRequest(get("/users/allow"))
	s := start(t, nil)
	assert.Equal(t, http.StatusUnauthorized, statusOf(t, askOver(t, s.tcp, r)), "anybody can connect")

	s = start(t, func(c *extauthz.Config) { c.Authenticate = byToken("first", "second") })
	for _, conn := range []*grpc.ClientConn{s.tcp, s.socket} {
		assert.Equal(t, http.StatusOK, statusOf(t, askOver(t, conn, r, "authorization", "Bearer second")))
		for _, md := range [][]string{nil, {"authorization", "Bearer third"}, {"authorization", "Basic first"}, {"authorization", "first"}, {"authorization", ""},
			{"authorization", "Bearer first", "authorization", "Bearer second"}, {"x-wardkeeper-token", "first"}} {
			assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, askOver(t, conn, r, md...)), md)
		}
	}
	assert.Contains(t, s.log.String(), "a proxy has no valid token")
	assert.NotContains(t, s.log.String(), "third")
	assert.Contains(t, s.log.String(), "caller=the-proxy")
}

func TestTimeOfEnvoyIsRespected(t *testing.T) {
	s := start(t, nil)
	began := time.Now()
	assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, s.ask(t, envoytest.Recommended().CheckRequest(get("/users/never")))))
	assert.Less(t, time.Since(began), 50*time.Second, "1 s where Envoy gives a minute")

	// A denial must come before Envoy gives up, or Envoy takes it for a failure. On a busy machine this may take a few
	// attempts.
	for answered := false; !answered; {
		require.Less(t, time.Since(began), time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		response, err := authv3.NewAuthorizationClient(s.socket).Check(ctx, envoytest.Recommended().CheckRequest(get("/users/never")))
		cancel()
		if answered = err == nil; answered {
			require.Equal(t, http.StatusServiceUnavailable, statusOf(t, response))
		}
	}
}

func TestTooManyChecksAreRefusedAtOnce(t *testing.T) {
	s := start(t, func(c *extauthz.Config) { c.MaxChecks = 1 })
	done := make(chan int)
	go func() { done <- statusOf(t, s.ask(t, envoytest.Recommended().CheckRequest(get("/users/slow")))) }()
	<-s.decider.asked
	assert.Equal(t, http.StatusServiceUnavailable, statusOf(t, s.ask(t, envoytest.Recommended().CheckRequest(get("/open")))))
	close(s.decider.release)
	assert.Equal(t, http.StatusOK, <-done)
	assert.Equal(t, http.StatusOK, statusOf(t, s.ask(t, envoytest.Recommended().CheckRequest(get("/open")))))
}

func TestCheckThatRunsFinishesWhenTheServerStops(t *testing.T) {
	s := start(t, nil)
	watching, err := healthv1.NewHealthClient(s.tcp).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	now, err := watching.Recv()
	require.NoError(t, err)
	require.Equal(t, healthv1.HealthCheckResponse_SERVING, now.GetStatus())
	done, stopped := make(chan int), make(chan error)
	go func() { done <- statusOf(t, s.ask(t, envoytest.Recommended().CheckRequest(get("/users/slow")))) }()
	<-s.decider.asked
	go func() { stopped <- s.Shutdown(t.Context()) }()
	now, err = watching.Recv()
	require.NoError(t, err)
	require.Equal(t, healthv1.HealthCheckResponse_NOT_SERVING, now.GetStatus(), "whoever watches learns of it while requests finish")
	_, err = watching.Recv()
	require.Equal(t, codes.Unavailable, status.Code(err))
	close(s.decider.release)
	assert.Equal(t, http.StatusOK, <-done)
	require.NoError(t, <-stopped)
	_, err = authv3.NewAuthorizationClient(s.tcp).Check(t.Context(), envoytest.Recommended().CheckRequest(get("/open")))
	require.Equal(t, codes.Unavailable, status.Code(err), "nobody listens")
}

func TestStoppingBreaksOffWhatDoesNotFinish(t *testing.T) {
	s := start(t, nil)
	done := make(chan error)
	go func() {
		_, err := authv3.NewAuthorizationClient(s.socket).Check(t.Context(), envoytest.Recommended().CheckRequest(get("/users/slow")))
		done <- err
	}()
	<-s.decider.asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(ctx) }()
	require.Error(t, <-done)
	close(s.decider.release)
	require.ErrorIs(t, <-stopped, context.Canceled)
}

func TestHealthFollowsReadiness(t *testing.T) {
	var ready atomic.Bool
	s := start(t, func(c *extauthz.Config) {
		c.Ready = func(context.Context) bool { return ready.Load() }
		c.Authenticate = byToken() // health needs none
	})
	client := healthv1.NewHealthClient(s.tcp)
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
		for _, now := range []bool{false, true} {
			ready.Store(now)
			response, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			require.NoError(t, err)
			want := map[bool]healthv1.HealthCheckResponse_ServingStatus{false: healthv1.HealthCheckResponse_NOT_SERVING, true: healthv1.HealthCheckResponse_SERVING}
			assert.Equal(t, want[now], response.GetStatus())
		}
	}
	_, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "other"})
	assert.Equal(t, codes.NotFound, status.Code(err))
	watching, err := client.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		now, err := watching.Recv()
		require.NoError(t, err)
		assert.Equal(t, want, now.GetStatus())
		ready.Store(false)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	s := start(t, nil)
	d := get("/open", "x-large", strings.Repeat("x", 2<<20))
	_, err := authv3.NewAuthorizationClient(s.socket).Check(t.Context(), envoytest.Recommended().CheckRequest(d))
	assert.Equal(t, codes.ResourceExhausted, status.Code(err))
	assert.Equal(t, http.StatusOK, statusOf(t, s.ask(t, envoytest.Recommended().CheckRequest(get("/open")))), "the connection goes on")
}

func TestConfigIsChecked(t *testing.T) {
	_, err := extauthz.New(extauthz.Config{})
	require.Error(t, err)
}
