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

// seen is the role that a source says a user has at a facility: "" where there is no such user.
func seen(t *testing.T, c *Cache, id string, need facts.Requirement) (string, error) {
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

func sees(t *testing.T, c *Cache, id, role string) {
	t.Helper()
	got, err := seen(t, c, id, facts.Requirement{})
	require.NoError(t, err)
	assert.Equal(t, role, got)
}

func fails(t *testing.T, c *Cache, id string, kind pdp.Kind) {
	t.Helper()
	got, err := seen(t, c, id, facts.Requirement{})
	require.Error(t, err, "it said %q", got)
	assert.Equal(t, kind, pdp.KindOf(err))
}

func announceUser(t *testing.T, c *Cache, id string) string {
	t.Helper()
	token, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: id}})
	require.NoError(t, err)
	return token
}

// inBubble runs a test in time of its own, with an origin that has Jane, and a shared tier.
func inBubble(t *testing.T, f func(t *testing.T, o *fakeOrigin, h *hub)) {
	synctest.Test(t, func(t *testing.T) {
		o := newFakeOrigin()
		o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
		f(t, o, newHub())
	})
}

// settled lets what goes on in the background come to rest, and a beat pass.
func settled() {
	time.Sleep(2 * fakeBeat)
	synctest.Wait()
}

func TestConfirmedRecordIsNotFetchedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		asked := o.questions()
		time.Sleep(8 * time.Minute)
		sees(t, c, "jane", "ed_normal")
		assert.Equal(t, asked, o.questions())
		time.Sleep(4 * time.Minute)
		sees(t, c, "jane", "ed_normal")
		assert.Greater(t, o.questions(), asked, "no fact lives longer than its time, however well vouched for")
	})
}

func TestRevocationReachesEverySidecar(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		sidecars := []*Cache{openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil)}
		settled()
		for _, c := range sidecars {
			sees(t, c, "jane", "ed_normal")
		}
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, sidecars[0], "jane")
		sees(t, sidecars[0], "jane", "ed_admin")
		synctest.Wait()
		for _, c := range sidecars {
			sees(t, c, "jane", "ed_admin")
		}
	})
}

// When the stream is lost, confirmed records are fetched again first.
func TestLostStreamLeavesRecordsUnconfirmed(t *testing.T) {
	for name, breaks := range map[string]func(h *hub, p *port){
		"down":  func(h *hub, p *port) { h.set(func() { h.down = true }) },
		"cut":   func(h *hub, p *port) { h.set(func() { p.cut = true }) },
		"empty": func(h *hub, p *port) { h.lose() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
				p := h.port()
				c := openFake(t, o, p, nil)
				settled()
				sees(t, c, "jane", "ed_normal")
				o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi")) // and nobody is told
				sees(t, c, "jane", "ed_normal")
				breaks(h, p)
				settled()
				sees(t, c, "jane", "ed_admin")
			})
		})
	}
}

func TestSingleSidecarWithoutStore(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *hub) {
		c := openFake(t, o, nil, nil)
		sees(t, c, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		time.Sleep(4900 * time.Millisecond)
		sees(t, c, "jane", "ed_normal")
		time.Sleep(200 * time.Millisecond)
		role, err := seen(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err)
		assert.Equal(t, "ed_normal", role)
		sees(t, c, "jane", "ed_admin")
		o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
		token := announceUser(t, c, "jane")
		sees(t, c, "jane", "ed_normal")
		_, err = seen(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
	})
}
