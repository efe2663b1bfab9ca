package cache

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

// BenchmarkAnnouncements shows that receiving a change takes no longer with many remembered invalidations than with few.
func BenchmarkAnnouncements(b *testing.B) {
	for _, remembered := range []int{1000, freshness.MaxInvalidations} {
		b.Run(strconv.Itoa(remembered), func(b *testing.B) {
			f := freshness.NewTracker(freshness.Config{Confirmer: freshness.ConfirmedByOrigin, Lease: time.Second, Retention: time.Hour})
			heard := 0
			hear := func() {
				heard++
				f.Invalidate([]pdp.Change{{Kind: pdp.UserChanged, ID: strconv.Itoa(heard)}}, membership.Position{})
			}
			for range remembered {
				hear()
			}
			b.ReportAllocs()
			for b.Loop() {
				hear()
			}
		})
	}
}

// sharedStore opens a store. The cache closes it.
func sharedStore(b testing.TB, cfg redisstore.Config) *redisstore.Store {
	b.Helper()
	cfg.Lease = time.Second
	store, err := redisstore.Open(cfg)
	require.NoError(b, err)
	return store
}
