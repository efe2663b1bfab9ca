package cache

import (
	"context"
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

// A view returns the same records again even if a change has been announced since. The next view returns the new ones.
func TestViewReturnsOneState(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		jane, err := v.User(t.Context(), "jane")
		require.NoError(t, err)
		nobody, err := v.User(t.Context(), "joe")
		require.NoError(t, err)
		require.Nil(t, nobody)
		north, err := v.Location(t.Context(), "north")
		require.NoError(t, err)

		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		o.setUser("joe", fixture.Nurse("joe", "ed_admin", "ghi"))
		o.setLocations(fakeLocation{ID: "jkl", Kind: "facility", Parent: "north", Name: "New"})
		_, err = c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane"}, {Kind: pdp.UserChanged, ID: "joe"},
			{Kind: pdp.LocationChanged, ID: "jkl"}})
		require.NoError(t, err)
		next, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		l, err := next.Location(t.Context(), "jkl")
		require.NoError(t, err)
		assert.Equal(t, "New", l.Record().Name)

		again, err := v.User(t.Context(), "jane")
		require.NoError(t, err)
		assert.Same(t, jane, again)
		again, err = v.UserByUsername(t.Context(), "jane@example.org")
		require.NoError(t, err)
		assert.Same(t, jane, again)
		again, err = v.User(t.Context(), "joe")
		require.NoError(t, err)
		assert.Nil(t, again)
		l, err = v.Location(t.Context(), "jkl")
		require.NoError(t, err)
		assert.Empty(t, l.Record().Name, "the organization stays in the state of the first read")
		same, err := v.Location(t.Context(), "north")
		require.NoError(t, err)
		assert.Same(t, north, same)
		list, err := v.Users(t.Context(), facts.UserQuery{})
		require.NoError(t, err)
		assert.Same(t, jane, list.Users[0])
	})
}

// All readers get the same records even though the origin's answers differ.
func TestConcurrentReadersOfAViewGetOneState(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		v, err := c.View(t.Context(), facts.Requirement{AtLeast: []string{"1~unknown"}})
		require.NoError(t, err)
		o.set(func() { o.delay = 500 * time.Millisecond })
		users, locations := make([]*facts.User, 4), make([]*facts.Location, 4)
		var asking sync.WaitGroup
		for i := range users {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * 400 * time.Millisecond) // each begins before the previous one ends
				o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
				c.memory.drop(membership.Key{Kind: membership.UserRecord, ID: "jane"})
				var err error
				users[i], err = v.User(t.Context(), "jane")
				assert.NoError(t, err)
			})
			asking.Go(func() {
				time.Sleep(time.Duration(i) * 400 * time.Millisecond)
				o.setLocations(fakeLocation{ID: "jkl", Kind: "facility", Parent: "north", Name: "New"})
				c.memory.drop(membership.Key{Kind: membership.OrganizationRecord, ID: "metro"})
				var err error
				locations[i], err = v.Location(t.Context(), []string{"jkl", "ghi"}[i%2])
				assert.NoError(t, err)
			})
		}
		asking.Wait()
		for i := range users {
			assert.Same(t, users[0], users[i])
			assert.Same(t, locations[i%2], locations[i])
		}
		jkl, err := v.Location(t.Context(), "jkl")
		require.NoError(t, err)
		ghi, err := v.Location(t.Context(), "ghi")
		require.NoError(t, err)
		assert.Same(t, jkl.Parent(), ghi.Parent())
	})
}

// If two readers fetch a record at the same time, both get what the first reader fetched.
func TestFirstReaderDeterminesView(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		o.onRequest = func(key membership.Key) {
			if key.Kind == membership.LocationPointer {
				time.Sleep(time.Second) // so that both have fetched the account before either returns
			}
		}
		users := make([]*facts.User, 2)
		var asking sync.WaitGroup
		for i := range users {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				o.setUser("jane", fixture.Nurse("jane", []string{"ed_normal", "ed_admin"}[i], "ghi"))
				c.memory.drop(membership.Key{Kind: membership.UserRecord, ID: "jane"})
				var err error
				users[i], err = v.User(t.Context(), "jane")
				assert.NoError(t, err)
			})
		}
		asking.Wait()
		assert.Same(t, users[0], users[1])

		view := v.(*cachedView)
		gone := c.absent(view.need, membership.Key{Kind: membership.LocationPointer, ID: "clinic"}, c.tracker.BeginFetch())
		assert.Same(t, gone, view.remember("clinic", gone))
		tree, err := c.organization(t.Context(), view.need, "clinic")
		require.NoError(t, err)
		assert.Same(t, gone, view.remember("clinic", tree))
	})
}

// Its time may be over between the organization, which was found, and the next look at the context.
func TestQuestionThatEndsWhileItsFactsAreJoinedHasThemOrAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if jane, err := v.User(over, "jane"); err == nil {
			require.NotNil(t, jane)
		}
	})
}
