package config

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// membershipSamples returns, for each setting of the block, a value that differs from its default.
func membershipSamples() map[string]string {
	return map[string]string{
		"announced": "all", "ttl": "11m0s", "negative_ttl": "31s", "fetch_timeout": "3s", "memory": "64MiB",
		"http.token_file": "t", "http.cert_file": "c", "http.key_file": "k", "http.ca_file": "ca", "http.insecure": "true", "http.timeout": "2s",
		"http.retries": "5", "http.max_connections": "7",
		"postgres.users": "app.people", "postgres.assignments": "app.roles", "postgres.locations": "app.places", "postgres.listen": "told",
		"postgres.listen_url":      "postgres://u@db/app",
		"postgres.max_connections": "9", "postgres.timeout": "4s",
		"redis.username": "u", "redis.password_file": "p", "redis.sentinel_username": "su", "redis.sentinel_password_file": "sp",
		"redis.ca_file": "rca", "redis.cert_file": "rc", "redis.key_file": "rk", "redis.timeout": "300ms", "redis.stream_length": "500", "redis.prefix": "w",
	}
}

func loaded(t *testing.T, text string) (*Settings, string, error) {
	t.Helper()
	file := writeFile(t, "c.yaml", text)
	s, err := Load(nil, map[string]string{FileFlag: file})
	return s, file, err
}

func TestMembershipSettingsAreRead(t *testing.T) {
	samples := membershipSamples()
	defaults := defaultMembership()
	defaults.table().VisitAll(func(f *pflag.Flag) {
		value, ok := samples[f.Name]
		require.True(t, ok, f.Name)
		require.NotEqual(t, value, f.Value.String(), f.Name)
		delete(samples, f.Name)
		section, name, nested := strings.Cut(f.Name, ".")
		for _, text := range []string{"membership:\n  " + f.Name + ": " + value, "membership: {" + section + ": {" + name + ": " + value + "}}"} {
			if !nested && strings.Contains(text, "{") {
				continue
			}
			s, _, err := loaded(t, text)
			require.NoError(t, err, text)
			set := 0
			s.Membership.table().VisitAll(func(g *pflag.Flag) {
				if g.Value.String() != defaults.table().Lookup(g.Name).Value.String() {
					require.Equal(t, f.Name, g.Name, "nothing else is set")
					require.Equal(t, value, g.Value.String())
					set++
				}
			})
			require.Equal(t, 1, set, text)
		}
	})
	require.Empty(t, samples, "settings that are none")
}

func TestEmptyMembershipKeepsDefaults(t *testing.T) {
	for _, text := range []string{
		"membership:", "membership: null", "membership: {}", "membership: {redis: }", "membership:\n  http:\n  postgres: null\n  ttl:", "membership: {redis: {}}",
	} {
		s, _, err := loaded(t, text)
		require.NoError(t, err, text)
		require.Equal(t, defaultMembership(), s.Membership, text)
	}
	s, _, err := loaded(t, `membership: {postgres: {listen: ""}}`)
	require.NoError(t, err)
	require.Empty(t, s.Membership.Postgres.Listen, "none is not the default")
}

