package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func TestOriginDownServesWithinMaxAge(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		o.set(func() { o.down = true })
		assertFails(t, c, "joe", pdp.Unavailable)
		time.Sleep(time.Minute)
		assertRole(t, c, "jane", "ed_normal") // confirmed
		h.set(func() { h.down = true })
		time.Sleep(time.Minute)
		assertFails(t, c, "jane", pdp.Unavailable)
		o.set(func() { o.down = false })
		assertRole(t, c, "jane", "ed_normal")
		assertRole(t, c, "joe", "")
		o.set(func() { o.down = true })
		time.Sleep(4 * time.Second)
		assertRole(t, c, "jane", "ed_normal")
		time.Sleep(2 * time.Second)
		assertFails(t, c, "jane", pdp.Unavailable)
		role, err := roleOf(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err, "reads may use an older record")
		assert.Equal(t, "ed_normal", role)
		time.Sleep(time.Minute)
		_, err = roleOf(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.Error(t, err)
		h.set(func() { h.down = false })
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal") // the stream is back, and nothing was announced in between
		h.wipe()
		waitHeartbeat()
		assertFails(t, c, "jane", pdp.Unavailable)
		o.set(func() { o.down = false })
		assertRole(t, c, "jane", "ed_normal")
	})
}

func TestOriginHangsServesWithinMaxAge(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		ask := func(id string) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			v, err := c.View(ctx, facts.Requirement{})
			require.NoError(t, err)
			u, err := v.User(ctx, id)
			if err != nil {
				return "", err
			}
			require.NoError(t, ctx.Err())
			return u.Record().Assignments[0].Role, nil
		}
		_, err := ask("jane")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		o.set(func() { o.delay = time.Hour })
		h.set(func() { h.down = true })
		time.Sleep(3 * time.Second)
		role, err := ask("jane")
		require.NoError(t, err)
		assert.Equal(t, "ed_normal", role)
		_, err = ask("joe")
		require.Error(t, err)
		time.Sleep(3 * time.Second)
		_, err = ask("jane")
		require.Error(t, err)
	})
}

func TestLaggingOriginIsAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		version := o.current("jane") + 1
		token, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane", Version: version}})
		require.NoError(t, err)
		asked := o.requestCount()
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, asked+maxClaimAttempts, o.requestCount())
		assert.False(t, isConfirmed(t, c, "jane"))
		asked = o.requestCount()
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, asked, o.requestCount())
		_, err = roleOf(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		o.set(func() { o.version = version - 1 })
		require.Equal(t, version, o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi")))
		role, err := roleOf(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
		assert.True(t, isConfirmed(t, c, "jane"))
	})
}

// isConfirmed reports whether a user's record is confirmed in a new view.
func isConfirmed(t *testing.T, c *Cache, id string) bool {
	t.Helper()
	v, err := c.View(t.Context(), facts.Requirement{})
	require.NoError(t, err)
	u, err := v.User(t.Context(), id)
	require.NoError(t, err)
	require.NotNil(t, u)
	return v.UserFreshness(u).Confirmed
}

func TestConcurrentQuestionsShareOneFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		announceUser(t, c, "jane")
		o.set(func() { o.delay = 500 * time.Millisecond })
		before := o.requestCount()
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				timeout := time.Second
				if i == 0 {
					timeout = 10 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				v, err := c.View(ctx, facts.Requirement{})
				require.NoError(t, err)
				_, err = v.User(ctx, "jane")
				assert.Equal(t, i == 0, errors.Is(err, context.DeadlineExceeded), "%v", err)
			})
		}
		asking.Wait()
		assert.Equal(t, before+1, o.requestCount())
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, before+1, o.requestCount())
	})
}

func TestOrganizationIsFetchedOnceForItsLocations(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		const facilities = 200
		for i := range facilities {
			o.setLocations(fakeLocation{ID: fmt.Sprint("f", i), Kind: "facility", Parent: "north"})
		}
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		o.set(func() { o.delay = 50 * time.Millisecond })
		before := o.requestCount()
		var all sync.WaitGroup
		for i := range facilities {
			all.Go(func() {
				v, err := c.View(t.Context(), facts.Requirement{})
				assert.NoError(t, err)
				l, err := v.Location(t.Context(), fmt.Sprint("f", i))
				assert.NoError(t, err)
				assert.NotNil(t, l)
			})
		}
		all.Wait()
		assert.LessOrEqual(t, o.requestCount()-before, maxOrgFetches)
	})
}

