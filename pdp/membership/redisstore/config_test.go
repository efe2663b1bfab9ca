package redisstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]address{
		"redis://localhost":                            {addrs: []string{"localhost:6379"}},
		"redis://localhost:7000/3":                     {addrs: []string{"localhost:7000"}, db: 3},
		"redis://localhost/?db=4":                      {addrs: []string{"localhost:6379"}, db: 4},
		"rediss://me:p%40ss%3A@cache":                  {addrs: []string{"cache:6379"}, tls: true, username: "me", password: "p@ss:"},
		"redis://:a@b:c@cache":                         {addrs: []string{"cache:6379"}, password: "a@b:c"},
		"redis://[::1]:7000,[fe80::2]?cluster=true":    {addrs: []string{"[::1]:7000", "[fe80::2]:6379"}, cluster: true},
		"redis://a:1,b/0?cluster=true&addr=c&addr=d:4": {addrs: []string{"a:1", "b:6379", "c:6379", "d:4"}, cluster: true},
		"redis://a,b:1/2?master_name=main":             {addrs: []string{"a:26379", "b:1"}, master: "main", db: 2},
		"redis://a?sentinel=main&cluster=false":        {addrs: []string{"a:26379"}, master: "main"},
		"unix:///run/redis.sock?db=2":                  {addrs: []string{"/run/redis.sock"}, unix: true, db: 2},
		"unix://u:p@/run/r%20s.sock":                   {addrs: []string{"/run/r s.sock"}, unix: true, username: "u", password: "p"},
	} {
		got, err := parseURL(raw)
		assert.NoError(t, err, raw)
		assert.Equal(t, want, got, raw)
	}
	for raw, want := range map[string]string{
		"":                                     "url is missing",
		"localhost:6379":                       "must begin with",
		"http://s3cret@a":                      "must begin with",
		"redis://":                             "host is missing",
		"redis://s3cret:s3cret@":               "host is missing",
		"redis://a:s3cret@h:99999":             "port must be",
		"redis://h:0":                          "port must be",
		"redis://h:1:2":                        "host:port",
		"redis://a b":                          "malformed",
		"redis://h/x":                          "database",
		"redis://h/-1":                         "database",
		"redis://h/1/2":                        "database",
		"redis://a:s3cret%zz@h":                "percent-encoded",
		"redis://a:b?s3cret@h":                 "%3F",
		"redis://a:b?s3cret&c@h":               "%3F",
		"redis://a:s3cret#x@h":                 "fragment",
		"redis://h?pool_size=3":                `unknown url parameter "pool_size"`,
		"redis://h?db=1&db=2":                  "twice",
		"redis://h?cluster=yes":                "true or false",
		"redis://h?master_name=":               "one name",
		"redis://h?master_name=a&sentinel=b":   "one name",
		"redis://h?master_name=a&cluster=true": "exclude",
		"redis://h/1?cluster=true":             "database 0",
		"redis://a,b":                          "several addresses",
		"redis://a?addr=":                      "several addresses",
		"redis://a?%zz":                        "query",
		"unix://run/redis.sock":                "absolute path",
		"unix:///a?cluster=true":               "single server",
		"redis://" + strings.Repeat("h,", maxAddresses) + "h?cluster=true": "more than",
	} {
		_, err := parseURL(raw)
		assert.ErrorContains(t, err, want, raw)
		if err != nil {
			assert.NotContains(t, err.Error(), "s3cret")
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, raw := range []string{"redis://u:s3cret@h:1,g/2?cluster=true", "unix://u:s3cret@/a?db=1", "rediss://[::1]?master_name=m&addr=x"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := parseURL(raw)
		if err == nil {
			require.NotEmpty(t, a.addrs)
			require.False(t, a.cluster && a.master != "")
			return
		}
		// The name of a parameter may be quoted, and may be the same text.
		if credentials, rest, ok := strings.Cut(raw, "@"); ok && !strings.Contains(credentials, "?") && !strings.Contains(rest, "s3cret") {
			require.NotContains(t, err.Error(), "s3cret")
		}
	})
}

func TestValidateReportsEveryFaultWithoutPasswords(t *testing.T) {
	err := Config{
		URL: "redis://u:s3cret@h/x", Timeout: time.Hour, Lease: time.Millisecond, StreamLength: -1, Prefix: "{x}",
		PasswordFile: "/nowhere", CertFile: "/nowhere/s3cret",
	}.Validate()
	for _, want := range []string{"database", "timeout", "lease", "stream length", "prefix", "password file", "key must be given"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "s3cret")
	_, err = Open(Config{URL: "redis://h?x=1"})
	assert.ErrorContains(t, err, "unknown")
	for want, cfg := range map[string]Config{
		"need rediss://": {URL: "redis://h", CAFile: "config_test.go"},
		"CA file":        {URL: "rediss://h", CAFile: "config_test.go"},
		"certificate":    {URL: "rediss://h", CertFile: "config_test.go", KeyFile: "config_test.go"},
		"Sentinel":       {URL: "redis://h", SentinelPassword: "s3cret"},
	} {
		err := cfg.Validate()
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, fmt.Sprint(err), "s3cret")
	}
	assert.NoError(t, Config{URL: "rediss://h"}.Validate())
}

func TestPasswordSourcesOverrideEachOther(t *testing.T) {
	server := servertest.StartRedis(t, "--requirepass", "s3cret")
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	for name, cfg := range map[string]Config{
		"url":             {URL: server.URL()},
		"field over url":  {URL: strings.Replace(server.URL(), "s3cret", "wrong", 1), Password: "s3cret"},
		"file over field": {URL: "redis://" + server.Addr(), Password: "wrong", PasswordFile: file},
		"username":        {URL: "redis://" + server.Addr(), Username: "default", Password: "s3cret"},
	} {
		cfg.Timeout = 10 * time.Second
		assert.NoError(t, roundTrip(openStore(t, cfg), "alice"), name)
	}
	store := openStore(t, Config{URL: "redis://:wr0ng@" + server.Addr(), Timeout: 10 * time.Second})
	err := roundTrip(store, "alice")
	require.ErrorContains(t, err, "WRONGPASS")
	assert.NotContains(t, err.Error(), "wr0ng")
	_, err = store.Announce(ctx, userChange("alice"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "wr0ng")
}

func TestPasswordFileIsReadForEachConnection(t *testing.T) {
	server := servertest.StartRedis(t, "--requirepass", "old")
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	store := openStore(t, Config{URL: "redis://" + server.Addr(), PasswordFile: file, Timeout: 10 * time.Second})
	h := follow(t, store)
	h.waitBegan(t, 0)
	admin := server.Client()
	require.NoError(t, admin.ConfigSet(context.Background(), "requirepass", "new").Err())
	require.NoError(t, admin.Do(context.Background(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	require.NoError(t, os.WriteFile(file, []byte("new"), 0o600))
	h.waitBegan(t, 1)
	require.NoError(t, roundTrip(store, "alice"))
}

func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "wk") // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	servertest.StartRedis(t, "--unixsocket", socket)
	store := openStore(t, Config{URL: "unix://" + socket + "?db=1", Timeout: 10 * time.Second})
	require.NoError(t, roundTrip(store, "alice"))
	follow(t, store).waitBegan(t, 0)
}