func TestMembershipFaults(t *testing.T) {
	for text, want := range map[string]string{
		"membership: {tll: 5m}":                             `:1: "membership.tll" is not a setting: did you mean membership.ttl? correct or remove it`,
		"membership: {redis: {prefixx: a}}":                 `:1: "membership.redis.prefixx" is not a setting: did you mean membership.redis.prefix? correct or remove it`,
		"membership:\n  postgres:\n    lisen: a":            `:3: "membership.postgres.lisen" is not a setting: did you mean membership.postgres.listen? correct or remove it`,
		"membership: {rediss: {prefix: a}}":                 `"membership.rediss" is not a setting: did you mean membership.redis? correct or remove it`,
		"membership: {zzz: 1}":                              `:1: "membership.zzz" is not a setting: correct or remove it`,
		"membership: {http: {tls: {ca_file: a}}}":           `"membership.http.tls" is not a setting`,
		"membership: {redis: {prefix: {a: b}}}":             `membership.redis.prefix must be a single value`,
		"membership: {ttl: [1s]}":                           `membership.ttl must be a single value`,
		"membership: {ttl: {a: 1s}}":                        `membership.ttl must be a single value`,
		"membership: {redis: a}":                            `:1: membership.redis must have members, such as ttl or timeout`,
		"membership: {redis: [a]}":                          `:1: membership.redis must have members, such as ttl or timeout`,
		"membership: a":                                     `:1: membership must have members, such as ttl or timeout`,
		"membership: [ttl]":                                 `:1: membership must have members, such as ttl or timeout`,
		"membership: {ttl: 5}":                              `:1: membership.ttl is "5": use a number with a unit, such as 500ms, 10s or 2m`,
		"membership: {ttl: soon}":                           `membership.ttl is "soon": use a number with a unit`,
		"membership: {redis: {timeout: 100}}":               `membership.redis.timeout is "100": use a number with a unit`,
		"membership: {memory: 64}":                          `:1: membership.memory is "64": use a number with a unit, such as 64MiB or 1GiB`,
		"membership: {memory: 64MB}":                        `membership.memory is "64MB": use a number with a unit`,
		"membership: {memory: 1.5GiB}":                      `membership.memory is "1.5GiB": use a number with a unit`,
		"membership: {memory: -1GiB}":                       `membership.memory is "-1GiB": use a number with a unit`,
		"membership: {memory: 99999999999GiB}":              `membership.memory is "99999999999GiB": use a number with a unit`,
		"membership: {http: {insecure: maybe}}":             `membership.http.insecure is "maybe": use true or false`,
		"membership: {announced: true}":                     `membership.announced is "true": use some, or all if every change`,
		"membership: {http: {retries: many}}":               `membership.http.retries is "many": use a whole number`,
		"membership: {ttl: 1m, ttl: 2m}":                    `membership.ttl is already set in line 1: remove one of them`,
		"membership: {redis: {prefix: a}, redis.prefix: b}": `membership.redis.prefix is already set in line 1: remove one of them`,
		"membership: {ttl: 1m}\nmembership: {ttl: 2m}":      `:2: membership is already set in line 1: remove one of them`,
		"membershp: {ttl: 1m}":                              `:1: "membershp" is not a setting: did you mean membership? correct or remove it`,
	} {
		s, file, err := loaded(t, text)
		require.ErrorContains(t, err, want, text)
		require.Contains(t, err.Error(), file, text)
		require.Len(t, lines(err), 1, "%s: %v", text, err)
		require.NoError(t, s.Validate(), "what could not be read is no second fault")
	}
	// Values that parse but make no sense.
	for text, want := range map[string]string{
		"membership: {ttl: 0s}":                                   "membership.ttl is 0s: it must be positive",
		"membership: {negative_ttl: -1s}":                         "membership.negative_ttl is -1s: it must be positive",
		"membership: {redis: {timeout: 0s}}":                      "membership.redis.timeout is 0s: it must be positive",
		"membership: {memory: 1023KiB}":                           "membership.memory is 1023KiB: the in-process cache needs at least 1MiB",
		"membership: {memory: 0KiB}":                              "membership.memory is 0: the in-process cache needs at least 1MiB",
		"membership: {http: {max_connections: 0}}":                "membership.http.max_connections is 0: it must be at least 1",
		"membership: {postgres: {max_connections: -3}}":           "membership.postgres.max_connections is -3: it must be at least 1",
		"membership: {redis: {stream_length: 0}}":                 "membership.redis.stream_length is 0: it must be at least 1",
		"membership: {announced: all}\ndirectory: https://host/x": "membership.announced is all but there is no Redis",
		"lease: 1h":                                "lease is 1h0m0s: use 100ms to 1m0s",
		"lease: 10ms":                              "lease is 10ms: use 100ms to 1m0s",
		"membership: {http: {retries: -1}}":        "membership.http.retries is negative: use 0 for no retries",
		"max_age_change: 0s":                       "max_age_change is 0s: it must be positive",
		"lease: -1s":                               "lease is -1s: it must be positive",
		"redis: redis://r\ndirectory: d.yaml":      "redis requires a directory of https:// or postgres://",
		"changes_token_file: t\ndirectory: d.yaml": "changes_token_file requires a directory of https:// or postgres://",
		"redis: redis://:s3cr3t@r\n":               "redis requires a directory of https:// or postgres://",
		"directory: mysql://u:s3cr3t@host/db":      "directory is an address of an unsupported kind: use https:// or postgres://",
		"directory: postgress://u:s3cr3t@host/db":  "directory is an address of an unsupported kind",
		"directory: postgres:/u:s3cr3t@host/db":    "directory is an address of an unsupported kind",
		"directory: Postgres://u:s3cr3t@host/db":   "directory is an address of an unsupported kind",
		"directory: redis://:s3cr3t@host":          "directory is an address of an unsupported kind",
	} {
		s, file, err := loaded(t, text)
		require.NoError(t, err, text)
		require.ErrorContains(t, s.Validate(), file+":", text)
		require.ErrorContains(t, s.Validate(), want, text)
		require.NotContains(t, s.Validate().Error(), "s3cr3t")
	}
	for _, flag := range []string{"redis", "changes-token-file"} {
		s, err := Load(nil, map[string]string{"directory": "./postgres:x.yaml", flag: "x"})
		require.NoError(t, err)
		require.ErrorContains(t, s.Validate(), "--"+flag+" requires a directory of https:// or postgres://")
	}
}

