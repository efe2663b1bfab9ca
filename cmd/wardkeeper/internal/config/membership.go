package config

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

// Membership holds the settings of the key membership of the YAML file: those of membership facts, which are too many for
// flags. A dot in the name of a setting is a level of nesting in the file.
type Membership struct {
	// TTL is the maximum age of a fact, confirmed or not; NegativeTTL that of the fact that a record does not exist.
	TTL, NegativeTTL time.Duration
	// FetchTimeout limits everything done to obtain one fact.
	FetchTimeout time.Duration
	// Memory limits the in-process cache.
	Memory ByteSize
	// Announced says whether all changes to the directory are announced.
	Announced Announced

	HTTP     httporigin.Config
	Postgres pgorigin.Config
	Redis    redisstore.Config
}

const membershipKey = "membership"

// sectionNames are the nested mappings of the key membership.
var sectionNames = []string{"http", "postgres", "redis"}

func defaultMembership() Membership {
	return Membership{
		Announced: AnnouncedSome, TTL: 10 * time.Minute, NegativeTTL: 30 * time.Second, FetchTimeout: 2 * time.Second, Memory: 48 << 20,
		HTTP: httporigin.Config{Timeout: time.Second, Retries: 2, MaxConnections: 32},
		Postgres: pgorigin.Config{
			Tables:         pgorigin.Tables{Users: "users", Assignments: "assignments", Locations: "locations"},
			Listen:         "wardkeeper_changes",
			MaxConnections: 8, Timeout: time.Second,
		},
		Redis: redisstore.Config{Timeout: 100 * time.Millisecond, StreamLength: 10_000, Prefix: "wk1"},
	}
}

// table lists these settings, like the table of [Settings].
func (m *Membership) table() *pflag.FlagSet {
	t := pflag.NewFlagSet("membership", pflag.ContinueOnError)
	t.SortFlags = false
	t.DurationVar(&m.TTL, "ttl", m.TTL, "")
	t.DurationVar(&m.NegativeTTL, "negative_ttl", m.NegativeTTL, "")
	t.DurationVar(&m.FetchTimeout, "fetch_timeout", m.FetchTimeout, "")
	t.Var(&m.Memory, "memory", "")
	t.Var(&m.Announced, "announced", "")
	t.StringVar(&m.HTTP.TokenFile, "http.token_file", m.HTTP.TokenFile, "")
	t.StringVar(&m.HTTP.CertificateFile, "http.cert_file", m.HTTP.CertificateFile, "")
	t.StringVar(&m.HTTP.KeyFile, "http.key_file", m.HTTP.KeyFile, "")
	t.StringVar(&m.HTTP.CAFile, "http.ca_file", m.HTTP.CAFile, "")
	t.BoolVar(&m.HTTP.Insecure, "http.insecure", m.HTTP.Insecure, "")
	t.DurationVar(&m.HTTP.Timeout, "http.timeout", m.HTTP.Timeout, "")
	t.IntVar(&m.HTTP.Retries, "http.retries", m.HTTP.Retries, "")
	t.IntVar(&m.HTTP.MaxConnections, "http.max_connections", m.HTTP.MaxConnections, "")
	t.StringVar(&m.Postgres.Tables.Users, "postgres.users", m.Postgres.Tables.Users, "")
	t.StringVar(&m.Postgres.Tables.Assignments, "postgres.assignments", m.Postgres.Tables.Assignments, "")
	t.StringVar(&m.Postgres.Tables.Locations, "postgres.locations", m.Postgres.Tables.Locations, "")
	t.StringVar(&m.Postgres.Listen, "postgres.listen", m.Postgres.Listen, "")
	t.StringVar(&m.Postgres.ListenURL, "postgres.listen_url", m.Postgres.ListenURL, "")
	t.IntVar(&m.Postgres.MaxConnections, "postgres.max_connections", m.Postgres.MaxConnections, "")
	t.DurationVar(&m.Postgres.Timeout, "postgres.timeout", m.Postgres.Timeout, "")
	t.StringVar(&m.Redis.Username, "redis.username", m.Redis.Username, "")
	t.StringVar(&m.Redis.PasswordFile, "redis.password_file", m.Redis.PasswordFile, "")
	t.StringVar(&m.Redis.SentinelUsername, "redis.sentinel_username", m.Redis.SentinelUsername, "")
	t.StringVar(&m.Redis.SentinelPasswordFile, "redis.sentinel_password_file", m.Redis.SentinelPasswordFile, "")
	t.StringVar(&m.Redis.CAFile, "redis.ca_file", m.Redis.CAFile, "")
	t.StringVar(&m.Redis.CertFile, "redis.cert_file", m.Redis.CertFile, "")
	t.StringVar(&m.Redis.KeyFile, "redis.key_file", m.Redis.KeyFile, "")
	t.DurationVar(&m.Redis.Timeout, "redis.timeout", m.Redis.Timeout, "")
	t.IntVar(&m.Redis.StreamLength, "redis.stream_length", m.Redis.StreamLength, "")
	t.StringVar(&m.Redis.Prefix, "redis.prefix", m.Redis.Prefix, "")
	return t
}
