package grpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
	wardgrpc "github.com/wardkeeper/wardkeeper/adapters/grpc"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Methods of the service. Every message is a text: the id of a user.
const (
	view      = "/clinic.Users/View"      // fails for an id that ends in "-fails"
	list      = "/clinic.Users/List"      // one message, and a stream of answers
	upload    = "/clinic.Users/Import"    // a stream of messages, and one answer
	chat      = "/clinic.Users/Chat"      // streams of both
	stubborn  = "/clinic.Users/Stubborn"  // as Chat; its handler ignores errors
	hasty     = "/clinic.Users/Hasty"     // as List; its handler receives nothing
	eager     = "/clinic.Users/Eager"     // as List; its handler sets metadata before it receives
	ping      = "/clinic.Users/Ping"      // public
	pings     = "/clinic.Users/Pings"     // public, as Chat
	forgotten = "/clinic.Users/Forgotten" // has no question
	streams   = "/clinic.Users/Streams"   // as Chat; has no question
	mistaken  = "/clinic.Users/Mistaken"  // its question expects another message type
)

// service records the messages that its handlers get.
type service struct {
	mu      sync.Mutex
	handled []string
	done    []string // ids of obligations
}

func (s *service) handle(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handled = append(s.handled, id)
}

func (s *service) notify(_ context.Context, o pep.Obligation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, o.ID)
	return nil
}

// take returns the handled messages and the obligations done, and clears both.
func (s *service) take() (handled, done []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	handled, done = s.handled, s.done
	s.handled, s.done = nil, nil
	return handled, done
}

func (s *service) unary(name string) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		m := new(wrapperspb.StringValue)
		if err := decode(m); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, req any) (any, error) {
			id := req.(*wrapperspb.StringValue).Value
			s.handle(id)
			if strings.HasSuffix(id, "-fails") {
				return nil, status.Error(codes.Aborted, "The database is away.")
			}
			person, _ := wardgrpc.PersonOf(ctx)
			return wrapperspb.String(person.ID + " " + pep.TraceOf(ctx).RequestID), nil
		}
		if interceptor == nil {
			return handler(ctx, m)
		}
		return interceptor(ctx, m, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/clinic.Users/" + name}, handler)
	}}
}

// echoes answers each message with itself.
func (s *service) echoes(ss grpc.ServerStream, stubborn bool) error {
	for {
		m := new(wrapperspb.StringValue)
		switch err := ss.RecvMsg(m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && stubborn:
			_ = ss.SendMsg(wrapperspb.String("all the same"))
			if ss.RecvMsg(m) == nil {
				s.handle(m.Value)
			}
			return nil
		case err != nil:
			return err
		}
		s.handle(m.Value)
		if err := ss.SendMsg(m); err != nil {
			return err
		}
	}
}

func (s *service) description() *grpc.ServiceDesc {
	both := func(name string, handler func(any, grpc.ServerStream) error) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ServerStreams: true, ClientStreams: true, Handler: handler}
	}
	echoes := func(_ any, ss grpc.ServerStream) error { return s.echoes(ss, false) }
	return &grpc.ServiceDesc{ServiceName: "clinic.Users", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{s.unary("View"), s.unary("Ping"), s.unary("Forgotten"), s.unary("Mistaken")},
		Streams: []grpc.StreamDesc{
			{StreamName: "List", ServerStreams: true, Handler: echoes},
			{StreamName: "Hasty", ServerStreams: true, Handler: func(_ any, ss grpc.ServerStream) error {
				_ = ss.SendMsg(wrapperspb.String("secret"))
				return nil
			}},
			{StreamName: "Eager", ServerStreams: true, Handler: func(_ any, ss grpc.ServerStream) error {
				_ = ss.SetHeader(metadata.Pairs("h", "stream"))
				_ = grpc.SetHeader(ss.Context(), metadata.Pairs("h", "context"))
				ss.SetTrailer(metadata.Pairs("t", "stream"))
				_ = grpc.SetTrailer(ss.Context(), metadata.Pairs("t", "context"))
				if ss.SendHeader(metadata.Pairs("h", "sent")) == nil || grpc.SendHeader(ss.Context(), metadata.Pairs("h", "sent")) == nil {
					s.handle("a header was sent too early")
				}
				if err := ss.RecvMsg(new(wrapperspb.StringValue)); err != nil {
					ss.SetTrailer(metadata.Pairs("t", "late"))
					_ = ss.SetHeader(metadata.Pairs("h", "late"))
					return err
				}
				ss.SetTrailer(metadata.Pairs("t", "judged"))
				return ss.SendHeader(metadata.Pairs("h", "judged"))
			}},
			{StreamName: "Import", ClientStreams: true, Handler: func(_ any, ss grpc.ServerStream) error {
				for {
					m := new(wrapperspb.StringValue)
					if err := ss.RecvMsg(m); errors.Is(err, io.EOF) {
						return ss.SendMsg(wrapperspb.String("imported"))
					} else if err != nil {
						return err
					}
					s.handle(m.Value)
				}
			}},
			both("Chat", echoes), both("Pings", echoes), both("Streams", echoes),
			both("Stubborn", func(_ any, ss grpc.ServerStream) error { return s.echoes(ss, true) }),
		}}
}

