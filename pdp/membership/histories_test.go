package membership

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// restore brings an origin back to a state of before under another history, and gives Jane a record in it.
func (o *fakeOrigin) restore(history string, version uint64, record string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.history, o.version = history, version
	for key := range o.versions {
		o.versions[key] = version
	}
	o.users["jane"] = json.RawMessage(record)
}

// TestARestoredSource: records of a database that was restored are taken at once, older though their versions are, and what
// was vouched for before is not.
func TestARestoredSource(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		o.set(func() { o.history = "one" })
		for range 5 {
			o.setUser("jane", nurse("jane", "ed_admin", "ghi"))
		}
		c, hear := openTelling(t, o, h.port(), true, nil)
		hear.Began(time.Now(), "one")
		settled()
		sees(t, c, "jane", "ed_admin")
		require.True(t, vouchedFor(t, c, "jane"))

		o.restore("two", 1, nurse("jane", "ed_normal", "ghi"))
		hear.Changed([]pdp.Change{{Kind: pdp.AnythingChanged}}) // while the channel is still that of before
		sees(t, c, "jane", "ed_normal")
		assert.False(t, vouchedFor(t, c, "jane"), "it was read elsewhere than where is listened")
		hear.Lost(errDown)
		hear.Began(time.Now(), "two")
		time.Sleep(time.Millisecond)
		sees(t, c, "jane", "ed_normal")
		assert.True(t, vouchedFor(t, c, "jane"))
		assert.Zero(t, c.Status().Failures)

		// The same versions come again, with other content, and are believed.
		o.setUser("jane", nurse("jane", "ed_admin", "ghi"))
		hear.Changed(ofVersion("jane", o.current("jane")))
		sees(t, c, "jane", "ed_admin")
	})
}

// TestARestoredSourceThatIsNotListenedTo is believed as soon as a record is fetched again, and shared values of before are not.
func TestARestoredSourceThatIsNotListenedTo(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		var log bytes.Buffer
		o.set(func() { o.history = "one" })
		for range 5 {
			o.setUser("jane", nurse("jane", "ed_admin", "ghi"))
		}
		first := openFake(t, o, h.port(), func(cfg *CachedConfig) {
			cfg.Announced, cfg.Logger = false, slog.New(slog.NewTextHandler(&log, nil))
		})
		second := openFake(t, o, h.port(), func(cfg *CachedConfig) { cfg.Announced = false })
		settled()
		sees(t, first, "jane", "ed_admin")
		sees(t, second, "jane", "ed_admin")
		settled()
		o.restore("two", 1, nurse("jane", "ed_normal", "ghi"))
		time.Sleep(5 * time.Second)
		sees(t, first, "jane", "ed_normal")
		settled()
		sees(t, second, "jane", "ed_normal")
		settled()
		s, _, err := unpackFact(recordKey{userRecord, "jane"}, h.values[recordKey{userRecord, "jane"}])
		require.NoError(t, err)
		assert.Equal(t, "two", s.history)
		assert.Equal(t, 1, strings.Count(log.String(), "another history"))
		assert.Zero(t, first.Status().Failures)
	})
}

// TestSharedValuesOfAnotherDatabase, as of another installation with the same prefix, are not taken: the origin says which
// history is in force.
func TestSharedValuesOfAnotherDatabase(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		o.set(func() { o.history = "ours" })
		other := newFakeOrigin()
		other.set(func() { other.history = "theirs" })
		for range 5 {
			other.setUser("jane", nurse("jane", "ed_admin", "ghi"))
			other.setUser("joe", nurse("joe", "ed_admin", "ghi"))
		}
		ours, theirs := openFake(t, o, h.port(), nil), openFake(t, other, h.port(), nil)
		settled()
		o.setUser("ann", nurse("ann", "ed_normal", "ghi"))
		sees(t, ours, "ann", "ed_normal") // it knows its origin by now
		sees(t, theirs, "jane", "ed_admin")
		sees(t, theirs, "joe", "ed_admin")
		settled()
		sees(t, ours, "jane", "ed_normal")
		sees(t, ours, "joe", "")
	})
}

