package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
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

func TestVouchedFactsAreNotFetchedAgain(t *testing.T) {
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

func TestAFactOfAnotherSidecarIsFoundInTheSharedTier(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first, second := openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil)
		settled()
		sees(t, first, "jane", "ed_normal")
		settled()
		asked := o.questions()
		sees(t, second, "jane", "ed_normal")
		assert.Equal(t, asked, o.questions())
	})
}

func TestARevocationIsSeenByAll(t *testing.T) {
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

// TestNobodyIsAnnounced: what was not there is looked for again once somebody has changed.
func TestNobodyIsAnnounced(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		byUsername := func() *facts.User {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			u, err := v.UserByUsername(t.Context(), "JOE@example.org")
			require.NoError(t, err)
			return u
		}
		sees(t, c, "joe", "")
		require.Nil(t, byUsername())
		asked := o.questions()
		sees(t, c, "joe", "")
		require.Nil(t, byUsername())
		require.Equal(t, asked, o.questions(), "that there is nobody is kept too")
		o.setUser("joe", fixture.Nurse("joe", "ed_normal", "jkl"))
		announceUser(t, c, "joe")
		sees(t, c, "joe", "ed_normal")
		require.NotNil(t, byUsername())
		o.setUser("joe", "")
		announceUser(t, c, "joe")
		sees(t, c, "joe", "")
		require.Nil(t, byUsername())
	})
}

func TestAUsernameThatPassesToSomebodyElse(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		whose := func(username string) string {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			u, err := v.UserByUsername(t.Context(), username)
			require.NoError(t, err)
			if u == nil {
				return ""
			}
			return u.ID()
		}
		require.Equal(t, "jane", whose("jane@example.org"))
		o.setUser("jane", `{"id":"jane","username":"jane.doe@example.org"}`)
		o.setUser("jana", `{"id":"jana","username":"jane@example.org"}`)
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane"}, {Kind: pdp.UserChanged, ID: "jana"}})
		require.NoError(t, err)
		assert.Equal(t, "jana", whose("Jane@example.org"))
		assert.Equal(t, "jane", whose("Jane.Doe@example.org"))
	})
}

// TestDoubt: when the stream is lost, what was vouched for is fetched again first.
func TestDoubt(t *testing.T) {
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

// TestTheOriginIsAway: then facts serve as long as their budget allows, and nothing after that.
func TestTheOriginIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		o.set(func() { o.down = true })
		fails(t, c, "joe", pdp.Unavailable)
		time.Sleep(time.Minute)
		sees(t, c, "jane", "ed_normal") // vouched for
		h.set(func() { h.down = true })
		time.Sleep(time.Minute)
		fails(t, c, "jane", pdp.Unavailable)
		o.set(func() { o.down = false })
		sees(t, c, "jane", "ed_normal")
		sees(t, c, "joe", "")
		o.set(func() { o.down = true })
		time.Sleep(4 * time.Second)
		sees(t, c, "jane", "ed_normal")
		time.Sleep(2 * time.Second)
		fails(t, c, "jane", pdp.Unavailable)
		role, err := seen(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err, "to use something, it may be older")
		assert.Equal(t, "ed_normal", role)
		time.Sleep(time.Minute)
		_, err = seen(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.Error(t, err)
		h.set(func() { h.down = false })
		settled()
		sees(t, c, "jane", "ed_normal") // the stream is back, and has told of nothing meanwhile
		h.lose()
		settled()
		fails(t, c, "jane", pdp.Unavailable)
		o.set(func() { o.down = false })
		sees(t, c, "jane", "ed_normal")
	})
}

// TestTheOriginHangs: a question does not wait for it until its own time is over, where there is something to fall back on.
// How old that is counts from when it was last vouched for.
func TestTheOriginHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
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