// about asks about the user that a message names, or about the user "allow" at the start of a stream.
func about(_ context.Context, c wardgrpc.Call) (authzen.Evaluation, error) {
	id := "allow"
	if m, ok := c.Message.(*wrapperspb.StringValue); ok {
		id = m.Value
	}
	if id == "" {
		return authzen.Evaluation{}, errors.New("The id of the user is missing.")
	}
	return authzen.Evaluation{Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "user", ID: id}}, nil
}

// verifier accepts the token "good" as alice's.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (map[string]any, error) {
	switch token {
	case "good":
		return map[string]any{"sub": "alice"}, nil
	case "nameless":
		return map[string]any{"sub": 7}, nil
	case "keyless":
		return nil, noKeys{}
	}
	return nil, errors.New("the signature of the token is not valid")
}

type noKeys struct{}

func (noKeys) Error() string     { return "the keys of the issuer are not available" }
func (noKeys) Unavailable() bool { return true }

// setup is a decision point and a server that asks it.
type setup struct {
	service *service
	pdp     *decisionpoint.Server
	conn    *grpc.ClientConn
	log     *bytes.Buffer
}

func start(t *testing.T, l net.Listener, dial grpc.DialOption, timeout time.Duration) setup {
	t.Helper()
	pl, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	pdp := decisionpoint.Start(pl, nil)
	t.Cleanup(pdp.Close)
	decider, err := client.New(client.Config{URL: "http://" + pdp.Addr().String(), Timeout: timeout})
	require.NoError(t, err)
	t.Cleanup(decider.Close)
	s := &service{}
	enforcer, err := pep.New(pep.Config{Decider: decider, Handlers: map[string]pep.Handler{
		"notification": {Can: func(o pep.Obligation) bool { return o.Properties["channel"] == "email" }, After: s.notify}, pep.Confirm: {}}})
	require.NoError(t, err)
	log := &bytes.Buffer{} // slog.TextHandler writes one line at a time
	interceptors, err := wardgrpc.New(wardgrpc.Config{
		Enforcer: enforcer, Person: wardgrpc.BearerToken(verifier{}, "sub"), Logger: slog.New(slog.NewTextHandler(log, nil)),
		Questions: map[string]wardgrpc.Question{view: about, list: about, upload: about, chat: about, stubborn: about, hasty: about, eager: about,
			mistaken: wardgrpc.Ask(func(*wrapperspb.Int64Value) authzen.Evaluation { return authzen.Evaluation{} })},
		Messages: map[string]wardgrpc.Question{chat: about, stubborn: about},
		Public:   []string{ping, pings},
	})
	require.NoError(t, err)
	server := grpc.NewServer(interceptors.ServerOptions()...)
	server.RegisterService(s.description(), nil)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })
	target := "passthrough:///" + l.Addr().String()
	conn, err := grpc.NewClient(target, dial, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return setup{s, pdp, conn, log}
}

func startInMemory(t *testing.T, timeout time.Duration) setup {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	return start(t, l, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }), timeout)
}

// as returns the context of a call with a token. Its time-out is never reached.
func as(t *testing.T, token string) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func (s setup) call(ctx context.Context, method, id string) (answer string, trailer metadata.MD, err error) {
	m := new(wrapperspb.StringValue)
	err = s.conn.Invoke(ctx, method, wrapperspb.String(id), m, grpc.Trailer(&trailer))
	return m.Value, trailer, err
}

