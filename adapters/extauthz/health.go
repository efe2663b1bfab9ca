package extauthz

import (
	"context"
	"sync"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// watchInterval is the interval at which Watch checks the readiness.
const watchInterval = time.Second

// health is gRPC's health service. It reports the readiness and, like /ready, needs no token.
type health struct {
	healthv1.UnimplementedHealthServer
	ready   func(context.Context) bool
	timeout time.Duration
	stopped chan struct{} // closed when the server stops
	once    sync.Once
}

func newHealth(ready func(context.Context) bool, timeout time.Duration) *health {
	return &health{ready: ready, timeout: timeout, stopped: make(chan struct{})}
}

// stop makes the service not serving, for good, and ends all watches.
func (h *health) stop() { h.once.Do(func() { close(h.stopped) }) }

// knows reports whether a service is served here; "" is the whole server.
func (h *health) knows(service string) bool {
	return service == "" || service == authv3.Authorization_ServiceDesc.ServiceName
}

func (h *health) status(ctx context.Context) healthv1.HealthCheckResponse_ServingStatus {
	select {
	case <-h.stopped:
		return healthv1.HealthCheckResponse_NOT_SERVING
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	if h.ready == nil || h.ready(ctx) {
		return healthv1.HealthCheckResponse_SERVING
	}
	return healthv1.HealthCheckResponse_NOT_SERVING
}

// Check implements gRPC's health service.
func (h *health) Check(ctx context.Context, r *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	if !h.knows(r.GetService()) {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return &healthv1.HealthCheckResponse{Status: h.status(ctx)}, nil
}

// Watch implements gRPC's health service. It ends when the server stops, so that stopping does not wait for it.
func (h *health) Watch(r *healthv1.HealthCheckRequest, stream grpc.ServerStreamingServer[healthv1.HealthCheckResponse]) error {
	known, last := h.knows(r.GetService()), healthv1.HealthCheckResponse_UNKNOWN
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		now := healthv1.HealthCheckResponse_SERVICE_UNKNOWN
		if known {
			now = h.status(stream.Context())
		}
		if now != last {
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: now}); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-ticker.C:
		case <-h.stopped:
			if last == healthv1.HealthCheckResponse_SERVING {
				_ = stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING}) // best effort
			}
			return status.Error(codes.Unavailable, "the server is stopping")
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
}
