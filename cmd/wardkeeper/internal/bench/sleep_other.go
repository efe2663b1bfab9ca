//go:build !linux

package bench

import (
	"context"
	"time"
)

// sleepUntil sleeps until a time, or as long as ctx lasts.
func sleepUntil(ctx context.Context, due time.Time) {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
