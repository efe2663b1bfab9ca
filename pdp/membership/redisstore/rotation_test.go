package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
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

// cutClients ends all connections but the administrator's own.
func cutClients(t *testing.T, admin *redis.Client) {
	t.Helper()
	for _, kind := range []string{"normal", "pubsub"} {
		require.NoError(t, admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err())
	}
}

// TestRedisCertificatesAreRenewed: Redis comes to another authority, by which both sides are known from then on.
func TestRedisCertificatesAreRenewed(t *testing.T) {
	t.Parallel()
	old, renewed := fixture.NewAuthority(t), fixture.NewAuthority(t)
	ca, serverCertificate, serverKey := old.WriteFiles("server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, _ := net.SplitHostPort(addr)
	server := servertest.StartRedis(t, "--tls-port", port, "--tls-cert-file", serverCertificate, "--tls-key-file", serverKey,
		"--tls-ca-cert-file", ca, "--tls-auth-clients", "yes")
	admin := server.Client() // on the plain port

	trusted, certificate, key := old.WriteFiles("client")
	log := &fixture.LogBuffer{}
	tier := openTier(t, Config{
		URL: "rediss://" + addr, Timeout: 5 * time.Second, CAFile: trusted, CertFile: certificate, KeyFile: key,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	require.NoError(t, roundTrip(tier, "alice"))

	ca, serverCertificate, serverKey = renewed.WriteFiles("server")
	require.NoError(t, admin.Do(context.Background(), "CONFIG", "SET", "tls-ca-cert-file", ca, "tls-cert-file", serverCertificate, "tls-key-file", serverKey).Err())
	cutClients(t, admin)
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.Eventually(t, func() bool { // connections that were cut are found out first
		return strings.Contains(fmt.Sprint(roundTrip(tier, "alice")), "certificate")
	}, servertest.Timeout, servertest.PollInterval, "the old authority is none any more")
	newCertificate, newKey := renewed.Issue("client")
	fixture.WriteFile(t, certificate, newCertificate)
	fixture.WriteFile(t, trusted, renewed.PEM())
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "client certificate cannot be used") }, servertest.Timeout, servertest.PollInterval)
	require.True(t, h.isLost(), "the key is not there yet")
	fixture.WriteFile(t, key, newKey)
	h.beganAgain(t, 1)
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}

// clients are the ids of the connections to a server.
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

// TestRedisConnectionsHaveALife, that of the stream as well, which is followed over the next one without a gap.
func TestRedisConnectionsHaveALife(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	admin := server.Client()
	others := clients(t, admin)
	tier := openTier(t, Config{URL: server.URL(), Timeout: 5 * time.Second, life: 50 * time.Millisecond})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	require.NoError(t, roundTrip(tier, "alice"))
	first := clients(t, admin)
	maps.DeleteFunc(first, func(id string, _ bool) bool { return others[id] })
	require.Greater(t, len(first), 1)
	var announced []string
	require.Eventually(t, func() bool {
		announced = append(announced, fmt.Sprint(len(announced)))
		announceSoon(t, tier, announced[len(announced)-1])
		require.NoError(t, roundTrip(tier, "alice"))
		for id := range clients(t, admin) {
			if first[id] {
				return false
			}
		}
		return true
	}, servertest.Timeout, servertest.PollInterval, "no connection of then is left")
	hears(t, h, announced)
	assert.Equal(t, 1, h.begunSoFar())
	assert.True(t, h.isLive())
}

// TestRedisFollowerStaysWhereItCanHear: where the new connection cannot be had, the old one is used on.
func TestRedisFollowerStaysWhereItCanHear(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, "--requirepass", "one")
	admin := server.Client()
	file := filepath.Join(t.TempDir(), "password")
	fixture.WriteFile(t, file, "one")
	log := &fixture.LogBuffer{}
	tier := openTier(t, Config{
		URL: "redis://" + server.Addr(), PasswordFile: file, Timeout: 5 * time.Second, life: 20 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	require.NoError(t, admin.ConfigSet(context.Background(), "requirepass", "two").Err())
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "the old one is used on") }, servertest.Timeout, servertest.PollInterval)
	h.nextBeat(t)
	assert.Equal(t, 1, h.begunSoFar())
	require.NoError(t, os.WriteFile(file, []byte("two"), 0o600))
	announceSoon(t, tier, "alice")
	hears(t, h, []string{"alice"})
	assert.Equal(t, 1, h.begunSoFar())
}

// TestSentinelsPasswordIsReadAgain for each connection to a Sentinel.
func TestSentinelsPasswordIsReadAgain(t *testing.T) {
	t.Parallel()
	pair := servertest.StartSentinel(t)
	sentinel, master := pair.Sentinel.Client().Conn(), pair.Master().Client() // whoever is known stays so
	ctx := context.Background()
	require.NoError(t, sentinel.Do(ctx, "ACL", "SETUSER", "default", "resetpass", ">s3cret-one").Err())
	file := filepath.Join(t.TempDir(), "password")
	fixture.WriteFile(t, file, "s3cret-one\n")
	tier := openTier(t, Config{URL: pair.URL(), Timeout: 5 * time.Second, SentinelPasswordFile: file})
	require.NoError(t, roundTrip(tier, "alice"))

	require.NoError(t, sentinel.Do(ctx, "ACL", "SETUSER", "default", "resetpass", ">s3cret-two").Err())
	cut := func() {
		for _, kind := range []string{"normal", "pubsub"} {
			require.NoError(t, sentinel.Do(ctx, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err())
		}
		cutClients(t, master)
	}
	cut()
	require.Eventually(t, func() bool {
		err := roundTrip(tier, "alice")
		assert.NotContains(t, fmt.Sprint(err), "s3cret")
		return err != nil
	}, servertest.Timeout, servertest.PollInterval, "the old password is none any more")
	fixture.WriteFile(t, file, "s3cret-two\n")
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}