// stream sends all messages and then collects the answers.
func (s setup) stream(t *testing.T, ctx context.Context, method string, ids ...string) (answers []string, trailer metadata.MD, err error) {
	t.Helper()
	ss, err := s.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	require.NoError(t, err)
	for _, id := range ids {
		if err := ss.SendMsg(wrapperspb.String(id)); err != nil {
			break // RecvMsg returns the reason
		}
	}
	_ = ss.CloseSend()
	for {
		m := new(wrapperspb.StringValue)
		if err := ss.RecvMsg(m); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return answers, ss.Trailer(), err
		}
		answers = append(answers, m.Value)
	}
}

// Only an allow reaches the handler, and the absence of an answer is distinguished from a denial (PEP-1, PEP-9).
func TestAnswersThatAreNoneAreUnavailable(t *testing.T) {
	for _, id := range decisionpoint.Behaviors() {
		if strings.HasPrefix(id, "batch-") {
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			timeout := 30 * time.Second
			if strings.HasPrefix(id, "not-in-time") {
				timeout = 200 * time.Millisecond
			}
			s := startInMemory(t, timeout)
			want := codes.PermissionDenied
			switch {
			case decisionpoint.Permits(id):
				want = codes.OK
			case strings.HasPrefix(id, "not-"):
				want = codes.Unavailable
			}
			_, trailer, err := s.call(as(t, "good"), view, id)
			assert.Equal(t, want, status.Code(err), "%v", err)
			assert.Len(t, trailer.Get("x-request-id"), 1)
			handled, _ := s.service.take()
			assert.Equal(t, want == codes.OK, len(handled) == 1, handled)
			if id == "allow-once" || id == "allow-second-attempt" || want == codes.OK {
				return
			}
			answers, trailer, err := s.stream(t, as(t, "good"), list, id)
			assert.Equal(t, want, status.Code(err), "%v", err)
			assert.Len(t, trailer.Get("x-request-id"), 1)
			assert.Empty(t, answers)
			handled, _ = s.service.take()
			assert.Empty(t, handled)
		})
	}
}

func TestOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := start(t, l, grpc.EmptyDialOption{}, time.Minute)
	ctx := metadata.AppendToOutgoingContext(as(t, "good"), "x-request-id", "r-5309", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	answer, trailer, err := s.call(ctx, view, "allow")
	require.NoError(t, err)
	assert.Equal(t, "alice r-5309", answer)
	assert.Equal(t, []string{"r-5309"}, trailer.Get("x-request-id"))
	requests := s.pdp.Requests()
	require.Len(t, requests, 1)
	assert.Equal(t, "r-5309", requests[0].Header.Get("X-Request-Id"))
	assert.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", requests[0].Header.Get("Traceparent"))
	assert.Equal(t, authzen.Entity{Type: "user", ID: "alice"}, requests[0].Questions[0].Subject)
	assert.Equal(t, []any{"custom", "notification"}, requests[0].Questions[0].Context["supported_obligations"])
	answers, _, err := s.stream(t, ctx, list, "allow")
	require.NoError(t, err)
	assert.Equal(t, []string{"allow"}, answers)
	_, _, err = s.call(ctx, view, "deny")
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
}

