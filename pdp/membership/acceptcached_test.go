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
	other    *cache.Cache // another sidecar, which announces; nil where nothing is announced
	replace  func(document string)
	document string
}

// Replace gives the origin another directory, and announces what may have changed.
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
		_, err := c.other.Announce(t.Context(), changes[:n])
		require.NoError(t, err)
		changes = changes[n:]
	}
}

// announcementOf tells of every record of two directories.
func announcementOf(t *testing.T, documents ...string) (changes []pdp.Change) {
	t.Helper()
	told := map[membership.Key]bool{}
	for _, document := range documents {
		d := origintest.ParseDirectory(t, document)
		for _, u := range d.AllUsers() {
			if key := (membership.Key{Kind: membership.UserRecord, ID: u.ID()}); !told[key] {
				told[key] = true
				changes = append(changes, pdp.Change{Kind: pdp.UserChanged, ID: u.ID()})
			}
		}
		for _, l := range d.All {
			if key := (membership.Key{Kind: membership.LocationPointer, ID: l.ID()}); !told[key] {
				told[key] = true
				changes = append(changes, pdp.Change{Kind: pdp.LocationChanged, ID: l.ID()})
			}
		}
	}
	return changes
}

// behind is an origin under test: open gives it to one more sidecar, replace gives it another directory.
type behind struct {
	open    func() membership.Origin
	replace func(document string)
}

// openBehind makes an origin with a document.
type openBehind func(t *testing.T, document string) behind

// TestCachedSources holds every origin, over every kind of tier, to what a file of the same directory shows.
func TestCachedSources(t *testing.T) {
	redis, database := servertest.StartRedis(t), servertest.StartPostgres(t)
	tables, views := postgresOrigin(database, "", pgorigin.DefaultChannel), postgresOrigin(database, versionless, pgorigin.DefaultChannel)
	for name, suite := range map[string]func(*testing.T){
		"application alone":                          onlyAge(applicationOrigin(false)),
		"application over Redis":                     announcingTo(redis, applicationOrigin(false)),
		"application without versions alone":         onlyAge(applicationOrigin(true)),
		"application without versions over Redis":    announcingTo(redis, applicationOrigin(true)),
		"tables alone":                               listeningTo(nil, tables),
		"tables over Redis":                          listeningTo(redis, tables),
		"tables over Redis, announced to":            announcingTo(redis, postgresOrigin(database, "", "")),
		"views without versions alone":               listeningTo(nil, views),
		"views without versions, not listened to":    onlyAge(postgresOrigin(database, versionless, "")),
		"views without versions over Redis, told of": announcingTo(redis, postgresOrigin(database, versionless, "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t)
		})
	}
}

// onlyAge is one sidecar, which hears of no change.
func onlyAge(open openBehind) func(*testing.T) {
	return func(t *testing.T) {
		origintest.TestCachedSource(t, func(t *testing.T, document string) origintest.ReplaceableSource {
			o := open(t, document)
			return &cachedUnderTest{Cache: openCache(t, cache.Config{Origin: o.open(), MaxAgeChange: time.Nanosecond}), replace: o.replace, document: document}
		})
	}
}

// announcingTo is two sidecars with a Redis, the other of which is told of changes.
func announcingTo(redis *servertest.Redis, open openBehind) func(*testing.T) {
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

// listeningTo is a sidecar whose origin tells of changes by itself, with a Redis or without.
func listeningTo(redis *servertest.Redis, open openBehind) func(*testing.T) {
	return func(t *testing.T) {
		origintest.TestCachedSource(t, func(t *testing.T, document string) origintest.ReplaceableSource {
			o := open(t, document)
			cfg := cache.Config{Origin: o.open(), MaxAgeChange: time.Hour, MaxAgeUse: time.Hour}
			if redis != nil {
				store := openStore(t, redisstore.Config{URL: redis.URL(), Prefix: "t" + rand.Text()})
				cfg.Store, cfg.Stream = store, store
			}
			c := &cachedUnderTest{Cache: openCache(t, cfg), replace: o.replace, document: document}
			require.True(t, c.Status().Listens)
			awaitConfirmed(t, c.Cache)
			return c
		})
	}
}

func applicationOrigin(unversioned bool) openBehind {
	return func(t *testing.T, document string) behind {
		a := origintest.NewApplication(t, document)
		a.OmitVersions = unversioned
		address := a.Serve().URL
		return behind{func() membership.Origin {
			h, err := httporigin.Open(httporigin.Config{URL: address + "/membership", Timeout: fixture.Timeout})
			require.NoError(t, err)
			return h
		}, a.Replace}
	}
}

// openCache opens a cached source, closed at the end of the test.
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

// awaitConfirmed waits until sidecars hear of changes.
func awaitConfirmed(t testing.TB, all ...*cache.Cache) {
	t.Helper()
	for _, c := range all {
		require.Eventually(t, func() bool { return c.Status().Vouched }, 30*time.Second, 5*time.Millisecond)
	}
}
