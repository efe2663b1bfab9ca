package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// membershipSettings are what of the directory is too much for flags: the key membership of the YAML file. Names with a
// dot are members of a section.
type membershipSettings struct {
	TTL, NegativeTTL, FetchTimeout time.Duration
	Memory                         byteSize
	Announced                      announcedChanges

	HTTP     membership.HTTPConfig
	Postgres membership.PostgresConfig
	Redis    membership.RedisConfig
}

func defaultMembership() membershipSettings {
	return membershipSettings{
		Announced: announcedSome, TTL: 10 * time.Minute, NegativeTTL: 30 * time.Second, FetchTimeout: 2 * time.Second, Memory: 256 << 20,
		HTTP: membership.HTTPConfig{Timeout: time.Second, Retries: 2, MaxConnections: 32},
		Postgres: membership.PostgresConfig{
			Tables:         membership.PostgresTables{Users: "users", Assignments: "assignments", Locations: "locations"},
			Listen:         "wardkeeper_changes",
			MaxConnections: 8, Timeout: time.Second,
		},
		Redis: membership.RedisConfig{Timeout: 100 * time.Millisecond, StreamLength: 10_000, Prefix: "wk1"},
	}
}

// table is their one table, as that of all settings is. What is set already is what it begins with.
func (m *membershipSettings) table() *pflag.FlagSet {
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

const membershipKey = "membership"

// membership reads the key of that name: settings, and sections of settings.
func (l *loader) membership(path string, value *yaml.Node) {
	if value.Tag == "!!null" {
		return
	}
	table := l.settings.membership.table()
	known := slices.Clone(sectionNames)
	table.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	seen := map[string]int{}
	l.section(path, membershipKey, "", value, func(where, name string, value *yaml.Node) {
		key := membershipKey + "." + name
		f := table.Lookup(name)
		switch {
		case seen[name] > 0:
			l.fault("%s: %s was set in line %d already: remove one of them", where, key, seen[name])
		case f == nil:
			l.fault("%s: %q is no setting: %sremove it", where, key, didYouMean(membershipKey+".", name, known))
		case value.Kind != yaml.ScalarNode:
			l.fault("%s: %s must be a single value", where, key)
		case value.Tag != "!!null":
			l.settings.origins[key] = where + ": " + key
			l.setIn(f, where+": "+key, value.Value)
		}
		seen[name] = value.Line
	})
}

var sectionNames = []string{"http", "postgres", "redis"}

// section goes through a mapping, and into the sections that are mappings themselves.
func (l *loader) section(path, name, prefix string, value *yaml.Node, take func(where, name string, value *yaml.Node)) {
	if value.Kind != yaml.MappingNode {
		l.fault("%s:%d: %s must have members, such as ttl or timeout", path, value.Line, name)
		return
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		key, member := value.Content[i], value.Content[i+1]
		named := slices.Contains(sectionNames, key.Value)
		switch {
		case prefix == "" && named && member.Tag == "!!null":
			continue
		case prefix == "" && named:
			l.section(path, name+"."+key.Value, key.Value+".", member, take)
			continue
		}
		take(path+":"+strconv.Itoa(key.Line), prefix+key.Value, member)
	}
}

// announcedChanges says which changes of the directory are announced, as the operator knows.
type announcedChanges string

const (
	announcedSome announcedChanges = "some"
	announcedAll  announcedChanges = "all" // so that silence of the stream is evidence that nothing has changed
)

// String implements [pflag.Value].
func (a *announcedChanges) String() string { return string(*a) }

// Set implements [pflag.Value].
func (a *announcedChanges) Set(s string) error {
	if s != string(announcedSome) && s != string(announcedAll) {
		return errors.New("neither some nor all")
	}
	*a = announcedChanges(s)
	return nil
}

// Type implements [pflag.Value].
func (a *announcedChanges) Type() string { return "changes" }

// byteSize is a number of bytes, written with its unit.
type byteSize int

// String implements [pflag.Value].
func (b *byteSize) String() string {
	for _, u := range byteUnits {
		if n := int(*b); n >= u.bytes && n%u.bytes == 0 {
			return strconv.Itoa(n/u.bytes) + u.name
		}
	}
	return strconv.Itoa(int(*b))
}

var byteUnits = []struct {
	name  string
	bytes int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// Set implements [pflag.Value].
func (b *byteSize) Set(s string) error {
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil || n < 0 || n > (1<<50)/u.bytes {
				return errors.New("no size")
			}
			*b = byteSize(n * u.bytes)
			return nil
		}
	}
	return errors.New("no unit")
}

// Type implements [pflag.Value].
func (b *byteSize) Type() string { return "size" }

// The ways to name a source of facts.
const (
	fileScheme     = ""
	httpScheme     = "http"
	postgresScheme = "postgres"
	otherScheme    = "other" // an address of something else
)

// schemeOf says which kind of source a directory is named as.
func schemeOf(directory string) string {
	scheme, _, ok := strings.Cut(directory, "://")
	switch {
	case ok && (scheme == "http" || scheme == "https"):
		return httpScheme
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return postgresScheme
	case ok, addressLike.MatchString(directory):
		return otherScheme
	}
	return fileScheme
}

