package cache

import (
	"context"
	"log/slog"
	"slices"
	"strings"
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

// otherVocabulary returns the vocabulary of another policy: facilities have interns instead of ed_normal, and there is
// one more level.
func otherVocabulary() pdp.Vocabulary {
	v := fixture.Vocabulary()
	v.Roles["facility"] = []string{"ed_admin", "intern"}
	v.Levels = append(slices.Clone(v.Levels), "wide")
	return v
}

// addUsersOfBothVocabularies adds users who are valid under only one vocabulary: joe under that of the fixture, jane
// (because of her role) and olga (because of her level) under otherVocabulary.
func addUsersOfBothVocabularies(o *fakeOrigin) {
	o.setUser("jane", fixture.Nurse("jane", "intern", "ghi"))
	o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
	o.setUser("olga", `{"id":"olga","username":"olga@example.org","assignments":[{"location":"smile","role":"owner","access":{"level":"wide"}}]}`)
}

// assertAdmitted checks that a view returns the admitted users and no others, by id and by username.
func assertAdmitted(t *testing.T, v facts.View, admitted ...string) {
	t.Helper()
	for _, id := range []string{"jane", "joe", "olga"} {
		for way, ask := range map[string]func() (*facts.User, error){
			"id":       func() (*facts.User, error) { return v.User(t.Context(), id) },
			"username": func() (*facts.User, error) { return v.UserByUsername(t.Context(), id+"@example.org") },
		} {
			u, err := ask()
			if slices.Contains(admitted, id) {
				if assert.NoError(t, err, "%s by %s", id, way) && assert.NotNil(t, u, "%s by %s", id, way) {
					assert.Equal(t, id, u.ID())
				}
				continue
			}
			assert.Equal(t, pdp.Unavailable, pdp.KindOf(err), "%s by %s: %v", id, way, u)
		}
	}
	page, err := v.Users(t.Context(), facts.UserQuery{})
	require.NoError(t, err)
	for i, u := range page.Users {
		assert.Contains(t, admitted, u.ID(), i)
	}
	var suspended []string
	for _, s := range page.Suspended {
		suspended = append(suspended, s.ID)
	}
	assert.ElementsMatch(t, []string{"jane", "joe", "olga"}, append(suspended, admitted...), "an invalid user costs a list that user")
}

// Cached records are validated again. A view that began before the change uses its own vocabulary to the end.
func TestNewVocabularyValidatesAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		addUsersOfBothVocabularies(o)
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		fresh := func() facts.View {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			return v
		}
		read, unread := fresh(), fresh()
		assertAdmitted(t, read, "joe")
		assert.Equal(t, []string{`user "jane"`, `user "olga"`}, c.Status().Quarantined)
		waitHeartbeat()

		c.SetVocabulary(otherVocabulary())
		assert.Empty(t, c.Status().Quarantined, "nothing has been validated yet")
		assertAdmitted(t, read, "joe")
		assertAdmitted(t, unread, "joe")
		assert.Empty(t, c.Status().Quarantined, "faults under the former vocabulary are not reported")
		assertAdmitted(t, fresh(), "jane", "olga")
		assert.Equal(t, []string{`user "joe"`}, c.Status().Quarantined)

		// An older view leaves nothing in the cache for newer ones.
		late := fresh()
		c.SetVocabulary(fixture.Vocabulary())
		assertAdmitted(t, fresh(), "joe")
		for range 3 {
			assertAdmitted(t, late, "jane", "olga")
		}
		asked := o.requestCount()
		assertRole(t, c, "joe", "ed_normal")
		assert.Equal(t, asked, o.requestCount())
		assert.Equal(t, []string{`user "jane"`, `user "olga"`}, c.Status().Quarantined)

		// Sidecars with different policies share no records.
		other := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Vocabulary = otherVocabulary() })
		waitHeartbeat()
		v, err := other.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		assertAdmitted(t, v, "jane", "olga")
		waitHeartbeat()
		c.memory = newMemory(1<<20, c.forget) // as after a restart
		assertAdmitted(t, fresh(), "joe")
	})
}

