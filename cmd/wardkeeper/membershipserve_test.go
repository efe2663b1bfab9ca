package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// Addresses at which nothing listens.
const (
	noDatabase    = "postgres://u:s3cr3t-pw@127.0.0.1:1/app?sslmode=disable"
	noApplication = "http://127.0.0.1:1/membership"
	noRedis       = "redis://:s3cr3t-pw@127.0.0.1:2"
)

func TestCheckNamesUnreachableServers(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	database, redis := servertest.StartPostgres(t), servertest.StartRedis(t, "--requirepass", "s3cr3t-pw")
	filled, empty := database.Database(), database.Database()
	require.Zero(t, run(t, nil, "directory", "import", testDirectory, "--to", filled).status)
	application := httptest.NewServer(http.NotFoundHandler())
	defer application.Close()
	require.Contains(t, redis.URL(), "s3cr3t-pw")
	for name, c := range map[string]struct {
		directory, redis string
		want             []string // empty if all servers can be reached
		not              []string
	}{
		"nothing is there":      {noDatabase, noRedis, []string{"the database cannot answer", "127.0.0.1:1", "redis: ", "127.0.0.1:2"}, nil},
		"no database":           {noDatabase, "", []string{"the database cannot answer", "database=app", "127.0.0.1:1: connect: connection refused"}, []string{"redis"}},
		"no database, a Redis":  {noDatabase, redis.URL(), []string{"the database cannot answer", "127.0.0.1:1"}, []string{"redis"}},
		"no application":        {noApplication, "", []string{"application at 127.0.0.1:1", "connection refused"}, []string{"redis"}},
		"no Redis":              {filled, noRedis, []string{"redis: ", "127.0.0.1:2"}, []string{"the database cannot answer", "127.0.0.1:1:"}},
		"no password for Redis": {filled, "redis://" + redis.Addr(), []string{"redis: NOAUTH"}, []string{"the database cannot answer"}},
		"a wrong one":           {filled, "redis://:s3cr3t-pw2@" + redis.Addr(), []string{"redis: WRONGPASS"}, []string{"the database cannot answer"}},
		"no tables":             {empty, "", []string{"the database cannot answer", "there is no table or view users", "`wardkeeper directory schema`", "`wardkeeper directory import FILE --to URL`"}, nil},
		"a wrong password":      {strings.Replace(filled, database.Password(), "s3cr3t-pw", 1), "", []string{"the database cannot answer", "28P01"}, nil},
		"no such database":      {strings.Replace(filled, "/database_", "/nowhere_", 1), "", []string{"3D000"}, nil},
		"no such contract":      {application.URL, "", []string{"application at " + application.Listener.Addr().String()}, nil},
		"all":                   {filled, redis.URL(), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"serve", "--check", "--log-level", "error", "--directory", c.directory}
			if c.redis != "" {
				args = append(args, "--redis", c.redis)
			}
			got := run(t, nil, args...)
			if c.want == nil {
				require.Equal(t, statusOK, got.status, got)
				require.Contains(t, got.out, "All good: policy ")
				require.Contains(t, got.out, "directory "+config.PublicName(filled)+".")
			} else {
				require.Equal(t, statusFailed, got.status, got)
				require.Empty(t, got.out)
			}
			for _, want := range c.want {
				require.Contains(t, got.err, want)
			}
			for _, not := range append(c.not, "s3cr3t", database.Password(), `\u00`) {
				require.NotContains(t, got.out+got.err, not)
			}
		})
	}
}

