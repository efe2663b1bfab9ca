package membership_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

// httpOrigin opens an origin that asks an application.
func httpOrigin(t testing.TB, a *origintest.Application, address string) *httporigin.Origin {
	t.Helper()
	h, err := httporigin.Open(httporigin.Config{URL: strings.TrimRight(address, "/") + "/membership", Timeout: fixture.Timeout})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

// pgOrigin opens an origin that reads a database.
func pgOrigin(t testing.TB, cfg pgorigin.Config) *pgorigin.Origin {
	t.Helper()
	cfg.Timeout, cfg.Logger = fixture.Timeout, slog.New(slog.DiscardHandler)
	p, err := pgorigin.Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// openStore opens a store. The cache closes it.
func openStore(t testing.TB, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	cfg.Lease = time.Second
	store, err := redisstore.Open(cfg)
	require.NoError(t, err)
	return store
}