func TestErrorsAreNotCached(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		o.set(func() { o.down = true })
		assertFails(t, c, "jane", pdp.Unavailable)
		o.set(func() { o.down, o.delay = false, time.Hour })
		assertFails(t, c, "jane", pdp.Unavailable) // the origin takes too long
		o.set(func() { o.delay = 0 })
		assertRole(t, c, "jane", "ed_normal")
	})
}

func TestSyntheticVersions(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.versionless = true
		first, second := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		version := func(c *Cache) uint64 {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			u, err := v.User(t.Context(), "jane")
			require.NoError(t, err)
			return v.UserFreshness(u).Version
		}
		one := version(first)
		waitHeartbeat()
		assert.Equal(t, one, version(second))
		announceUser(t, first, "jane") // nothing has changed
		waitHeartbeat()
		assert.Equal(t, one, version(first))
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, first, "jane")
		waitHeartbeat()
		two := version(first)
		assert.Greater(t, two, one)
		waitHeartbeat()
		assert.Equal(t, two, version(second))
		h.wipe()
		waitHeartbeat()
		assert.Equal(t, two, version(first))
	})
}

func TestReadinessChecksOriginOncePerInterval(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		before := o.requestCount()
		for range 100 {
			require.NoError(t, c.CheckFacts(t.Context()))
		}
		assert.LessOrEqual(t, o.requestCount(), before+2)
		o.set(func() { o.down = true })
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, c.CheckFacts(t.Context()), errDown)
		o.set(func() { o.down = false; o.locations = map[string]fakeLocation{} })
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, c.CheckFacts(t.Context()), pdp.ErrNoLocations)
	})
}

// Where the origin is proven to answer, readiness asks it seldom: as long as no question fails, and the proof has no gap.
func TestReadinessBelievesTheProofThatTheOriginAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c, hear := openWatched(t, o, h.connect(), true, func(cfg *Config) { cfg.Logger = slog.New(slog.DiscardHandler) })
		checks := func(d time.Duration) int {
			before := o.requestCount()
			for end := time.Now().Add(d); time.Now().Before(end); {
				time.Sleep(time.Second)
				require.NoError(t, c.CheckFacts(t.Context()))
			}
			return (o.requestCount() - before) / 2
		}
		assert.GreaterOrEqual(t, checks(10*time.Second), 9, "nothing is proven")
		hear.Began(time.Now(), "")
		waitHeartbeat()
		assert.Zero(t, checks(time.Minute))
		assert.LessOrEqual(t, checks(time.Hour), 12)
		assert.GreaterOrEqual(t, checks(time.Hour), 5, "the own way to the origin is tried now and then")

		ask := func(id string) {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			_, _ = v.User(t.Context(), id)
		}
		o.set(func() { o.down = true })
		require.NoError(t, c.CheckFacts(t.Context()), "whoever listens for all sees it sooner")
		ask("somebody")
		time.Sleep(checkInterval)
		require.ErrorIs(t, c.CheckFacts(t.Context()), errDown, "the origin does not answer this sidecar")
		o.set(func() { o.down = false })
		assert.Equal(t, 1, checks(10*time.Second), "it has answered since")

		o.set(func() { o.down = true })
		ask("somebody else")
		hear.Lost(errDown)
		time.Sleep(checkInterval)
		require.ErrorIs(t, c.CheckFacts(t.Context()), errDown)
		o.set(func() { o.down = false })
		hear.Began(time.Now(), "")
		time.Sleep(checkInterval)
		assert.Zero(t, checks(10*time.Second), "an outage for all is over for all: they do not connect at once")

		hear.Lost(errDown)
		assert.Zero(t, checks((takeoverLeases-1)*time.Second), "another sidecar takes the place of the one that listened")
		hear.Began(time.Now(), "")
		assert.Zero(t, checks(10*time.Second))
		hear.Lost(errDown)
		assert.GreaterOrEqual(t, checks(3*takeoverLeases*time.Second), takeoverLeases, "none does")
		hear.Began(time.Now(), "")
		waitHeartbeat()
		assert.Zero(t, checks(time.Second))
		hear.Lost(errDown)
		o.set(func() { o.down = true })
		ask("yet another")
		require.ErrorIs(t, c.CheckFacts(t.Context()), errDown, "a question has failed")
		time.Sleep(checkInterval)
		o.set(func() { o.down = false })
		hear.Began(time.Now(), "")
		time.Sleep(checkInterval)
		assert.Zero(t, checks(10*time.Second))

		o.setUser("broken", fixture.Nurse("broken", "ed_normal", ""))
		ask("broken")
		assert.Zero(t, checks(10*time.Second), "a faulty record is not the origin's failure to answer")
		o.set(func() { o.locations = map[string]fakeLocation{} })
		time.Sleep(checkLife)
		require.ErrorIs(t, c.CheckFacts(t.Context()), pdp.ErrNoLocations)
	})
}