func TestInvalidAddressesAreRefusedWithoutShowingPasswords(t *testing.T) {
	t.Parallel()
	token := writeFile(t, "token", testToken)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--directory", "postgres://u:s3cr3t-pw@127.0.0.1:port/db"}, "the database must be a URL"},
		{[]string{"--directory", "postgres://u:s3cr3t%zz@127.0.0.1/db"}, "in user and password percent-encoded"},
		{[]string{"--directory", "postgres://u:s3cr3t-pw@127.0.0.1/db?sslmode=s3cr3t-pw"}, "or in a file named there is invalid: check sslmode"},
		{[]string{"--directory", "postgres://u:s3cr3t-pw@127.0.0.1/db?sslmode=require&sslrootcert=none/ca.pem"}, "variable cannot be read: open none/ca.pem: no such file"},
		{[]string{"--directory", "postgress://u:s3cr3t-pw@127.0.0.1/db"}, "--directory is an address of an unsupported kind"},
		{[]string{"--directory", "postgress://u:s3cr3t-pw@127.0.0.1/db", "--bundle", "testdata/none"}, "--directory is an address of an unsupported kind"},
		{[]string{"--directory", "http://u:s3cr3t-pw@127.0.0.1:1/x"}, "the application's URL contains a user or password"},
		{[]string{"--directory", "https://host/x?token=s3cr3t-pw"}, "the application's URL must not have a query"},
		{[]string{"--directory", "http://host.example.org/x"}, "insecure"},
		{[]string{"--directory", noApplication, "--redis", "s3cr3t-pw"}, "redis: url must begin with redis://"},
		{[]string{"--directory", noApplication, "--redis", "redis://:s3cr3t-pw@127.0.0.1:port"}, "redis: url: a port must be a number"},
		{[]string{"--directory", noApplication, "--redis", "redis://:s3cr3t#pw@127.0.0.1"}, "redis: url has a fragment"},
		{[]string{"--directory", testDirectory, "--redis", noRedis}, "--redis requires a directory of https:// or postgres://"},
		{[]string{"--directory", testDirectory, "--changes-token-file", token}, "--changes-token-file requires a directory of https:// or postgres://"},
		{[]string{"--directory", noApplication, "--token-file", token, "--changes-token-file", token}, "--changes-token-file contains a token of --token-file"},
		{[]string{"--directory", noDatabase, "--read-timeout", "soon"}, "--read-timeout is"},
	} {
		for _, check := range []string{"--check", "--check=false"} {
			got := run(t, nil, append([]string{"serve", "--addr", "127.0.0.1:0", check}, c.args...)...)
			require.Equal(t, statusFailed, got.status, "%v: %v", c.args, got)
			require.Contains(t, got.err, c.want)
			require.Empty(t, got.out)
			for _, not := range []string{"s3cr3t", testToken, "no such file or directory\nwardkeeper: directory"} {
				require.NotContains(t, got.err, not, c.args)
			}
		}
	}
	for _, directory := range []string{noDatabase, "postgress://u:s3cr3t-pw@127.0.0.1/db"} {
		got := run(t, nil, "directory", "check", directory)
		require.Equal(t, statusFailed, got.status)
		require.NotContains(t, got.err, "s3cr3t")
	}
}

// Passwords are shown neither while everything works nor while the servers are down.
func TestServerNeverShowsPasswords(t *testing.T) {
	database, redis := servertest.StartPostgres(t), servertest.StartRedis(t, "--requirepass", "s3cr3t-pw")
	directory := database.Database()
	require.Zero(t, run(t, nil, "directory", "import", testDirectory, "--to", directory).status)
	d := startServer(t, "--directory", directory, "--redis", redis.URL(), "--log-level", "debug",
		"--changes-token-file", writeFile(t, "changes", changesToken), "--lease", "200ms", "--max-age-change", "300ms", "--max-age-use", "300ms")
	require.Equal(t, config.PublicName(directory), d.start["directory"])
	require.Contains(t, d.start["msg"], "directory "+config.PublicName(directory))
	told := d.start["msg"].(string)
	look := func() {
		for _, path := range []string{"/ready", "/v1/revision", "/metrics", "/health", "/.well-known/authzen-configuration"} {
			_, body := d.get(t, path)
			told += body
		}
		_, body := post(t, d.url, "", viewJane)
		told += body
	}
	waitUntil(t, "facts are confirmed", func() bool { return d.metric(t, "wardkeeper_membership_vouched") == 1 })
	_, body := post(t, d.url, "", viewJane)
	require.Equal(t, `{"decision":true}`, body)
	waitUntil(t, "it is ready, and facts are confirmed", func() bool { // a heartbeat may be late
		status, body := d.get(t, "/ready")
		return status == http.StatusOK && body == `{"ready":true}`
	})
	look()

	redis.Stop()
	waitUntil(t, "Redis is missed", func() bool { _, body := d.get(t, "/ready"); return strings.Contains(body, `"shared_lost":true`) })
	look()
	database.Stop()
	waitUntil(t, "the database is missed", func() bool { status, _ := d.get(t, "/ready"); return status == http.StatusServiceUnavailable })
	waitUntil(t, "facts are too old", func() bool {
		w, _ := post(t, d.url, "", viewJane)
		return w.StatusCode == http.StatusServiceUnavailable
	})
	w, body := post(t, d.url, "", viewJane)
	require.Equal(t, http.StatusServiceUnavailable, w.StatusCode)
	require.Equal(t, `{"error":"Membership facts are unavailable."}`, body)
	waitUntil(t, "the directory is missing, and facts are unconfirmed", func() bool {
		_, body := d.get(t, "/ready")
		return strings.Contains(body, `"missing":["directory"]`) && strings.Contains(body, `"not_vouched":true`)
	})
	look()

	d.signal(t, syscall.SIGTERM)
	ended, logs := d.end()
	require.Equal(t, statusOK, ended)
	require.Contains(t, logs, "connection refused")
	for _, secret := range []string{"s3cr3t", database.Password(), changesToken, "jane@example.org"} {
		require.NotContains(t, told, secret)
		require.NotContains(t, logs, secret)
	}
}
