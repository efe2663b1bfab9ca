package redisstore

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// Config says which Redis several sidecars share, as a cache and to tell each other of changes.
type Config struct {
	// URL is redis://[user:password@]host[:port][/db], the same with rediss:// for TLS, or unix:///path[?db=n]. For
	// Sentinel it names the Sentinels and the master: redis://s1:26379,s2:26379/0?master_name=main. For Cluster, some
	// of the nodes: redis://n1:6379,n2:6379?cluster=true. An address can also be added by ?addr=host:port.
	URL string
	// Username and Password go before those of the URL. PasswordFile goes before both; it is read again for each
	// connection, so that a password can be changed while the sidecar runs.
	Username, Password, PasswordFile string
	// SentinelUsername and SentinelPassword are for the Sentinels themselves. SentinelPasswordFile goes before the password;
	// it is read again for each connection.
	SentinelUsername, SentinelPassword, SentinelPasswordFile string
	// CAFile has the certificates (PEM) that the server's is checked against, instead of the system's. CertFile and
	// KeyFile are the client's own. They are read again for each connection. All need rediss://.
	CAFile, CertFile, KeyFile string
	// Timeout bounds each read and write of a fact; 100 ms where it is 0.
	Timeout time.Duration
	// Lease is how long nothing may be heard of the stream before facts are doubted; 1 s where it is 0. The stream is
	// asked five times as often.
	Lease time.Duration
	// StreamLength is how many announcements are kept, about; 10,000 where it is 0.
	StreamLength int
	// Prefix begins every key; "wk1" where it is empty.
	Prefix string
	// Logger is told when the stream is lost and followed again; nil for none.
	Logger *slog.Logger

	life time.Duration // of connections; 0 means [rotation.MaxAge]
}

const (
	shortestLease  = 100 * time.Millisecond
	longestLease   = time.Minute
	longestTimeout = 10 * time.Second
	mostRetained   = 1_000_000
	longestPrefix  = 64
)

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = 100 * time.Millisecond
	}
	if c.Lease == 0 {
		c.Lease = time.Second
	}
	if c.StreamLength == 0 {
		c.StreamLength = 10_000
	}
	if c.Prefix == "" {
		c.Prefix = "wk1"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.life == 0 {
		c.life = rotation.MaxAge
	}
	return c
}

// Validate names every fault, and reads the files. It does not connect. No fault has a password in it.
func (c Config) Validate() error {
	_, _, err := c.withDefaults().options()
	return err
}

// options checks the config, and gives what both clients have in common.
func (c Config) options() (*redis.UniversalOptions, dialer, error) {
	a, err := parseRedisURL(c.URL)
	faults := []error{err}
	if c.Timeout < time.Millisecond || c.Timeout > longestTimeout {
		faults = append(faults, fmt.Errorf("timeout must be from 1ms to %s", longestTimeout))
	}
	if c.Lease < shortestLease || c.Lease > longestLease {
		faults = append(faults, fmt.Errorf("lease must be from %s to %s", shortestLease, longestLease))
	}
	if c.StreamLength < 1 || c.StreamLength > mostRetained {
		faults = append(faults, fmt.Errorf("stream length must be from 1 to %d", mostRetained))
	}
	if len(c.Prefix) > longestPrefix || strings.ContainsFunc(c.Prefix, notInPrefix) {
		faults = append(faults, fmt.Errorf("prefix must be at most %d letters, digits and the characters . _ : -", longestPrefix))
	}
	if (c.SentinelUsername != "" || c.SentinelPassword != "" || c.SentinelPasswordFile != "") && err == nil && a.master == "" {
		faults = append(faults, errors.New("a username or password for Sentinel needs master_name in the url"))
	}
	o := &redis.UniversalOptions{
		Addrs: a.addrs, DB: a.db, MasterName: a.master, IsClusterMode: a.cluster,
		Username: a.username, Password: a.password,
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRetries: -1, MinRetryBackoff: -1, DialerRetries: 1, PipelinePoolSize: -1,
		PoolFIFO:                 true, // or else the oldest connections would never be looked at
		ConnMaxIdleTime:          c.life,
		ConnMaxLifetime:          c.life,
		ConnMaxLifetimeJitter:    c.life / 10,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	dial, err2 := c.dialer(a, err == nil)
	faults = append(faults, c.authenticate(o), err2)
	return o, dial, errors.Join(faults...)
}

func notInPrefix(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._:-", r))
}