func TestWhoCalls(t *testing.T) {
	s := startInMemory(t, time.Minute)
	for token, want := range map[string]codes.Code{"good": codes.OK, "forged": codes.Unauthenticated, "nameless": codes.Unauthenticated, "keyless": codes.Unavailable, "": codes.Unauthenticated} {
		_, _, err := s.call(as(t, token), view, "allow")
		assert.Equal(t, want, status.Code(err), token)
	}
	_, _, err := s.call(t.Context(), view, "allow")
	assert.Equal(t, codes.Unauthenticated, status.Code(err), "no token")
	_, _, err = s.call(metadata.AppendToOutgoingContext(as(t, "good"), "authorization", "Bearer good"), view, "allow")
	assert.Equal(t, codes.Unauthenticated, status.Code(err), "two tokens")
	_, _, err = s.call(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic good"), view, "allow")
	assert.Equal(t, codes.Unauthenticated, status.Code(err), "another scheme")
	handled, _ := s.service.take()
	assert.Len(t, handled, 1)
	assert.Len(t, s.pdp.Requests(), 1)
}

func TestMethodsWithoutAQuestion(t *testing.T) {
	s := startInMemory(t, time.Minute)
	_, _, err := s.call(t.Context(), ping, "x")
	assert.NoError(t, err, "public")
	answers, _, err := s.stream(t, t.Context(), pings, "a", "b")
	assert.NoError(t, err, "public")
	assert.Equal(t, []string{"a", "b"}, answers)
	s.service.take()
	for _, method := range []string{forgotten, mistaken} {
		_, _, err = s.call(as(t, "good"), method, "allow")
		assert.Equal(t, codes.PermissionDenied, status.Code(err), method)
	}
	_, _, err = s.stream(t, as(t, "good"), streams, "allow")
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
	_, _, err = s.call(as(t, "good"), view, "")
	assert.Equal(t, codes.InvalidArgument, status.Code(err))
	assert.Equal(t, "The id of the user is missing.", status.Convert(err).Message())
	handled, _ := s.service.take()
	assert.Empty(t, handled)
	assert.Empty(t, s.pdp.Requests())
}

func TestObligationsFollowSuccessAlone(t *testing.T) {
	s := startInMemory(t, time.Minute)
	_, _, err := s.call(as(t, "good"), view, "obliged-email")
	require.NoError(t, err)
	_, done := s.service.take()
	assert.Equal(t, []string{"TEST-2/email"}, done)
	_, _, err = s.call(as(t, "good"), view, "denied-email")
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
	handled, done := s.service.take()
	assert.Empty(t, handled)
	assert.Equal(t, []string{"TEST-2/email"}, done, "of a denial")

	// Those of a stream follow once it has ended without an error.
	_, _, err = s.stream(t, as(t, "good"), list, "obliged-email")
	require.NoError(t, err)
	_, done = s.service.take()
	assert.Equal(t, []string{"TEST-2/email"}, done)
	_, _, err = s.stream(t, as(t, "good"), chat, "obliged-email", "obliged-twice")
	require.NoError(t, err)
	_, done = s.service.take()
	assert.Equal(t, []string{"TEST-2/email", "TEST-2/email", "TEST-3/email"}, done)
	_, _, err = s.stream(t, as(t, "good"), chat, "obliged-email", "deny")
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
	_, done = s.service.take()
	assert.Empty(t, done)
}

func TestFailedCallDoesNothingThatFollowsIt(t *testing.T) {
	var before, after int
	e, err := pep.New(pep.Config{Decider: obliging{}, Handlers: map[string]pep.Handler{"notification": {
		Before: func(context.Context, pep.Obligation) error { before++; return nil },
		After:  func(context.Context, pep.Obligation) error { after++; return nil }}}})
	require.NoError(t, err)
	i, err := wardgrpc.New(wardgrpc.Config{Enforcer: e, Questions: map[string]wardgrpc.Question{view: about}, Logger: slog.New(slog.DiscardHandler),
		Person: func(context.Context) (wardgrpc.Person, error) { return wardgrpc.Person{ID: "alice"}, nil }})
	require.NoError(t, err)
	call := func(failure error) error {
		_, err := i.Unary(t.Context(), wrapperspb.String("jane"), &grpc.UnaryServerInfo{FullMethod: view}, func(context.Context, any) (any, error) {
			assert.Greater(t, before, after, "Before comes before the handler")
			return nil, failure
		})
		return err
	}
	require.NoError(t, call(nil))
	assert.Equal(t, [2]int{1, 1}, [2]int{before, after})
	away := errors.New("away")
	assert.Equal(t, away, call(away))
	assert.Equal(t, [2]int{2, 1}, [2]int{before, after})
}

type obliging struct{}

func (obliging) Decide(context.Context, []authzen.Evaluation) ([]authzen.Response, error) {
	return []authzen.Response{{Decision: true, Context: map[string]any{"obligations": []any{map[string]any{"id": "N", "type": "notification"}}}}}, nil
}

func TestStreamsAreJudgedByMessageIfTheApplicationAsksForIt(t *testing.T) {
	s := startInMemory(t, time.Minute)
	answers, _, err := s.stream(t, as(t, "good"), upload, "deny", "deny")
	require.NoError(t, err, "its start alone is judged")
	assert.Equal(t, []string{"imported"}, answers)
	assert.Len(t, s.pdp.Requests(), 1)
	s.service.take()

	answers, trailer, err := s.stream(t, as(t, "good"), chat, "allow", "deny", "allow")
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
	assert.Equal(t, []string{"allow"}, answers)
	assert.Len(t, trailer.Get("x-request-id"), 1)
	handled, _ := s.service.take()
	assert.Equal(t, []string{"allow"}, handled)

	answers, _, err = s.stream(t, as(t, "good"), stubborn, "not-500", "allow")
	assert.Equal(t, codes.Unavailable, status.Code(err), "a handler that goes on is cut off")
	assert.Empty(t, answers)
	handled, _ = s.service.take()
	assert.Empty(t, handled)

	answers, _, err = s.stream(t, as(t, "good"), hasty, "allow")
	assert.Equal(t, codes.PermissionDenied, status.Code(err), "nothing has been judged")
	assert.Empty(t, answers)
	_, _, err = s.stream(t, as(t, "forged"), chat, "allow")
	assert.Equal(t, codes.Unauthenticated, status.Code(err))
}

func TestMetadataWaitForTheJudgement(t *testing.T) {
	s := startInMemory(t, time.Minute)
	for id, want := range map[string]codes.Code{"allow": codes.OK, "deny": codes.PermissionDenied, "not-500": codes.Unavailable} {
		ss, err := s.conn.NewStream(as(t, "good"), &grpc.StreamDesc{ServerStreams: true}, eager)
		require.NoError(t, err)
		require.NoError(t, ss.SendMsg(wrapperspb.String(id)))
		require.NoError(t, ss.CloseSend())
		err = ss.RecvMsg(new(wrapperspb.StringValue))
		header, headerErr := ss.Header()
		require.NoError(t, headerErr)
		assert.Len(t, ss.Trailer().Get("x-request-id"), 1)
		if want == codes.OK {
			assert.ErrorIs(t, err, io.EOF)
			assert.Equal(t, []string{"stream", "context", "judged"}, header.Get("h"))
			assert.Equal(t, []string{"stream", "context", "judged"}, ss.Trailer().Get("t"))
		} else {
			assert.Equal(t, want, status.Code(err))
			assert.Empty(t, header.Get("h"))
			assert.Empty(t, ss.Trailer().Get("t"))
		}
	}
	handled, _ := s.service.take()
	assert.Empty(t, handled)
}

// A panic in an interceptor would end the server.
func TestPanicOfTheApplicationIsNoPermission(t *testing.T) {
	e, err := pep.New(pep.Config{Decider: obliging{}, Handlers: map[string]pep.Handler{"notification": {Can: func(pep.Obligation) bool { panic("jane") }}}})
	require.NoError(t, err)
	person := func(context.Context) (wardgrpc.Person, error) { return wardgrpc.Person{ID: "alice"}, nil }
	for name, c := range map[string]struct {
		person   func(context.Context) (wardgrpc.Person, error)
		question wardgrpc.Question
		want     codes.Code
	}{
		"who calls":        {func(context.Context) (wardgrpc.Person, error) { panic("jane") }, about, codes.Unavailable},
		"what is asked":    {person, func(context.Context, wardgrpc.Call) (authzen.Evaluation, error) { panic(errors.New("jane")) }, codes.Unavailable},
		"what can be done": {person, about, codes.PermissionDenied},
		"nil in a question": {person, wardgrpc.Ask(func(m *wrapperspb.StringValue) authzen.Evaluation {
			return authzen.Evaluation{Resource: *(*authzen.Entity)(nil)}
		}), codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			i, err := wardgrpc.New(wardgrpc.Config{Enforcer: e, Questions: map[string]wardgrpc.Question{view: c.question}, Person: c.person, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			_, err = i.Unary(t.Context(), wrapperspb.String("jane"), &grpc.UnaryServerInfo{FullMethod: view}, func(context.Context, any) (any, error) {
				t.Error("the handler ran")
				return nil, nil
			})
			assert.Equal(t, c.want, status.Code(err))
			assert.NotContains(t, log.String(), "jane")
		})
	}
}

func TestDetailsOfRefusals(t *testing.T) {
	s := startInMemory(t, time.Minute)
	details := func(id string) (info *errdetails.ErrorInfo, failure *errdetails.PreconditionFailure, retry *errdetails.RetryInfo) {
		_, trailer, err := s.call(as(t, "good"), view, id)
		for _, d := range status.Convert(err).Details() {
			switch d := d.(type) {
			case *errdetails.ErrorInfo:
				info = d
			case *errdetails.PreconditionFailure:
				failure = d
			case *errdetails.RetryInfo:
				retry = d
			}
		}
		require.NotNil(t, info)
		assert.Equal(t, wardgrpc.Domain, info.Domain)
		assert.Equal(t, trailer.Get("x-request-id"), []string{info.Metadata["request_id"]})
		return info, failure, retry
	}
	info, failure, retry := details("deny")
	assert.Equal(t, "DENIED", info.Reason)
	assert.Nil(t, retry)
	require.Len(t, failure.Violations, 2)
	assert.Equal(t, [3]string{"reason", "not_permitted", "This user is not one of yours."}, [3]string{failure.Violations[0].Type, failure.Violations[0].Subject, failure.Violations[0].Description})
	assert.Equal(t, [3]string{"advice", "ask", "Ask the office."}, [3]string{failure.Violations[1].Type, failure.Violations[1].Subject, failure.Violations[1].Description})
	info, failure, _ = details("obliged-confirm")
	assert.Equal(t, "CONFIRMATION_REQUIRED", info.Reason)
	assert.Equal(t, [3]string{"confirm", "TEST-2/confirm", "multiple_locations"}, [3]string{failure.Violations[0].Type, failure.Violations[0].Subject, failure.Violations[0].Description})
	info, failure, retry = details("not-500")
	assert.Equal(t, "UNAVAILABLE", info.Reason)
	assert.Nil(t, failure)
	assert.Equal(t, time.Second, retry.RetryDelay.AsDuration())
}

func TestLogNamesNobody(t *testing.T) {
	s := startInMemory(t, time.Minute)
	for _, id := range []string{"deny", "not-500", "obliged-pigeon", ""} {
		_, _, _ = s.call(as(t, "good"), view, id)
	}
	_, _, _ = s.call(as(t, "forged-token"), view, "allow")
	text := s.log.String()
	assert.Contains(t, text, "method="+view)
	assert.Contains(t, text, "code=denied")
	assert.Contains(t, text, "code=unavailable")
	for _, name := range []string{"alice", "deny\"", "pigeon\"", "jane", "not one of yours", "forged-token", "The id of the user"} {
		assert.NotContains(t, text, name)
	}
}

func TestConfigurationsWithTwoMeaningsAreRefused(t *testing.T) {
	e, err := pep.New(pep.Config{Decider: obliging{}})
	require.NoError(t, err)
	person := func(context.Context) (wardgrpc.Person, error) { return wardgrpc.Person{ID: "alice"}, nil }
	asks := map[string]wardgrpc.Question{view: about}
	for name, c := range map[string]wardgrpc.Config{
		"no enforcer":          {Person: person},
		"nobody asks":          {Enforcer: e, Questions: asks},
		"public and asked":     {Enforcer: e, Person: person, Questions: asks, Public: []string{view}},
		"no method":            {Enforcer: e, Person: person, Public: []string{"clinic.Users/View"}},
		"a service":            {Enforcer: e, Person: person, Public: []string{"/clinic.Users/"}},
		"every method":         {Enforcer: e, Person: person, Public: []string{"*"}},
		"no question":          {Enforcer: e, Person: person, Questions: map[string]wardgrpc.Question{view: nil}},
		"messages alone":       {Enforcer: e, Person: person, Messages: asks},
		"messages of a public": {Enforcer: e, Person: person, Messages: asks, Public: []string{view}},
	} {
		_, err := wardgrpc.New(c)
		assert.Error(t, err, name)
	}
	_, err = wardgrpc.New(wardgrpc.Config{Enforcer: e, Public: []string{ping}})
	assert.NoError(t, err)
}
