package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/client"
	wardecho "github.com/wardkeeper/wardkeeper/adapters/echo"
	wardgrpc "github.com/wardkeeper/wardkeeper/adapters/grpc"
	"github.com/wardkeeper/wardkeeper/adapters/inprocess"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

const benchmarkedRoutes = `
version: 1
subject: {header: X-Remote-User}
defaults: {current_location: metro}
routes:
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
`

// BenchmarkMiddleware measures what an adapter adds to a handler that does nothing ("bare"): with a sidecar in its own process
// over TCP and over a Unix socket, and with the engine in this process. cpu-ns/op is the processor time of this process,
// sidecar-cpu-ns/op that of the sidecar. Unlike ns/op they are meaningful on a busy machine. No token is verified.
func BenchmarkMiddleware(b *testing.B) {
	fail := func(r int, err error) {
		if r != http.StatusOK || err != nil {
			b.Fatal("the request was not permitted: ", r, err)
		}
	}
	// Each returns a function that sends a request through the adapter, or to the bare handler if decider is nil.
	adapters := []struct {
		name string
		open func(b *testing.B, decider pep.Decider) func()
	}{
		{"nethttp", func(b *testing.B, decider pep.Decider) func() {
			var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
			if decider != nil {
				handler = nethttp.Middleware(nethttp.Config{Checker: benchmarkedChecker(b, decider), FromProxy: func(*http.Request) bool { return true }})(handler)
			}
			return func() { fail(serve(handler), nil) }
		}},
		{"echo", func(b *testing.B, decider pep.Decider) func() {
			e := echo.New()
			e.GET("/users/:id", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
			if decider != nil {
				e.Pre(wardecho.Middleware(wardecho.Config{Checker: benchmarkedChecker(b, decider), FromProxy: func(*http.Request) bool { return true }}))
			}
			return func() { fail(serve(e), nil) }
		}},
		{"grpc", func(b *testing.B, decider pep.Decider) func() {
			const method = "/clinic.Users/View"
			handler := func(_ context.Context, m any) (any, error) { return m, nil }
			intercept := func(ctx context.Context, m any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				return handler(ctx, m)
			}
			if decider != nil {
				enforcer, err := pep.New(pep.Config{Decider: decider})
				require.NoError(b, err)
				i, err := wardgrpc.New(wardgrpc.Config{Enforcer: enforcer,
					Person: func(context.Context) (wardgrpc.Person, error) { return wardgrpc.Person{ID: "alice"}, nil },
					Questions: map[string]wardgrpc.Question{method: wardgrpc.Ask(func(id string) authzen.Evaluation {
						return authzen.Evaluation{Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "user", ID: id}, Context: map[string]any{"current_location": "metro"}}
					})}})
				require.NoError(b, err)
				intercept = i.Unary
			}
			info := &grpc.UnaryServerInfo{FullMethod: method}
			return func() {
				_, err := intercept(context.Background(), "jane", info, handler)
				fail(http.StatusOK, err)
			}
		}},
	}
	remote := startServer(b, "--directory", "../../testdata/directories/sample.yaml")
	socket := "unix:" + socketPath(b)
	local := startServerAt(b, socket, "--directory", "../../testdata/directories/sample.yaml")
	transports := []struct {
		name    string
		decider pep.Decider
		sidecar *daemon
	}{
		{"bare", nil, nil},
		{"tcp", benchmarkedClient(b, remote.url), remote},
		{"unix", benchmarkedClient(b, socket), local},
		{"inprocess", inprocess.New(benchmarkedEngine(b)), nil},
	}
	for _, a := range adapters {
		for _, over := range transports {
			b.Run(a.name+"/"+over.name, func(b *testing.B) {
				send := a.open(b, over.decider)
				send() // opens the connection
				self, sidecar := processorTime(b), sidecarTime(b, over.sidecar)
				for b.Loop() {
					send()
				}
				b.ReportMetric(float64(processorTime(b)-self)/float64(b.N), "cpu-ns/op")
				if over.sidecar != nil {
					b.ReportMetric(float64(sidecarTime(b, over.sidecar)-sidecar)/float64(b.N), "sidecar-cpu-ns/op")
				}
			})
		}
	}
}

// serve sends a request to a handler and returns the status.
func serve(h http.Handler) int {
	r := httptest.NewRequest(http.MethodGet, "/users/jane", nil)
	r.Header.Set("X-Remote-User", "alice")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func benchmarkedChecker(b *testing.B, decider pep.Decider) *check.Checker {
	table, err := routes.Parse([]byte(benchmarkedRoutes))
	require.NoError(b, err)
	c, err := check.New(check.Config{Routes: table, Decider: decider})
	require.NoError(b, err)
	return c
}

func benchmarkedClient(b *testing.B, url string) pep.Decider {
	c, err := client.New(client.Config{URL: url, Timeout: time.Minute})
	require.NoError(b, err)
	b.Cleanup(c.Close)
	return c
}

func benchmarkedEngine(b *testing.B) *pdp.Engine {
	policy, err := builtInPolicy()
	require.NoError(b, err)
	people, err := directory.OpenFile(directory.FileConfig{Path: "../../testdata/directories/sample.yaml", Vocabulary: *policy.Vocabulary(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	b.Cleanup(func() { _ = people.Close() })
	return pdp.New(pdp.Config{Policy: policy, Source: people, Timeout: time.Minute})
}

// processorTime returns the processor time that this process has used.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// sidecarTime returns the processor time that a server has used, in steps of 10 ms: proc(5) counts ticks of that length.
func sidecarTime(b *testing.B, d *daemon) time.Duration {
	if d == nil {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	require.NoError(b, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var total time.Duration
	for _, field := range fields[11:13] { // utime and stime
		ticks, err := strconv.Atoi(field)
		require.NoError(b, err)
		total += time.Duration(ticks) * 10 * time.Millisecond
	}
	return total
}