// TestVersionsThatDoNotMove: the later fetch is in force where a record has other content under the same version, and it is
// counted.
func TestVersionsThatDoNotMove(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		var log bytes.Buffer
		c := openFake(t, o, h.port(), func(cfg *CachedConfig) {
			cfg.Announced, cfg.Logger = false, slog.New(slog.NewTextHandler(&log, nil))
		})
		settled()
		sees(t, c, "jane", "ed_normal")
		for i, role := range []string{"ed_admin", "ed_normal", "ed_admin"} {
			o.set(func() { o.users["jane"] = json.RawMessage(nurse("jane", role, "ghi")) })
			time.Sleep(6 * time.Second)
			sees(t, c, "jane", role)
			assert.EqualValues(t, i+1, c.Status().Conflicts)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "has changed without its version"), "in a minute")
		settled()
		other := openFake(t, o, h.port(), nil)
		settled()
		sees(t, other, "jane", "ed_admin")
	})
}

// TestHistoriesAtFault: an origin that gives what cannot be a history has given no record.
func TestHistoriesAtFault(t *testing.T) {
	for _, history := range []string{strings.Repeat("h", MaxHistory+1), "a\n", "é"} {
		inBubble(t, func(t *testing.T, o *fakeOrigin, _ *hub) {
			c := openFake(t, o, nil, nil)
			o.set(func() { o.history = history })
			fails(t, c, "jane", pdp.Unavailable)
			o.set(func() { o.history = strings.Repeat("~", MaxHistory) })
			sees(t, c, "jane", "ed_normal")
		})
	}
}

// TestFetchedBeforeASuspension: what was fetched for a question is no newer for having been waited for.
func TestFetchedBeforeASuspension(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *hub) {
		c := openFake(t, o, nil, nil)
		n := needed{judge: c.judge.Load(), budget: 5 * time.Second, since: c.feed.order.Add(1)}
		e, err := c.user(t.Context(), n, "jane")
		require.NoError(t, err)
		require.Equal(t, good, c.usable(e, n))
		suspended := &record{fact: e.fact, key: e.key, judge: e.judge, user: e.user}
		suspended.asOf = time.Now().Add(-time.Minute) // the fetch began, the machine slept, and the answer came
		assert.Equal(t, stale, c.usable(suspended, n))
		assert.False(t, c.fetchedFor(suspended, n))
	})
}

// TestElapsed is by the clock that went further.
func TestElapsed(t *testing.T) {
	now := time.Now()
	assert.Equal(t, time.Hour, elapsed(now.Add(time.Hour), now))
	assert.Equal(t, time.Hour, elapsed(now.Round(0).Add(time.Hour), now), "the machine was suspended: only the wall clock went on")
	assert.Zero(t, elapsed(now, now.Round(0)))
}

// TestFactsOfTwoHistoriesInRedis: versions decide within one history, and the time of the fetch between two.
func TestFactsOfTwoHistoriesInRedis(t *testing.T) {
	tier := openTier(t, RedisConfig{URL: servertest.StartRedis(t).URL(), Timeout: 5 * time.Second})
	key := recordKey{userRecord, "alice"}
	early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
	put := func(history string, version uint64, asOf time.Time) []byte {
		value := packFact(key, stamp{version: version, asOf: asOf, history: history}, []byte("body"))
		require.NoError(t, tier.put(t.Context(), key, value, time.Minute))
		return value
	}
	kept := func(want []byte, why string) {
		got, err := tier.get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, got, why)
	}
	long := strings.Repeat("h", MaxHistory)
	first := put(long, pdp.MaxVersion, early)
	kept(first, "the first")
	put(long, 7, late)
	kept(first, "an older version of the same history")
	put(long[1:], pdp.MaxVersion, early.Add(-1))
	kept(first, "another history, fetched before")
	second := put(long[1:], 1, late)
	kept(second, "another history, fetched later")
	put("", 9, early)
	kept(second, "none, fetched before")
	third := put("", 9, late)
	kept(third, "none, fetched later")
	fourth := put("", 10, early)
	kept(fourth, "a newer version of the same history, fetched before")
	old := append([]byte("WKF\x01"), fourth[4:]...)
	require.NoError(t, tier.facts.Set(t.Context(), tier.keys.of(key), old, 0).Err())
	fifth := put("", 1, early)
	kept(fifth, "what an older release has written gives way")
}