func TestAlone(t *testing.T) {
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

func TestAtLeast(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first, apart := openFake(t, o, h.port(), nil), h.port()
		second := openFake(t, o, apart, nil)
		settled()
		sees(t, second, "jane", "ed_normal")
		h.set(func() { apart.cut = true })
		settled()
		sees(t, second, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		token := announceUser(t, first, "jane")
		sees(t, second, "jane", "ed_normal")
		role, err := seen(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role, "it has not heard, and asks the origin")
		o.set(func() { o.down = true })
		_, err = seen(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.Error(t, err)
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		role, err = seen(t, first, "jane", facts.Requirement{})
		require.Error(t, err, role)
		o.set(func() { o.down = false })
		settled()
		sees(t, first, "jane", "ed_admin")
		asked := o.questions()
		_, err = seen(t, first, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, asked, o.questions(), "it has heard, and need not ask again")
		for _, malformed := range []string{"x", "~", "1~", "!~epoch-0", "1~a b"} {
			_, err = seen(t, first, "jane", facts.Requirement{AtLeast: []string{malformed}})
			assert.Equal(t, pdp.Invalid, pdp.KindOf(err), malformed)
		}
	})
}

// TestALaggingOrigin: an origin that is behind what was announced is asked again, and believed no longer than its budget. A
// question that has to know of the announcement is not answered by it.
func TestALaggingOrigin(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		version := o.current("jane") + 1
		token, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane", Version: version}})
		require.NoError(t, err)
		asked := o.questions()
		sees(t, c, "jane", "ed_normal")
		assert.Equal(t, asked+maxClaimAttempts, o.questions())
		assert.False(t, vouchedFor(t, c, "jane"))
		asked = o.questions()
		sees(t, c, "jane", "ed_normal")
		assert.Equal(t, asked, o.questions())
		_, err = seen(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		o.set(func() { o.version = version - 1 })
		require.Equal(t, version, o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi")))
		role, err := seen(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
		assert.True(t, vouchedFor(t, c, "jane"))
	})
}

// vouchedFor says whether a record is vouched for, as a view gives it now.
func vouchedFor(t *testing.T, c *Cache, id string) bool {
	t.Helper()
	v, err := c.View(t.Context(), facts.Requirement{})
	require.NoError(t, err)
	u, err := v.User(t.Context(), id)
	require.NoError(t, err)
	require.NotNil(t, u)
	return v.UserFreshness(u).Confirmed
}

// TestSharedValuesAreNotTrusted: what does not decode, is of somebody else or older than known is fetched again.
func TestSharedValuesAreNotTrusted(t *testing.T) {
	jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
	for name, spoil := range map[string]func(t *testing.T, o *fakeOrigin, h *hub){
		"garbage": func(_ *testing.T, _ *fakeOrigin, h *hub) { h.values[jane] = []byte("garbage") },
		"empty":   func(_ *testing.T, _ *fakeOrigin, h *hub) { h.values[jane] = []byte{} },
		"cut off": func(_ *testing.T, _ *fakeOrigin, h *hub) { h.values[jane] = h.values[jane][:len(h.values[jane])-3] },
		"flipped": func(_ *testing.T, _ *fakeOrigin, h *hub) {
			spoilt := bytes.Clone(h.values[jane])
			spoilt[len(spoilt)-5] ^= 1
			h.values[jane] = spoilt
		},
		"somebody else's": func(_ *testing.T, _ *fakeOrigin, h *hub) {
			h.values[jane] = h.values[membership.Key{Kind: membership.UserRecord, ID: "joe"}]
		},
		"an organization": func(_ *testing.T, _ *fakeOrigin, h *hub) {
			h.values[jane] = h.values[membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}]
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
				o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
				first := openFake(t, o, h.port(), nil)
				settled()
				sees(t, first, "jane", "ed_normal")
				sees(t, first, "joe", "ed_normal")
				settled()
				require.NotNil(t, h.values[jane])
				h.set(func() { spoil(t, o, h) })
				var log bytes.Buffer
				second := openFake(t, o, h.port(), func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				settled()
				sees(t, second, "jane", "ed_normal")
				assert.Contains(t, log.String(), "shared cache")
				assert.NotContains(t, log.String(), "example.org")
			})
		})
	}
}

func TestAnOlderSharedValueIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		settled()
		old := h.values[jane]
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, c, "jane")
		sees(t, c, "jane", "ed_admin")
		settled()
		h.set(func() { h.values[jane] = old })
		c.memory.drop(jane)
		sees(t, c, "jane", "ed_admin")
		other := openFake(t, o, h.port(), nil) // it knows of the announcement from the tail of the stream
		settled()
		h.set(func() { h.values[jane] = old })
		sees(t, other, "jane", "ed_admin")
	})
}

