package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// cutClients closes all connections except the administrator's own.
func cutClients(t *testing.T, admin *redis.Client) {
	t.Helper()
	for _, kind := range []string{"normal", "pubsub"} {
		require.NoError(t, admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err())
	}
}

// Redis switches to another authority, which signs the certificates of both sides from then on.
func TestRenewedCertificatesAreUsed(t *testing.T) {
	t.Parallel()
	old, renewed := fixture.NewAuthority(t), fixture.NewAuthority(t)
	ca, serverCertificate, serverKey := old.WriteFiles("server")
	port := fmt.Sprint(servertest.FreePort(t))
	addr := "127.0.0.1:" + port
	server := servertest.StartRedis(t, "--tls-port", port, "--tls-cert-file", serverCertificate, "--tls-key-file", serverKey,
		"--tls-ca-cert-file", ca, "--tls-auth-clients", "yes")
	admin := server.Client() // on the plain port

	trusted, certificate, key := old.WriteFiles("client")
	log := &fixture.LogBuffer{}
	store := openStore(t, Config{
		URL: "rediss://" + addr, Timeout: 10 * time.Second, CAFile: trusted, CertFile: certificate, KeyFile: key,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	h := follow(t, store)
	h.waitBegan(t, 0)
	require.NoError(t, roundTrip(store, "alice"))

	ca, serverCertificate, serverKey = renewed.WriteFiles("server")
	require.NoError(t, admin.Do(context.Background(), "CONFIG", "SET", "tls-ca-cert-file", ca, "tls-cert-file", serverCertificate, "tls-key-file", serverKey).Err())
	cutClients(t, admin)
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.Eventually(t, func() bool { // calls on the closed connections fail first
		return strings.Contains(fmt.Sprint(roundTrip(store, "alice")), "certificate")
	}, servertest.Timeout, servertest.PollInterval, "the old authority is no longer trusted")
	newCertificate, newKey := renewed.Issue("client")
	fixture.WriteFile(t, certificate, newCertificate)
	fixture.WriteFile(t, trusted, renewed.PEM())
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "client certificate cannot be used") }, servertest.Timeout, servertest.PollInterval)
	require.True(t, h.isLost(), "the new key is still missing")
	fixture.WriteFile(t, key, newKey)
	h.waitBegan(t, 1)
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}

// clients returns the ids of the connections to a server, except the administrator's own.
func clients(t *testing.T, admin *redis.Client) map[string]bool {
	t.Helper()
	list, err := admin.ClientList(context.Background()).Result()
	require.NoError(t, err)
	self, err := admin.ClientID(context.Background()).Result()
	require.NoError(t, err)
	all := map[string]bool{}
	for line := range strings.Lines(list) {
		if id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " "); id != fmt.Sprint(self) {
			all[id] = true
		}
	}
	return all
}

// The stream is followed on the new connection without a gap.
func TestConnectionsAreReplacedAfterTheirLifetime(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	admin := server.Client()
	others := clients(t, admin)
	store := openStore(t, Config{URL: server.URL(), Timeout: 10 * time.Second, Lease: 10 * time.Second, connLifetime: 50 * time.Millisecond})
	h := follow(t, store)
	h.waitBegan(t, 0)
	require.NoError(t, roundTrip(store, "alice"))
	first := clients(t, admin)
	maps.DeleteFunc(first, func(id string, _ bool) bool { return others[id] })
	require.Greater(t, len(first), 1)
	var announced []string
	require.Eventually(t, func() bool {
		announced = append(announced, fmt.Sprint(len(announced)))
		announce(t, store, announced[len(announced)-1])
		require.NoError(t, roundTrip(store, "alice"))
		for id := range clients(t, admin) {
			if first[id] {
				return false
			}
		}
		return true
	}, servertest.Timeout, servertest.PollInterval, "no connection of the first ones is left")
	waitDelivered(t, h, announced)
	assert.Equal(t, 1, h.beganCount())
	assert.True(t, h.isLive())
}

func TestFollowerKeepsConnectionIfNewOneFails(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, "--requirepass", "one")
	admin := server.Client()
	file := filepath.Join(t.TempDir(), "password")
	fixture.WriteFile(t, file, "one")
	log := &fixture.LogBuffer{}
	store := openStore(t, Config{
		URL: "redis://" + server.Addr(), PasswordFile: file, Timeout: 10 * time.Second, Lease: 10 * time.Second, connLifetime: 20 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	h := follow(t, store)
	h.waitBegan(t, 0)
	require.NoError(t, admin.ConfigSet(context.Background(), "requirepass", "two").Err())
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "the old one stays in use") }, servertest.Timeout, servertest.PollInterval)
	h.waitHeartbeat(t)
	assert.Equal(t, 1, h.beganCount())
	require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
	announce(t, store, "alice")
	waitDelivered(t, h, []string{"alice"})
	assert.Equal(t, 1, h.beganCount())
}

func TestSentinelPasswordIsReadForEachConnection(t *testing.T) {
	t.Parallel()
	pair := servertest.StartSentinel(t)
	sentinel, master := pair.Sentinel.Client().Conn(), pair.Master().Client() // a connection stays authenticated
	ctx := context.Background()
	require.NoError(t, sentinel.Do(ctx, "ACL", "SETUSER", "default", "resetpass", ">s3cret-one").Err())
	file := filepath.Join(t.TempDir(), "password")
	fixture.WriteFile(t, file, "s3cret-one\n")
	store := openStore(t, Config{URL: pair.URL(), Timeout: 10 * time.Second, SentinelPasswordFile: file})
	require.NoError(t, roundTrip(store, "alice"))

	require.NoError(t, sentinel.Do(ctx, "ACL", "SETUSER", "default", "resetpass", ">s3cret-two").Err())
	cut := func() {
		for _, kind := range []string{"normal", "pubsub"} {
			require.NoError(t, sentinel.Do(ctx, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err())
		}
		cutClients(t, master)
	}
	cut()
	require.Eventually(t, func() bool {
		err := roundTrip(store, "alice")
		assert.NotContains(t, fmt.Sprint(err), "s3cret")
		return err != nil
	}, servertest.Timeout, servertest.PollInterval, "the old password is no longer valid")
	fixture.WriteFile(t, file, "s3cret-two\n")
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}
