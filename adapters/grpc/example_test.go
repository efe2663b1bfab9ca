package grpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	wardgrpc "github.com/wardkeeper/wardkeeper/adapters/grpc"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// alone allows people to view themselves. Real programs use adapters/client or adapters/inprocess.
type alone struct{}

func (alone) Decide(_ context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	answers := make([]authzen.Response, len(questions))
	for i, q := range questions {
		answers[i].Decision = q.Subject.ID == q.Resource.ID
	}
	return answers, nil
}

// The health service stands in for an application's own service.
func Example() {
	enforcer, err := pep.New(pep.Config{Decider: alone{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	interceptors, err := wardgrpc.New(wardgrpc.Config{
		Enforcer: enforcer,
		Person:   func(context.Context) (wardgrpc.Person, error) { return wardgrpc.Person{ID: "jane"}, nil }, // see BearerToken
		Questions: map[string]wardgrpc.Question{
			healthpb.Health_Check_FullMethodName: wardgrpc.Ask(func(m *healthpb.HealthCheckRequest) authzen.Evaluation {
				return authzen.Evaluation{Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "user", ID: m.Service}}
			}),
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(interceptors.ServerOptions()...)
	defer server.Stop()
	service := health.NewServer()
	service.SetServingStatus("jane", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, service)
	l := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(l) }()

	conn, err := grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	for _, id := range []string{"jane", "joe"} {
		_, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{Service: id})
		fmt.Println(id, status.Code(err))
	}
	// Output:
	// jane OK
	// joe PermissionDenied
}
