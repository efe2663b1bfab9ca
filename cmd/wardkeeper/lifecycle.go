package main

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

// runServer serves until the context ends or a signal comes. Requests in flight may then finish, within patience;
// a second signal cuts them off, which is an error.
func runServer(
	ctx context.Context, server *http.Server, listener net.Listener, patience time.Duration, logger *slog.Logger, stop <-chan os.Signal,
) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("the server failed: %w", err)
	case <-ctx.Done():
		logger.Info("wardkeeper stops: requests in flight finish")
	case s := <-stop:
		logger.Info("wardkeeper stops: requests in flight finish", "signal", s.String())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
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
