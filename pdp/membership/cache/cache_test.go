package cache

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// roleOf returns the role of a user's first assignment, "" if there is no such user.
func roleOf(t *testing.T, c *Cache, id string, need facts.Requirement) (string, error) {
	t.Helper()
	v, err := c.View(t.Context(), need)
	if err != nil {
		return "", err
	}
	u, err := v.User(t.Context(), id)
	if err != nil || u == nil {
		return "", err
	}
	return u.Record().Assignments[0].Role, nil
}

func assertRole(t *testing.T, c *Cache, id, role string) {
	t.Helper()
	got, err := roleOf(t, c, id, facts.Requirement{})
	require.NoError(t, err)
	assert.Equal(t, role, got)
}

func assertFails(t *testing.T, c *Cache, id string, kind pdp.Kind) {
	t.Helper()
	got, err := roleOf(t, c, id, facts.Requirement{})
	require.Error(t, err, "it said %q", got)
	assert.Equal(t, kind, pdp.KindOf(err))
}

func announceUser(t *testing.T, c *Cache, id string) string {
	t.Helper()
	token, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: id}})
	require.NoError(t, err)
	return token
}

// inBubble runs a test in a synctest bubble, with an origin that has Jane, and a shared tier.
func inBubble(t *testing.T, f func(t *testing.T, o *fakeOrigin, h *sharedTier)) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrigin()
		o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
		f(t, o, newSharedTier())
	})
}

// waitHeartbeat waits for a heartbeat, and until all other goroutines are blocked.
func waitHeartbeat() {
	time.Sleep(2 * heartbeatInterval)
	synctest.Wait()
}

func TestConfirmedRecordIsNotFetchedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		requests := o.requestCount()
		time.Sleep(8 * time.Minute)
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, requests, o.requestCount())
		time.Sleep(4 * time.Minute)
		assertRole(t, c, "jane", "ed_normal")
		assert.Greater(t, o.requestCount(), requests, "a record expires even while it is confirmed")
	})
}

func TestRevocationReachesEverySidecar(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars := []*Cache{openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)}
		waitHeartbeat()
		for _, c := range sidecars {
			assertRole(t, c, "jane", "ed_normal")
		}
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, sidecars[0], "jane")
		assertRole(t, sidecars[0], "jane", "ed_admin")
		synctest.Wait()
		for _, c := range sidecars {
			assertRole(t, c, "jane", "ed_admin")
		}
	})
}

// After the stream is lost, records are fetched again before they are used.
func TestLostStreamLeavesRecordsUnconfirmed(t *testing.T) {
	for name, breaks := range map[string]func(h *sharedTier, p *tierClient){
		"down":  func(h *sharedTier, p *tierClient) { h.set(func() { h.down = true }) },
		"cut":   func(h *sharedTier, p *tierClient) { h.set(func() { p.disconnected = true }) },
		"empty": func(h *sharedTier, p *tierClient) { h.wipe() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				p := h.connect()
				c := openCache(t, o, p, nil)
				waitHeartbeat()
				assertRole(t, c, "jane", "ed_normal")
				o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi")) // not announced
				assertRole(t, c, "jane", "ed_normal")
				breaks(h, p)
				waitHeartbeat()
				assertRole(t, c, "jane", "ed_admin")
			})
		})
	}
}

func TestSingleSidecarWithoutStore(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		assertRole(t, c, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		time.Sleep(4900 * time.Millisecond)
		assertRole(t, c, "jane", "ed_normal")
		time.Sleep(200 * time.Millisecond)
		role, err := roleOf(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err)
		assert.Equal(t, "ed_normal", role)
		assertRole(t, c, "jane", "ed_admin")
		o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
		token := announceUser(t, c, "jane")
		assertRole(t, c, "jane", "ed_normal")
		_, err = roleOf(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
	})
}
