package main

import (
	"context"
	"log/slog"
	"os"
)

// renewing does what can be read again whenever a signal says so, until the context ends.
func renewing(ctx context.Context, hangups <-chan os.Signal, logger *slog.Logger, renew ...func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-hangups:
			logger.Info("everything is read again", "signal", s.String())
			for _, one := range renew {
				one()
			}
		}
	}
}

// renew has policy and facts read again now. What is found at fault is told by their logs and status.
func (d *decisions) renew() {
	if d.follower != nil {
		d.follower.Renew()
	}
	if d.directory != nil {
		d.directory.renew()
	}
}