// While memory can still answer, a server whose origin is down must stay with its load balancer; afterwards it must not.
func TestReadinessIsDegradedAsLongAsMemoryCanAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		degraded := func() bool {
			t.Helper()
			time.Sleep(2 * checkInterval)
			err := c.CheckFacts(t.Context())
			require.ErrorIs(t, err, errDown)
			_, ok := errors.AsType[*pdp.DegradedError](err)
			return ok
		}
		use := func(id string) error {
			v, err := c.View(t.Context(), facts.Requirement{ReadOnly: true})
			require.NoError(t, err)
			_, err = v.User(t.Context(), id)
			return err
		}
		o.set(func() { o.down = true })
		require.False(t, degraded(), "memory is empty")
		o.set(func() { o.down = false })
		_, err := c.origin.Organization(t.Context(), "metro")
		require.NoError(t, err)
		require.NoError(t, use("nobody"))
		o.set(func() { o.down = true })
		require.False(t, degraded(), "that somebody does not exist answers nothing")

		o.set(func() { o.down = false })
		require.NoError(t, use("jane"))
		o.set(func() { o.down = true })
		require.True(t, degraded())
		require.NoError(t, use("jane"))
		c.memory.drop(membership.Key{Kind: membership.OrganizationRecord, ID: "metro"})
		require.False(t, degraded(), "a user without organization is not enough")

		o.set(func() { o.down = false })
		require.NoError(t, use("jane"))
		o.set(func() { o.down = true })
		require.True(t, degraded())
		time.Sleep(c.cfg.MaxAgeUse)
		require.False(t, degraded(), "facts are too old for any question")
		require.Error(t, use("jane"))

		o.set(func() { o.down = false })
		require.NoError(t, use("jane"))
		o.set(func() { o.locations = map[string]fakeLocation{} })
		time.Sleep(2 * checkInterval)
		err = c.CheckFacts(t.Context())
		require.ErrorIs(t, err, pdp.ErrNoLocations)
		_, ok := errors.AsType[*pdp.DegradedError](err)
		require.False(t, ok, "an empty directory allows nobody anything")
	})
}

// Confirmed facts do not age: the server stays ready until they expire.
func TestReadinessIsDegradedAsLongAsTheStreamConfirms(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Announced = true })
		waitHeartbeat()
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		_, err = v.User(t.Context(), "jane")
		require.NoError(t, err)
		o.set(func() { o.down = true })
		degraded := func() bool {
			time.Sleep(2 * checkInterval)
			_, ok := errors.AsType[*pdp.DegradedError](c.CheckFacts(t.Context()))
			return ok
		}
		time.Sleep(3 * c.cfg.MaxAgeUse)
		require.True(t, degraded())
		time.Sleep(2 * c.cfg.TTL)
		require.False(t, degraded())
	})
}

// A question that requires current facts is not answered by what is known, however fresh, nor by Redis.
func TestCurrentFactsAreThoseOfTheOrigin(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		before := o.requestCount()
		assertRole(t, c, "jane", "ed_normal")
		require.Equal(t, before, o.requestCount())
		role, err := roleOf(t, c, "jane", facts.Requirement{Current: true})
		require.NoError(t, err)
		assert.Equal(t, "ed_normal", role)
		assert.Greater(t, o.requestCount(), before)
		o.set(func() { o.down = true })
		_, err = roleOf(t, c, "jane", facts.Requirement{Current: true, ReadOnly: true})
		require.Error(t, err)
		assertRole(t, c, "jane", "ed_normal")
	})
}