// Every read uses the vocabulary of its view, and none fails because of a change.
func TestReadsDuringVocabularyChangesAreConsistent(t *testing.T) {
	o := newFakeOrigin()
	addUsersOfBothVocabularies(o)
	c := openCache(t, o, nil, func(cfg *Config) { cfg.MaxAgeChange, cfg.Logger = time.Hour, slog.New(slog.DiscardHandler) })
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := c.View(t.Context(), facts.Requirement{})
				if !assert.NoError(t, err) {
					return
				}
				other := slices.Contains(v.(*cachedView).need.validator.Vocabulary.Levels, "wide")
				for id, admitted := range map[string]bool{"joe": !other, "jane": other, "olga": other} {
					u, err := v.User(t.Context(), id)
					if !assert.Equal(t, admitted, err == nil && u != nil, "%s, other %v: %v", id, other, err) ||
						!admitted && !assert.ErrorContains(t, err, id) || !assert.NotErrorIs(t, err, errChanging) {
						return
					}
				}
			}
		})
	}
	for i := range 300 {
		c.SetVocabulary([]pdp.Vocabulary{otherVocabulary(), fixture.Vocabulary()}[i%2])
		time.Sleep(time.Millisecond)
	}
	close(stop)
	readers.Wait()
	assertRole(t, c, "joe", "ed_normal")
}

// brokenOrigin is an origin that can deliver empty records.
type brokenOrigin struct {
	*fakeOrigin
	broken bool
}

func (r *brokenOrigin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	if r.broken {
		return &membership.RawRecord{Record: []byte(`[]`), Version: 1}, nil
	}
	return r.fakeOrigin.Organization(ctx, location)
}

func (r *brokenOrigin) Users(ctx context.Context, q facts.UserQuery) (membership.RawUsers, error) {
	if r.broken {
		return membership.RawUsers{Users: []membership.RawRecord{{Record: []byte(`{}`)}}}, nil
	}
	return r.fakeOrigin.Users(ctx, q)
}

// A record that is too large to be delivered is quarantined like another that cannot be read, and costs a list that user.
func TestRecordThatIsTooLargeIsQuarantined(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		o.setUser("large", `{"id": "large", "name": {"title": "`+strings.Repeat("x", membership.MaxRecord)+`"}}`)
		c := openCache(t, o, nil, nil)
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		page, err := v.Users(t.Context(), facts.UserQuery{})
		require.NoError(t, err)
		require.NotEmpty(t, page.Users)
		require.Len(t, page.Suspended, 1)
		assert.Equal(t, "large", page.Suspended[0].ID)
		assert.Equal(t, []string{`user "large"`}, c.Status().Quarantined)
		assertFails(t, c, "large", pdp.Unavailable)
		o.setUser("large", fixture.Nurse("large", "ed_normal", "ghi"))
		assertRole(t, c, "large", "ed_normal")
		assert.Empty(t, c.Status().Quarantined)
	})
}

// A list cannot go on after a page of nobody but users who cannot be read, unless the origin says where.
func TestPageOfUnreadableRecordsIsNoProgress(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		next := facts.Cursor{}
		c := openCache(t, o, nil, func(cfg *Config) {
			cfg.Origin = &listing{o, func() membership.RawUsers {
				return membership.RawUsers{Users: []membership.RawRecord{{Fault: membership.ErrRecordTooLarge, ID: "jane"}}, More: true, Next: next}
			}}
		})
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		q := facts.UserQuery{After: facts.Cursor{ID: "a", First: "b"}}
		page, err := v.Users(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, q.After, page.Next, "and not the beginning of the list")
		next = facts.Cursor{ID: "jane"}
		page, err = v.Users(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, next, page.Next)
	})
}

// listing is an origin that lists what it is told.
type listing struct {
	*fakeOrigin
	users func() membership.RawUsers
}

func (l *listing) Users(context.Context, facts.UserQuery) (membership.RawUsers, error) {
	return l.users(), nil
}

// A record without an id is named by the key that was requested.
func TestQuarantineDoesNotNameUsernames(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		r := &brokenOrigin{o, true}
		c := openCache(t, o, nil, func(cfg *Config) { cfg.Origin = r })
		assertFails(t, c, "jane", pdp.Unavailable)
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		_, err = v.Users(t.Context(), facts.UserQuery{})
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		assert.Equal(t, []string{`location "ghi"`}, c.Status().Quarantined)
		r.broken = false
		assertRole(t, c, "jane", "ed_normal")
		assert.Empty(t, c.Status().Quarantined)
	})
}
