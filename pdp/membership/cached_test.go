package membership_test

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

// cachedUnderTest is a cached source whose origin can be given another directory.
type cachedUnderTest struct {
	*cache.Cache
	other    *cache.Cache // another sidecar, which announces changes; nil if nothing is announced
	replace  func(document string)
	document string
}

// Replace gives the origin another directory and announces every record that may have changed.
func (c *cachedUnderTest) Replace(t *testing.T, document string) {
	t.Helper()
	changes := announcementOf(t, c.document, document)
	c.replace(document)
	c.document = document
	if c.other == nil {
		return
	}
	for len(changes) > 0 {
		n := min(len(changes), membership.MaxChanges)
		require.Eventually(t, func() bool { // callers repeat an announcement until it succeeds
			_, err := c.other.Announce(t.Context(), changes[:n])
			return err == nil
		}, fixture.Timeout, 5*time.Millisecond)
		changes = changes[n:]
	}
}

// announcementOf returns a change for every record of the directories.
func announcementOf(t *testing.T, documents ...string) (changes []pdp.Change) {
	t.Helper()
	announced := map[membership.Key]bool{}
	for _, document := range documents {
		d := origintest.ParseDirectory(t, document)
		for _, u := range d.AllUsers() {
			if key := (membership.Key{Kind: membership.UserRecord, ID: u.ID()}); !announced[key] {
				announced[key] = true
				changes = append(changes, pdp.Change{Kind: pdp.UserChanged, ID: u.ID()})
			}
		}
		for _, l := range d.All {
			if key := (membership.Key{Kind: membership.LocationPointer, ID: l.ID()}); !announced[key] {
				announced[key] = true
				changes = append(changes, pdp.Change{Kind: pdp.LocationChanged, ID: l.ID()})
			}
		}
	}
	return changes
}

// testOrigin is an origin under test. Each call of open connects one more sidecar; replace gives the origin another
// directory.
type testOrigin struct {
	open    func() membership.Origin
	replace func(document string)
}

// newTestOrigin starts an origin with a directory.
type newTestOrigin func(t *testing.T, document string) testOrigin

// Every origin, with every combination of tiers, must return the same facts as a file with the same directory.
func TestCachedSourcesPassAcceptance(t *testing.T) {
	redis, database := servertest.StartRedis(t), servertest.StartPostgres(t)
	tables, views := postgresOrigin(database, "", pgorigin.DefaultChannel), postgresOrigin(database, versionless, pgorigin.DefaultChannel)
	for name, suite := range map[string]func(*testing.T){
		"application alone":                            unannounced(applicationOrigin(false)),
		"application over Redis":                       announcedThrough(redis, applicationOrigin(false)),
		"application without versions alone":           unannounced(applicationOrigin(true)),
		"application without versions over Redis":      announcedThrough(redis, applicationOrigin(true)),
		"tables alone":                                 listening(nil, tables),
		"tables over Redis":                            listening(redis, tables),
		"tables over Redis, announced":                 announcedThrough(redis, postgresOrigin(database, "", "")),
		"views without versions alone":                 listening(nil, views),
		"views without versions, unannounced":          unannounced(postgresOrigin(database, versionless, "")),
		"views without versions over Redis, announced": announcedThrough(redis, postgresOrigin(database, versionless, "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t)
		})
	}
}

// unannounced runs one sidecar that receives no changes.
func unannounced(open newTestOrigin) func(*testing.T) {
	return func(t *testing.T) {
		origintest.TestCachedSource(t, func(t *testing.T, document string) origintest.ReplaceableSource {
			o := open(t, document)
			return &cachedUnderTest{Cache: openCache(t, cache.Config{Origin: o.open(), MaxAgeChange: time.Nanosecond}), replace: o.replace, document: document}
		})
	}
}

// announcedThrough runs two sidecars with Redis. Changes are announced to the other one.
func announcedThrough(redis *servertest.Redis, open newTestOrigin) func(*testing.T) {
	return func(t *testing.T) {
		origintest.TestCachedSource(t, func(t *testing.T, document string) origintest.ReplaceableSource {
			o := open(t, document)
			shared := redisstore.Config{URL: redis.URL(), Prefix: "t" + rand.Text()}
			sidecar := func() *cache.Cache {
				store := openStore(t, shared)
				return openCache(t, cache.Config{Origin: o.open(), Announced: true, Store: store, Stream: store, MaxAgeChange: time.Hour, MaxAgeUse: time.Hour})
			}
			c := &cachedUnderTest{Cache: sidecar(), other: sidecar(), replace: o.replace, document: document}
			awaitConfirmed(t, c.Cache, c.other)
			return c
		})
	}
}

// listening runs one sidecar whose origin reports changes itself, with Redis unless it is nil.
func listening(redis *servertest.Redis, open newTestOrigin) func(*testing.T) {
	return func(t *testing.T) {
		origintest.TestCachedSource(t, func(t *testing.T, document string) origintest.ReplaceableSource {
			o := open(t, document)
			cfg := cache.Config{Origin: o.open(), MaxAgeChange: time.Hour, MaxAgeUse: time.Hour}
			if redis != nil {
				store := openStore(t, redisstore.Config{URL: redis.URL(), Prefix: "t" + rand.Text()})
				cfg.Store, cfg.Stream = store, store
			}
			c := &cachedUnderTest{Cache: openCache(t, cfg), replace: o.replace, document: document}
			require.True(t, c.Status().ByOrigin)
			awaitConfirmed(t, c.Cache)
			return c
		})
	}
}

func applicationOrigin(unversioned bool) newTestOrigin {
	return func(t *testing.T, document string) testOrigin {
		a := origintest.NewApplication(t, document)
		a.OmitVersions = unversioned
		address := a.Serve().URL
		return testOrigin{func() membership.Origin {
			h, err := httporigin.Open(httporigin.Config{URL: address + "/membership", Timeout: fixture.Timeout})
			require.NoError(t, err)
			return h
		}, a.Replace}
	}
}

// openCache opens a cached source and closes it at the end of the test.
func openCache(t testing.TB, cfg cache.Config) *cache.Cache {
	t.Helper()
	cfg.Vocabulary = fixture.Vocabulary()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := cache.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// awaitConfirmed waits until the sidecars receive changes.
func awaitConfirmed(t testing.TB, all ...*cache.Cache) {
	t.Helper()
	for _, c := range all {
		require.Eventually(t, func() bool { return c.Status().Confirmed }, fixture.Timeout, 5*time.Millisecond)
	}
}
