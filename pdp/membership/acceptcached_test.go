package membership

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// cachedUnderTest is a cached source whose origin can be given another directory.
type cachedUnderTest struct {
	*Cached
	other    *Cached // another sidecar, which announces; nil where nothing is announced
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
		n := min(len(changes), MaxChanges)
		_, err := c.other.Announce(t.Context(), changes[:n])
		require.NoError(t, err)
		changes = changes[n:]
	}
}

// announcementOf tells of every record of two directories.
func announcementOf(t *testing.T, documents ...string) (changes []pdp.Change) {
	t.Helper()
	told := map[recordKey]bool{}
	for _, document := range documents {
		d := parsed(t, document)
		for _, u := range d.users {
			if key := (recordKey{userRecord, u.ID()}); !told[key] {
				told[key] = true
				changes = append(changes, pdp.Change{Kind: pdp.UserChanged, ID: u.ID()})
			}
		}
		for _, l := range d.locations {
			if key := (recordKey{locationPointer, l.ID()}); !told[key] {
				told[key] = true
				changes = append(changes, pdp.Change{Kind: pdp.LocationChanged, ID: l.ID()})
			}
		}
	}
	return changes
}

// TestCachedSources holds every origin, over every kind of tier, to what a file of the same directory shows.
func TestCachedSources(t *testing.T) {
	origins := map[string]func(t *testing.T, document string) (open func() Origin, replace func(document string)){
		"application":                  applicationOrigin(false),
		"application without versions": applicationOrigin(true),
	}
	redis := servertest.StartRedis(t)
	for origin, open := range origins {
		t.Run(origin, func(t *testing.T) {
			t.Run("alone", func(t *testing.T) {
				t.Parallel()
				acceptSource(t, func(t *testing.T, document string) changeable {
					origin, replace := open(t, document)
					return &cachedUnderTest{Cached: openCached(t, CachedConfig{Origin: origin(), MaxAgeChange: time.Nanosecond}), replace: replace, document: document}
				})
			})
			t.Run("over Redis", func(t *testing.T) {
				t.Parallel()
				acceptSource(t, func(t *testing.T, document string) changeable {
					origin, replace := open(t, document)
					cfg := CachedConfig{Origin: origin(), Announced: true, Redis: &RedisConfig{URL: redis.URL(), Prefix: "t" + newInstance()}}
					c := &cachedUnderTest{Cached: openCached(t, cfg), replace: replace, document: document}
					cfg.Origin = origin()
					c.other = openCached(t, cfg)
					live(t, c.Cached, c.other)
					return c
				})
			})
		})
	}
}

func applicationOrigin(unversioned bool) func(t *testing.T, document string) (func() Origin, func(string)) {
	return func(t *testing.T, document string) (func() Origin, func(string)) {
		a := newApplication(t, document)
		a.unversioned = unversioned
		address := a.serve().URL
		return func() Origin {
			h, err := OpenHTTP(HTTPConfig{URL: address + "/membership", Timeout: patient})
			require.NoError(t, err)
			return h
		}, a.replace
	}
}

// openCached opens a cached source, closed at the end of the test.
func openCached(t testing.TB, cfg CachedConfig) *Cached {
	t.Helper()
	cfg.Vocabulary = words()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := OpenCached(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// live waits until sidecars hear of changes.
func live(t testing.TB, all ...*Cached) {
	t.Helper()
	for _, c := range all {
		require.Eventually(t, func() bool { return c.Status().Vouched }, 30*time.Second, 5*time.Millisecond)
	}
}