// TestQuarantine: a record that breaks a rule is named, and nothing is decided by it.
func TestQuarantine(t *testing.T) {
	for name, record := range map[string]string{
		"an unknown location": fixture.Nurse("jane", "ed_normal", "nowhere"),
		"an unknown role":     fixture.Nurse("jane", "boss", "ghi"),
		"no default":          `{"id":"jane","assignments":[{"location":"ghi","role":"ed_normal"}]}`,
		"an unknown member":   `{"id":"jane","boss":true}`,
		"another id":          fixture.Nurse("john", "ed_normal", "ghi"),
		"no object":           `[]`,
		"no id":               `{}`,
		"a wrong type":        `{"id":"jane","status":1}`,
		"no group":            `{"id":"jane","assignments":[{"location":"clinic","role":"owner"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
				var log bytes.Buffer
				p := h.port()
				c := openFake(t, o, p, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				settled()
				sees(t, c, "jane", "ed_normal")
				o.setUser("jane", record)
				announceUser(t, c, "jane")
				for range 3 {
					fails(t, c, "jane", pdp.Unavailable)
				}
				assert.Equal(t, []string{`user "jane"`}, c.Status().Quarantined)
				assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("record quarantined")))
				settled()
				other := openFake(t, o, h.port(), nil)
				settled()
				fails(t, other, "jane", pdp.Unavailable)
				o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
				announceUser(t, c, "jane")
				sees(t, c, "jane", "ed_normal")
				assert.Empty(t, c.Status().Quarantined)
			})
		})
	}
}

// TestAQuarantinedOrganization: nothing is decided in it, and elsewhere all goes on.
func TestAQuarantinedOrganization(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		o.setUser("olga", `{"id":"olga","assignments":[{"location":"smile","role":"owner"}]}`)
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		sees(t, c, "olga", "owner")
		o.setLocations(fakeLocation{ID: "jkl", Kind: "practice", Parent: "north"})
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "jkl"}})
		require.NoError(t, err)
		fails(t, c, "jane", pdp.Unavailable)
		sees(t, c, "olga", "owner")
		assert.Equal(t, []string{`organization "metro"`}, c.Status().Quarantined)
		o.setLocations(fakeLocation{ID: "jkl", Kind: "facility", Parent: "north"})
		_, err = c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "jkl"}})
		require.NoError(t, err)
		sees(t, c, "jane", "ed_normal")
		assert.Empty(t, c.Status().Quarantined)
	})
}

// TestLocationsMove between organizations, appear and go.
func TestLocationsMove(t *testing.T) {
	for _, told := range []bool{true, false} {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
			o.setUser("ann", `{"id":"ann","assignments":[{"location":"alone","role":"user"}]}`)
			sidecars := []*Cache{openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil)}
			settled()
			organization := func(c *Cache, location string) string {
				v, err := c.View(t.Context(), facts.Requirement{})
				require.NoError(t, err)
				u, err := v.User(t.Context(), "ann")
				require.NoError(t, err)
				require.NotNil(t, u)
				l, err := v.Location(t.Context(), location)
				require.NoError(t, err)
				if l == nil {
					return ""
				}
				return l.Organization()
			}
			for _, c := range sidecars {
				require.Equal(t, "alone", organization(c, "alone"))
				require.Equal(t, "big", organization(c, "big"))
				require.Empty(t, organization(c, "new"))
			}
			change := func(organization, id string) {
				c := pdp.Change{Kind: pdp.LocationChanged, ID: id}
				if told {
					c.Organization = organization
				}
				_, err := sidecars[0].Announce(t.Context(), []pdp.Change{c})
				require.NoError(t, err)
				settled()
			}
			o.setLocations(fakeLocation{ID: "alone", Kind: "entity", Parent: "big"})
			change("big", "alone")
			o.setLocations(fakeLocation{ID: "new", Kind: "entity", Parent: "big"})
			change("big", "new")
			for _, c := range sidecars {
				assert.Equal(t, "big", organization(c, "alone"))
				assert.Equal(t, "big", organization(c, "new"))
			}
			o.setLocations(fakeLocation{ID: "alone", Kind: "entity", Model: "health_system", Plan: "paid"})
			o.setLocations(fakeLocation{ID: "big", Kind: "system", Model: "health_system", Plan: "paid"})
			change("alone", "alone")
			o.set(func() { delete(o.locations, "new") })
			o.setLocations(fakeLocation{ID: "big", Kind: "system", Model: "health_system", Plan: "paid"})
			change("", "new")
			for _, c := range sidecars {
				assert.Equal(t, "alone", organization(c, "alone"))
				assert.Empty(t, organization(c, "new"))
			}
		})
	}
}

// TestOneFetchForAll: who asks for the same at the same time waits for the same answer, and leaving early ends nothing.
func TestOneFetchForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		announceUser(t, c, "jane")
		o.set(func() { o.delay = 500 * time.Millisecond })
		before := o.questions()
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				patience := time.Second
				if i == 0 {
					patience = 10 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				v, err := c.View(ctx, facts.Requirement{})
				require.NoError(t, err)
				_, err = v.User(ctx, "jane")
				assert.Equal(t, i == 0, errors.Is(err, context.DeadlineExceeded), "%v", err)
			})
		}
		asking.Wait()
		assert.Equal(t, before+1, o.questions())
		sees(t, c, "jane", "ed_normal")
		assert.Equal(t, before+1, o.questions())
	})
}

// TestErrorsAreNotKept: whatever failed is asked again.
// TestOneOrganizationIsNotFetchedByEachLocation: at the start nobody knows that all of them belong to it.
func TestOneOrganizationIsNotFetchedByEachLocation(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		const facilities = 200
		for i := range facilities {
			o.setLocations(fakeLocation{ID: fmt.Sprint("f", i), Kind: "facility", Parent: "north"})
		}
		c := openFake(t, o, h.port(), nil)
		settled()
		o.set(func() { o.delay = 50 * time.Millisecond })
		before := o.questions()
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
		assert.LessOrEqual(t, o.questions()-before, maxOrgFetches)
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		o.set(func() { o.down = true })
		fails(t, c, "jane", pdp.Unavailable)
		o.set(func() { o.down, o.delay = false, time.Hour })
		fails(t, c, "jane", pdp.Unavailable) // it takes too long
		o.set(func() { o.delay = 0 })
		sees(t, c, "jane", "ed_normal")
	})
}

// TestVersionsOfOurOwn count what the origin does not: they move when the content does, and only grow.
func TestVersionsOfOurOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		o.unversion = true
		first, second := openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil)
		settled()
		version := func(c *Cache) uint64 {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			u, err := v.User(t.Context(), "jane")
			require.NoError(t, err)
			return v.UserFreshness(u).Version
		}
		one := version(first)
		settled()
		assert.Equal(t, one, version(second))
		announceUser(t, first, "jane") // nothing has changed
		settled()
		assert.Equal(t, one, version(first))
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, first, "jane")
		settled()
		two := version(first)
		assert.Greater(t, two, one)
		settled()
		assert.Equal(t, two, version(second))
		h.lose()
		settled()
		assert.Equal(t, two, version(first))
	})
}

// TestAnAnnouncedRecordIsNotTaken: what a record says now, the origin says, whoever announces what.
func TestAnAnnouncedRecordIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first, second := openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil)
		settled()
		sees(t, first, "jane", "ed_normal")
		sees(t, second, "jane", "ed_normal")
		for _, version := range []uint64{0, 1, o.current("jane"), o.current("jane") + 1, pdp.MaxVersion} {
			_, err := first.Announce(t.Context(), []pdp.Change{
				{Kind: pdp.UserChanged, ID: "jane", Version: version, Record: []byte(fixture.Nurse("jane", "ed_admin", "ghi"))},
				{Kind: pdp.UserChanged, ID: "joe", Version: version, Record: []byte(fixture.Nurse("joe", "ed_admin", "ghi"))},
			})
			require.NoError(t, err)
			assert.Nil(t, h.values[membership.Key{Kind: membership.UserRecord, ID: "joe"}])
			settled()
			third := openFake(t, o, h.port(), nil)
			settled()
			for _, c := range []*Cache{first, second, third} {
				sees(t, c, "jane", "ed_normal")
				sees(t, c, "joe", "")
			}
		}
	})
}

func TestAnnouncementsAtFault(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		for name, changes := range map[string][]pdp.Change{
			"nothing":           {},
			"too many":          make([]pdp.Change, membership.MaxChanges+1),
			"anything":          {{Kind: pdp.AnythingChanged}},
			"no id":             {{Kind: pdp.UserChanged}},
			"an odd id":         {{Kind: pdp.UserChanged, ID: "a\nb"}},
			"a version too big": {{Kind: pdp.UserChanged, ID: "a", Version: 1 << 60}},
			"another record":    {{Kind: pdp.UserChanged, ID: "joe", Record: []byte(fixture.Nurse("jane", "ed_normal", "ghi"))}},
			"a faulty record":   {{Kind: pdp.UserChanged, ID: "joe", Record: []byte(`{"id":"joe","boss":true}`)}},
			"no record":         {{Kind: pdp.UserChanged, ID: "joe", Record: []byte(`nonsense`)}},
			"a faulty location": {{Kind: pdp.LocationChanged, ID: "ghi", Record: []byte(`{"id":"ghi","kind":"hut"}`)}},
		} {
			_, err := c.Announce(t.Context(), changes)
			assert.Equal(t, pdp.Invalid, pdp.KindOf(err), "%s: %v", name, err)
		}
		h.set(func() { h.down = true })
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane"}})
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	})
}

// TestTheMemoryIsBounded by bytes, and what does not fit is fetched again.
func TestTheMemoryIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		const users = 500
		for i := range users {
			id := string(rune('a'+i%26)) + string(rune('a'+i/26))
			o.setUser(id, fixture.Nurse(id, "ed_normal", "ghi"))
		}
		c := openFake(t, o, h.port(), func(cfg *Config) { cfg.Memory = 1 << 17 })
		settled()
		for i := range users {
			sees(t, c, string(rune('a'+i%26))+string(rune('a'+i/26)), "ed_normal")
		}
		held, kept := c.memory.size()
		assert.LessOrEqual(t, held, 1<<17)
		assert.Less(t, kept, users)
		assert.Greater(t, kept, 20)
	})
}

// TestWhoIsNotThereTakesNoPlace: asking for ids that nobody has does not push out those that somebody has.
func TestWhoIsNotThereTakesNoPlace(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), func(cfg *Config) { cfg.Memory = 1 << 18 })
		settled()
		sees(t, c, "jane", "ed_normal")
		for i := range 5000 {
			sees(t, c, fmt.Sprintf("nobody-%d", i), "")
		}
		asked := o.questions()
		sees(t, c, "jane", "ed_normal")
		assert.Equal(t, asked, o.questions())
		held, kept := c.memory.size()
		assert.LessOrEqual(t, held, 1<<18)
		assert.Less(t, kept, 1000)
	})
}

// TestAValueFromTheFuture was written by a sidecar that does not know what time it is, and would look new for ever.
func TestAValueFromTheFuture(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		ahead := h.port()
		ahead.skew = time.Hour
		first, second := openFake(t, o, ahead, nil), openFake(t, o, h.port(), nil)
		settled()
		sees(t, first, "jane", "ed_normal")
		settled()
		asked := o.questions()
		sees(t, second, "jane", "ed_normal")
		assert.Greater(t, o.questions(), asked)
		assert.NotZero(t, second.Status().Refused)
	})
}

// TestWhatIsLongCounts: neither long ids that nobody has nor large records fill more memory than there is to be.
func TestWhatIsLongCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		c := openFake(t, o, h.port(), nil)
		settled()
		grown := func(f func()) int {
			before, _ := c.memory.size()
			f()
			after, _ := c.memory.size()
			return after - before
		}
		long := strings.Repeat("x", 1000)
		assert.Greater(t, grown(func() { sees(t, c, long, "") }), 1000)
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		assert.Greater(t, grown(func() {
			_, err := v.UserByUsername(t.Context(), long+"@example.org")
			require.NoError(t, err)
		}), 1000)
		sees(t, c, "jane", "ed_normal")
		long = strings.Repeat("x", 1<<19)
		o.setUser("joe", `{"id":"joe","name":{"given":"`+long+`"},"default_location":"ghi","assignments":[{"location":"ghi","role":"ed_normal"}]}`)
		assert.Greater(t, grown(func() { sees(t, c, "joe", "ed_normal") }), 1<<19)
		o.setLocations(fakeLocation{ID: "vast", Kind: "region", Model: "regional", Name: long})
		assert.Greater(t, grown(func() { require.Equal(t, "vast", organizationOf(t, c, "vast")) }), 1<<19)
		settled()
		other := openFake(t, o, h.port(), nil)
		settled()
		sees(t, other, "joe", "ed_normal")
		require.Equal(t, "vast", organizationOf(t, other, "vast"))
		held, _ := other.memory.size()
		assert.Greater(t, held, 1<<20)
		assert.Positive(t, other.Status().FromShared)
	})
}

// TestAtLeastWhatWasTrimmed: a change that was missed, and is not in the stream any more, is not taken for known. What may be
// older than it does not serve, though the origin cannot be reached.
func TestAtLeastWhatWasTrimmed(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first, apart := openFake(t, o, h.port(), nil), h.port()
		second := openFake(t, o, apart, nil)
		settled()
		sees(t, second, "jane", "ed_normal")
		h.set(func() { apart.cut, h.trimmed = true, true })
		settled()
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		token := announceUser(t, first, "jane")
		h.set(func() { apart.cut = false })
		settled()
		o.set(func() { o.down = true })
		_, err := seen(t, second, "jane", facts.Requirement{})
		require.NoError(t, err, "within its budget")
		role, err := seen(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.Error(t, err, role)
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		o.set(func() { o.down = false })
		role, err = seen(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
		asked := o.questions()
		_, err = seen(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, asked, o.questions(), "what was fetched since need not be fetched again")
	})
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first, apart := openFake(t, o, h.port(), nil), h.port()
		second := openFake(t, o, apart, func(cfg *Config) { cfg.Announced = false }) // its facts live by their age
		settled()
		h.set(func() { apart.cut, h.trimmed = true, true })
		settled()
		sees(t, second, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		token := announceUser(t, first, "jane")
		h.set(func() { apart.cut = false })
		settled()
		sees(t, second, "jane", "ed_normal")
		role, err := seen(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
	})
}

// TestLivesDiffer: not all that was fetched at the same time is fetched again at the same time.
func TestLivesDiffer(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *hub) {
		c := openFake(t, o, nil, nil)
		for absent, ttl := range map[bool]time.Duration{false: 10 * time.Minute, true: 30 * time.Second} {
			seen := map[time.Duration]bool{}
			for range 100 {
				life := c.randomTTL(absent)
				assert.InDelta(t, ttl, life, float64(ttl)/10)
				seen[life] = true
			}
			assert.Greater(t, len(seen), 50)
		}
	})
}

// TestReadinessDoesNotKeepTheOriginBusy: probes come without a token, and as often as anybody likes.
func TestReadinessDoesNotKeepTheOriginBusy(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *hub) {
		c := openFake(t, o, nil, nil)
		before := o.questions()
		for range 100 {
			require.NoError(t, c.CheckFacts(t.Context()))
		}
		assert.LessOrEqual(t, o.questions(), before+2)
		o.set(func() { o.down = true })
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, c.CheckFacts(t.Context()), errDown)
		o.set(func() { o.down = false; o.locations = map[string]fakeLocation{} })
		time.Sleep(2 * time.Second)
		require.ErrorIs(t, c.CheckFacts(t.Context()), pdp.ErrNoLocations)
	})
}

// TestQuarantineForgets what nobody has found at fault for as long as a fact lives: it may be mended, and nobody asks.
func TestQuarantineForgets(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *hub) {
		c := openFake(t, o, nil, nil)
		o.setUser("jane", fixture.Nurse("jane", "boss", "ghi"))
		fails(t, c, "jane", pdp.Unavailable)
		time.Sleep(9 * time.Minute)
		require.NotEmpty(t, c.Status().Quarantined)
		time.Sleep(2 * time.Minute)
		assert.Empty(t, c.Status().Quarantined)
	})
}

// TestKeysInRedis: ids are prefixed by their length, so that no two can be taken for one, and a Cluster places all of an
// organization together.
func TestKeysInRedis(t *testing.T) {
	keys := redisstore.NewRedisKeys("wk1")
	assert.Equal(t, "wk1:o:{5:metro}", keys.Of(membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}))
	assert.Equal(t, "wk1:u:{4:jane}", keys.Of(membership.Key{Kind: membership.UserRecord, ID: "jane"}))
	seen := map[string]membership.Key{}
	for _, kind := range []membership.Kind{membership.UserRecord, membership.OrganizationRecord, membership.UsernamePointer, membership.LocationPointer} {
		for _, id := range []string{"a", "1:a", "a}", "{a}", "a:{1:a}", ":", "}", "{"} {
			name := keys.Of(membership.Key{Kind: kind, ID: id})
			assert.NotContains(t, seen, name)
			seen[name] = membership.Key{Kind: kind, ID: id}
		}
	}
}