// addressLike matches what begins as an address does. It may have a password in it, which the name of a file has not.
var addressLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)

// nameOf is a source as logs may name it: without user, password and settings.
func nameOf(directory string) string {
	switch schemeOf(directory) {
	case fileScheme:
		return directory
	case otherScheme:
		return "an address"
	}
	u, err := url.Parse(directory)
	if err != nil {
		return schemeOf(directory) + "://..."
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// How long nothing may be heard of changes: a shorter lease than this is over before a beat has come, a longer one vouches for
// what nobody has heard of for too long.
const (
	shortestLease = 100 * time.Millisecond
	longestLease  = time.Minute
)

// validateMembership finds the faults of the settings about facts.
func (s *settings) validateMembership() error {
	var faults []error
	m := &s.membership
	m.table().VisitAll(func(f *pflag.Flag) {
		if d, err := time.ParseDuration(f.Value.String()); f.Value.Type() == "duration" && err == nil && d <= 0 {
			faults = append(faults, fmt.Errorf("%s is %s: it must be longer than nothing", s.origin(membershipKey+"."+f.Name), d))
		}
	})
	for _, one := range []struct {
		name string
		n    int
	}{{"http.max_connections", m.HTTP.MaxConnections}, {"postgres.max_connections", m.Postgres.MaxConnections}, {"redis.stream_length", m.Redis.StreamLength}} {
		if one.n < 1 {
			faults = append(faults, fmt.Errorf("%s is %d: it must be 1 at least", s.origin(membershipKey+"."+one.name), one.n))
		}
	}
	if s.Lease > longestLease || s.Lease > 0 && s.Lease < shortestLease {
		faults = append(faults, fmt.Errorf("%s is %s: say %s to %s", s.origin("lease"), s.Lease, shortestLease, longestLease))
	}
	if m.Memory < 1<<20 {
		faults = append(faults, fmt.Errorf("%s is %s: the in-process cache needs 1MiB at least", s.origin(membershipKey+".memory"), &m.Memory))
	}
	if m.HTTP.Retries < 0 {
		faults = append(faults, fmt.Errorf("%s is negative: 0 means no retries", s.origin(membershipKey+".http.retries")))
	}
	if m.Announced == announcedAll && s.Redis == "" {
		faults = append(faults, fmt.Errorf("%s is all, and no Redis is named: without one a sidecar hears only what is announced to itself; "+
			"name one with %s, or leave announced at some", s.origin(membershipKey+".announced"), s.origin("redis")))
	}
	switch schemeOf(s.Directory) {
	case otherScheme:
		faults = append(faults, fmt.Errorf("%s is an address that begins neither with https:// nor with postgres://: name one that does, or a file",
			s.origin("directory")))
	case fileScheme:
		for _, one := range []struct{ flag, value string }{{"redis", s.Redis}, {"changes-token-file", s.ChangesTokenFile}} {
			if one.value != "" {
				faults = append(faults, fmt.Errorf("%s is for a directory of postgres:// or https://: a file is read as a whole, by each sidecar for itself", s.origin(one.flag)))
			}
		}
	}
	return errors.Join(faults...)
}

// cached is where facts come from, where they do not come from a file; nil where they do.
func (s *settings) cached(logger *slog.Logger) (cfg *membership.CachedConfig, err error) {
	if s.Directory == "" || schemeOf(s.Directory) == fileScheme {
		return nil, nil
	}
	m := s.membership
	cfg = &membership.CachedConfig{
		Announced: m.Announced == announcedAll, MaxAgeChange: s.MaxAgeChange, MaxAgeUse: s.MaxAgeUse, Lease: s.Lease,
		TTL: m.TTL, NegativeTTL: m.NegativeTTL, FetchTimeout: m.FetchTimeout, Memory: int(m.Memory), Logger: logger,
	}
	if s.Redis != "" {
		redis := m.Redis
		redis.URL = s.Redis
		cfg.Redis = &redis
	}
	cfg.Origin, err = s.membershipOrigin(logger)
	return cfg, err
}

// membershipOrigin opens the system of record. What it listens to is only listened to where a channel is named.
func (s *settings) membershipOrigin(logger *slog.Logger) (membership.Origin, error) {
	if schemeOf(s.Directory) == httpScheme {
		c := s.membership.HTTP
		c.URL, c.Logger = s.Directory, logger
		if c.Retries == 0 {
			c.Retries = -1 // for the origin, 0 is its default
		}
		return membership.OpenHTTP(c)
	}
	c := s.membership.Postgres
	c.URL, c.Logger, c.Beat = s.Directory, logger, s.Lease/5
	_, c.Told = s.origins[membershipKey+".postgres.listen"] // whoever names the channel knows that it is told
	origin, err := membership.OpenPostgres(context.Background(), c)
	if err != nil {
		return nil, err
	}
	if c.Listen == "" {
		return struct{ membership.Origin }{origin}, nil
	}
	return origin, nil
}
