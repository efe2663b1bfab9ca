package lifecycle

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifyTimeout limits how long a change of state waits for systemd to read it. The process starts and stops without that, too.
const notifyTimeout = time.Second

// announceToSystemd is like notifySystemd, but does not wait for ever if systemd hangs.
func announceToSystemd(logger *slog.Logger, state string) {
	RunWithin(notifyTimeout, func() { notifySystemd(logger, state) })
}

// notifySystemd tells systemd a state, if it wants to know.
func notifySystemd(logger *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		logger.Warn("systemd cannot be told the state of the process", "state", state, "error", err.Error())
	}
}

// feedWatchdog tells systemd that the process lives, twice in the time after which it would be restarted, until the context ends.
func feedWatchdog(ctx context.Context, logger *slog.Logger) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn("systemd cannot be told the state of the process", "state", daemon.SdNotifyWatchdog, "error", err.Error())
	}
	if within == 0 {
		return
	}
	ticks := time.NewTicker(within / 2)
	defer ticks.Stop()
	for {
		notifySystemd(logger, daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
