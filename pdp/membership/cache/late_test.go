package cache

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// An announcement can be late because it was sent again.
func TestLateAnnouncementDoesNotRestoreOldRecord(t *testing.T) {
	for name, versioned := range map[string]bool{"with versions": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				o.versionless = !versioned
				c := openCache(t, o, h.connect(), nil)
				waitHeartbeat()
				announce := func(role string, version uint64) {
					change := pdp.Change{Kind: pdp.UserChanged, ID: "jane", Record: []byte(fixture.Nurse("jane", role, "ghi"))}
					if versioned {
						change.Version = version
					}
					_, err := c.Announce(t.Context(), []pdp.Change{change})
					require.NoError(t, err)
					waitHeartbeat()
				}
				first := o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
				second := o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
				announce("ed_normal", second)
				announce("ed_admin", first)
				assertRole(t, c, "jane", "ed_normal")
				other := openCache(t, o, h.connect(), nil)
				waitHeartbeat()
				assertRole(t, other, "jane", "ed_normal")
				assert.Zero(t, c.Status().Failures)
			})
		})
	}
}

// A fetch that began earlier but ended later gets a lower synthetic version.
func TestLateFetchDoesNotReplaceNewerRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.versionless = true
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		versionOf := func(need facts.Requirement) (string, uint64) {
			v, err := c.View(t.Context(), need)
			require.NoError(t, err)
			u, err := v.User(t.Context(), "jane")
			require.NoError(t, err)
			return u.Record().Assignments[0].Role, u.Version()
		}
		o.set(func() { o.delay = 500 * time.Millisecond })
		var late uint64
		var asking sync.WaitGroup
		asking.Go(func() { _, late = versionOf(facts.Requirement{}) })
		time.Sleep(100 * time.Millisecond)
		o.set(func() { o.delay = 0 })
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		role, version := versionOf(facts.Requirement{AtLeast: []string{"1~unknown"}}) // forces a fetch
		require.Equal(t, "ed_admin", role)
		asking.Wait()
		assert.Less(t, late, version)
		role, again := versionOf(facts.Requirement{})
		assert.Equal(t, "ed_admin", role)
		assert.Equal(t, version, again)
	})
}

func TestAnnouncementDuringFetchCausesAnotherFetch(t *testing.T) {
	for name, alone := range map[string]bool{"alone": true, "with others": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				var p *tierClient
				if !alone {
					p = h.connect()
				}
				c := openCache(t, o, p, nil)
				waitHeartbeat()
				o.set(func() { o.delay = 500 * time.Millisecond })
				var asking sync.WaitGroup
				asking.Go(func() { assertRole(t, c, "jane", "ed_admin") })
				time.Sleep(100 * time.Millisecond)
				o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
				announceUser(t, c, "jane")
				asking.Wait()
			})
		})
	}
}
