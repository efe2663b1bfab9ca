package redisstore

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// Config configures a [Store]: the Redis that several sidecars share, as a cache and for announcements of changes.
type Config struct {
	// URL is redis://[user:password@]host[:port][/db], the same with rediss:// for TLS, or unix:///path[?db=n]. For
	// Sentinel it names the Sentinels and the master: redis://s1:26379,s2:26379/0?master_name=main. For a cluster it names
	// some of the nodes: redis://n1:6379,n2:6379?cluster=true. The parameter addr=host:port adds an address.
	URL string
	// Username and Password override those of the URL. PasswordFile overrides both; it is read again for each
	// connection, so that a password can be changed while the sidecar runs.
	Username, Password, PasswordFile string
	// SentinelUsername and SentinelPassword are for the Sentinels themselves. SentinelPasswordFile overrides the password.
	// It is read again for each connection.
	SentinelUsername, SentinelPassword, SentinelPasswordFile string
	// CAFile contains the authorities (PEM) that must have signed the server's certificate, instead of the system's.
	// CertFile and KeyFile are the client's certificate and key. They are read again for each connection. All of them
	// require rediss://.
	CAFile, CertFile, KeyFile string
	// Timeout limits each read and write of a value; 0 means 100 ms.
	Timeout time.Duration
	// Lease is how long records stay confirmed after a heartbeat of the stream; 0 means 1 s. Heartbeats are sent five
	// times as often.
	Lease time.Duration
	// StreamLength is the approximate number of stream entries kept; 0 means 10,000.
	StreamLength int
	// Prefix is the beginning of every key; empty means "wk1".
	Prefix string
	// FleetKey seals values and signs announcements. What it does not verify is not used. nil: nothing is sealed or signed,
	// and everything in Redis is believed.
	FleetKey *fleetkey.Keys
	// Logger logs when the stream is lost and followed again; nil means no log.
	Logger *slog.Logger

	connLifetime time.Duration // 0 means [rotation.MaxAge]
}

const (
	minLease        = 100 * time.Millisecond
	maxLease        = time.Minute
	maxTimeout      = 10 * time.Second
	maxStreamLength = 1_000_000
	maxPrefix       = 64
)

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, 100*time.Millisecond)
	c.Lease = cmp.Or(c.Lease, time.Second)
	c.StreamLength = cmp.Or(c.StreamLength, 10_000)
	c.Prefix = cmp.Or(c.Prefix, "wk1")
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.connLifetime = cmp.Or(c.connLifetime, rotation.MaxAge)
	return c
}

// Validate reports every fault of the config, and reads the files. It does not connect. No error contains a password.
func (c Config) Validate() error {
	_, _, err := c.withDefaults().options()
	return err
}

// options checks the config, and returns the options and the dialer that both clients share.
func (c Config) options() (*redis.UniversalOptions, dialer, error) {
	a, err := parseURL(c.URL)
	faults := []error{err}
	if c.Timeout < time.Millisecond || c.Timeout > maxTimeout {
		faults = append(faults, fmt.Errorf("timeout must be from 1ms to %s", maxTimeout))
	}
	if c.Lease < minLease || c.Lease > maxLease {
		faults = append(faults, fmt.Errorf("lease must be from %s to %s", minLease, maxLease))
	}
	if c.StreamLength < 1 || c.StreamLength > maxStreamLength {
		faults = append(faults, fmt.Errorf("stream length must be from 1 to %d", maxStreamLength))
	}
	if len(c.Prefix) > maxPrefix || strings.ContainsFunc(c.Prefix, invalidInPrefix) {
		faults = append(faults, fmt.Errorf("prefix must be at most %d letters, digits and the characters . _ : -", maxPrefix))
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
		PoolFIFO:                 true, // otherwise the age of the oldest connections would never be checked
		ConnMaxIdleTime:          c.connLifetime,
		ConnMaxLifetime:          c.connLifetime,
		ConnMaxLifetimeJitter:    c.connLifetime / 10,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	dial, err2 := c.newDialer(a, err == nil)
	faults = append(faults, c.setCredentials(o), err2)
	return o, dial, errors.Join(faults...)
}

func invalidInPrefix(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._:-", r))
}