func TestByteSize(t *testing.T) {
	for text, bytes := range map[string]int{"1KiB": 1 << 10, "64MiB": 64 << 20, "1 GiB": 1 << 30, "1024MiB": 1 << 30, "0MiB": 0} {
		var b ByteSize
		require.NoError(t, b.Set(text), text)
		require.Equal(t, bytes, int(b), text)
		var again ByteSize
		if bytes > 0 {
			require.NoError(t, again.Set(b.String()), "%s: %s", text, &b)
			require.Equal(t, b, again)
		}
	}
	for _, text := range []string{"", "GiB", "1", "1GB", "1 G", "-1MiB", "1.5MiB", "1048577GiB", "9223372036854775808KiB", "1e3MiB", "0x1MiB", "１MiB"} {
		b := ByteSize(7)
		require.Error(t, b.Set(text), text)
	}
}

func TestDirectoryKindAndPublicName(t *testing.T) {
	for directory, want := range map[string][2]string{
		"directory.yaml":                                   {string(FileDirectory), "directory.yaml"},
		"/etc/wardkeeper/directory.json":                   {string(FileDirectory), "/etc/wardkeeper/directory.json"},
		"./postgres:x.yaml":                                {string(FileDirectory), "./postgres:x.yaml"},
		"https://app.example.org/membership":               {string(HTTPDirectory), "https://app.example.org/membership"},
		"http://u:s3cr3t@127.0.0.1:8080/x?k=s3cr3t#s3cr3t": {string(HTTPDirectory), "http://127.0.0.1:8080/x"},
		"postgres://u:s3cr3t@db:5432/app?password=s3cr3t":  {string(PostgresDirectory), "postgres://db:5432/app"},
		"postgresql://db/app":                              {string(PostgresDirectory), "postgresql://db/app"},
		"postgres://u:s3cr3t%zz@db/app":                    {string(PostgresDirectory), "postgres://..."},
		"mysql://u:s3cr3t@db/app":                          {string(UnknownDirectory), "an address"},
		"host=db password=s3cr3t dbname=app":               {string(UnknownDirectory), "an address"},
		"HTTPS://u:s3cr3t@app":                             {string(UnknownDirectory), "an address"},
		"postgres:u:s3cr3t@db":                             {string(UnknownDirectory), "an address"},
	} {
		require.Equal(t, want, [2]string{string(KindOf(directory)), PublicName(directory)}, directory)
	}
}
