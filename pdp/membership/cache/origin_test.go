package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

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
