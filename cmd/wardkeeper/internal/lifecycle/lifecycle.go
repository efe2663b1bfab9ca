package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Server is a server of another protocol. It starts and stops together with the HTTP server.
type Server interface {
	Serve() error                       // until it fails or is stopped
	Shutdown(ctx context.Context) error // requests in flight may finish until ctx ends
	Close() error                       // at once
}

// Stopping says how to stop a server.
type Stopping struct {
	// Announce is called first. From then on the server is not ready, so that no load balancer sends it new requests; nil
	// does nothing.
	Announce func()
	// Delay is how long the server goes on answering after that, until load balancers have noticed.
	Delay time.Duration
	// Timeout limits how long requests in flight may take once the listeners have been closed.
	Timeout time.Duration
}

// Serve serves on all listeners until the context ends or a signal arrives. Then it announces that, goes on for the delay,
// closes the listeners, and lets requests in flight finish. A second signal ends all of this at once. It is an error if
// some request did not finish, or if a listener failed. The other servers start and stop with the HTTP server.
func Serve(
	ctx context.Context, server *http.Server, listeners []net.Listener, how Stopping, logger *slog.Logger, stop <-chan os.Signal,
	others ...Server,
) error {
	failed := make(chan error, len(listeners)+len(others))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	for _, other := range others {
		go func() { failed <- other.Serve() }()
	}
	announceToSystemd(logger, daemon.SdNotifyReady)
	go feedWatchdog(ctx, logger)
	attrs := []any{"delay", how.Delay.String()}
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("the server failed: %w", err), closeAll(server, others))
	case <-ctx.Done():
	case s := <-stop:
		attrs = append(attrs, "signal", s.String())
	}
	if how.Announce != nil {
		how.Announce()
	}
	announceToSystemd(logger, daemon.SdNotifyStopping)
	logger.Info("wardkeeper is stopping: requests in flight may finish", attrs...)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	delay := time.NewTimer(how.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-ctx.Done():
	}
	inTime, done := context.WithTimeout(ctx, how.Timeout)
	defer done()
	if err := shutDown(inTime, server, others); err != nil {
		return errors.Join(errors.New("stopped before every request had finished"), closeAll(server, others))
	}
	logger.Info("wardkeeper has stopped")
	return nil
}

// shutDown stops all servers at the same time.
func shutDown(ctx context.Context, server *http.Server, others []Server) error {
	stopped := make(chan error, len(others))
	for _, other := range others {
		go func() { stopped <- other.Shutdown(ctx) }()
	}
	err := server.Shutdown(ctx)
	for range others {
		err = errors.Join(err, <-stopped)
	}
	return err
}

func closeAll(server *http.Server, others []Server) error {
	err := server.Close()
	for _, other := range others {
		err = errors.Join(err, other.Close())
	}
	return err
}

// ReloadOnSignal calls the functions whenever a signal arrives, until the context ends.
func ReloadOnSignal(ctx context.Context, signals <-chan os.Signal, logger *slog.Logger, reload ...func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			logger.Info("reloading everything", "signal", s.String())
			for _, f := range reload {
				f()
			}
		}
	}
}

// pollInterval is how often files are read that may have changed. Requests do not read them, so a file system that hangs delays
// none.
const pollInterval = 500 * time.Millisecond

// ReloadOften calls the functions twice a second, until the context ends.
func ReloadOften(ctx context.Context, reload ...func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pollInterval):
			for _, f := range reload {
				f()
			}
		}
	}
}

// RunWithin runs f and waits for it at most for the timeout. After that, f continues until the process ends.
func RunWithin(timeout time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
