package pgorigin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// A password is changed during queries and listening. If the file disappears, the last password stays in use.
func TestPasswordIsReadAgain(t *testing.T) {
	const rotated = "r0tated-of-the-test"
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	u, err := url.Parse(server.Login(p.listenAt.url, "rotating", "GRANT SELECT ON users, assignments, locations TO rotating"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "passwords")
	u.User = url.User("rotating")
	write := func(password string) {
		require.NoError(t, os.WriteFile(file, []byte("*:*:*:rotating:"+password+"\n"), 0o600))
	}
	write(server.Password())
	var log bytes.Buffer
	reader := openOrigin(t, Config{URL: u.String() + "&passfile=" + url.QueryEscape(file), Listen: DefaultChannel,
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	h := watch(t, reader)
	h.heartbeatSince(time.Now())
	again := func(what string) {
		t.Helper()
		servertest.Exec(t, conn, "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = 'rotating'")
		require.NoError(t, reader.Check(context.Background()), what)
		h.heartbeatSince(time.Now())
	}
	again("the same password")
	servertest.Exec(t, conn, fmt.Sprintf("ALTER ROLE rotating PASSWORD '%s'", rotated))
	write(rotated)
	again("another password")
	require.NoError(t, os.Remove(file))
	again("no password")
	servertest.Exec(t, conn, "ALTER ROLE rotating PASSWORD 'gone'; SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = 'rotating'")
	err = reader.Check(context.Background())
	require.Error(t, err)
	require.Eventually(t, func() bool { return len(h.errs()) > 3 }, fixture.Timeout, time.Millisecond)
	h.stop()
	assert.Equal(t, 1, strings.Count(log.String(), "using the last ones"))
	for _, text := range []string{err.Error(), log.String(), fmt.Sprint(h.errs())} {
		assert.NotContains(t, text, rotated)
		assert.NotContains(t, text, server.Password())
	}
}

// Authorities, certificate and key are read for each connection. If they cannot be read, the last ones stay in use.
func TestCertificatesAreReadAgain(t *testing.T) {
	ca, certificate, key := fixture.NewAuthority(t).WriteFiles("wardkeeper")
	var log bytes.Buffer
	a, _, err := openAddress("postgres://u:p@db/app?sslmode=verify-full&sslrootcert="+url.QueryEscape(ca)+"&sslcert="+url.QueryEscape(certificate)+
		"&sslkey="+url.QueryEscape(key), time.Second, new(secrets), slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	first := a.now().TLSConfig
	require.Len(t, first.Certificates, 1)
	otherCA, otherCertificate, otherKey := fixture.NewAuthority(t).WriteFiles("wardkeeper")
	copied := func(from, to string) {
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to, data, 0o600))
	}
	for _, step := range []func(){
		func() { require.NoError(t, os.WriteFile(ca, []byte("no certificate"), 0o600)) },
		func() { copied(otherCA, ca); copied(otherCertificate, certificate) }, // but not the key yet
		func() { require.NoError(t, os.Remove(key)) },
	} {
		step()
		now := a.now().TLSConfig
		assert.True(t, first.RootCAs.Equal(now.RootCAs))
		assert.Equal(t, first.Certificates, now.Certificates)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "using the last ones"))
	copied(otherKey, key)
	now := a.now().TLSConfig
	assert.False(t, first.RootCAs.Equal(now.RootCAs))
	assert.NotEqual(t, first.Certificates, now.Certificates)
}

func TestConnectionsAreReplacedAfterTheirLifetime(t *testing.T) {
	server := servertest.StartPostgres(t)
	filler, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	p := openOrigin(t, Config{URL: filler.listenAt.url, Listen: DefaultChannel, Heartbeat: 100 * time.Millisecond, life: 50 * time.Millisecond})
	watch(t, p)
	asking, listening := map[uint32]bool{}, map[uint32]bool{} // by server process
	require.Eventually(t, func() bool {
		var pid uint32
		require.NoError(t, p.pool.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
		asking[pid] = true
		rows, err := conn.Query(t.Context(), "SELECT pid FROM pg_stat_activity WHERE query ~ '^(LISTEN|NOTIFY) '")
		require.NoError(t, err)
		pids, err := pgx.CollectRows(rows, pgx.RowTo[uint32])
		require.NoError(t, err)
		for _, pid := range pids {
			listening[pid] = true
		}
		return len(asking) > 2 && len(listening) > 2
	}, fixture.Timeout, 5*time.Millisecond)
}

// By default the driver tries each address with TLS and without; what it says of both may be the same.
func TestRefusedConnectionsAreToldOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for _, settings := range []string{"", "?sslmode=disable", "?sslmode=prefer"} {
		o, err := Open(t.Context(), Config{URL: "postgres://u:s3cr3t-pw@" + l.Addr().String() + "/app" + settings})
		require.NoError(t, err)
		err = o.Check(t.Context())
		require.ErrorContains(t, err, "dial tcp "+l.Addr().String()+": connect: connection refused")
		require.Equal(t, 1, strings.Count(err.Error(), "dial"), err)
		require.NoError(t, o.Close())
	}
}
