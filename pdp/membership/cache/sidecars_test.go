package cache

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// openTestCache opens a cache, and closes it at the end of the test.
func openTestCache(t testing.TB, cfg Config) *Cache {
	t.Helper()
	cfg.Vocabulary = fixture.Vocabulary()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// awaitConfirmed waits until facts are confirmed.
func awaitConfirmed(t testing.TB, all ...*Cache) {
	t.Helper()
	for _, c := range all {
		require.Eventually(t, func() bool { return c.Status().Confirmed }, fixture.Timeout, 5*time.Millisecond)
	}
}
