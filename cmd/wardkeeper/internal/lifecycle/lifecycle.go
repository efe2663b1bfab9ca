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
)

// Serve serves on all listeners until the context ends or a signal arrives, and closes them. Requests in flight then get the
// timeout to finish; a second signal ends them at once. It is an error if some did not finish, or if a listener failed.
func Serve(
	ctx context.Context, server *http.Server, listeners []net.Listener, timeout time.Duration, logger *slog.Logger, stop <-chan os.Signal,
) error {
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("the server failed: %w", err), server.Close())
	case <-ctx.Done():
		logger.Info("wardkeeper is stopping: requests in flight may finish")
	case s := <-stop:
		logger.Info("wardkeeper is stopping: requests in flight may finish", "signal", s.String())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-stop:
			cancel()
		case <-stopped:
		}
	}()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(errors.New("stopped before every request had finished"), server.Close())
	}
	logger.Info("wardkeeper has stopped")
	return nil
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

// RunWithin runs f and waits for it no longer than the timeout. f then goes on until the process ends.
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
