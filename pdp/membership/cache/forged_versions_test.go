package cache

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
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
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
)

// watchedOrigin is an origin that gives its change handler to the test.
type watchedOrigin struct {
	*fakeOrigin
	handler    chan membership.ChangeHandler
	heartbeats bool // sent automatically
}

func (l *watchedOrigin) Watch(ctx context.Context, handler membership.ChangeHandler) {
	l.handler <- handler
	for l.heartbeats && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(heartbeatInterval):
			handler.Heartbeat(time.Now())
		}
	}
	<-ctx.Done()
}

// openWatched opens a cache over a watched origin, and returns its change handler. The subscription has not begun.
func openWatched(t *testing.T, o *fakeOrigin, p *tierClient, heartbeats bool, change func(*Config)) (*Cache, membership.ChangeHandler) {
	t.Helper()
	l := &watchedOrigin{o, make(chan membership.ChangeHandler, 1), heartbeats}
	c := openCache(t, o, p, func(cfg *Config) {
		cfg.Origin = l
		if change != nil {
			change(cfg)
		}
	})
	return c, <-l.handler
}

func userChange(id string, version uint64) []pdp.Change {
	return []pdp.Change{{Kind: pdp.UserChanged, ID: id, Version: version}}
}

// A client that may announce or notify can claim a version that the source never assigned. The record must then still be
// fetched, and must expire by age.
func TestForgedVersionDoesNotBlockQuestions(t *testing.T) {
	const budget = 5 * time.Second
	region := pdp.Change{Kind: pdp.LocationChanged, ID: "metro", Organization: "metro", Version: pdp.MaxVersion}
	for _, path := range []string{"announced", "reported by the origin"} {
		t.Run(path, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				c, handler := openWatched(t, o, h.connect(), true, nil)
				handler.Began(time.Now(), "")
				waitHeartbeat()
				assertRole(t, c, "jane", "ed_normal")
				require.True(t, isConfirmed(t, c, "jane"))
				forged := append(userChange("jane", pdp.MaxVersion), region)
				if path == "announced" {
					_, err := c.Announce(t.Context(), forged)
					require.NoError(t, err)
				} else {
					handler.Changed(forged)
				}
				began := time.Now()
				assertRole(t, c, "jane", "ed_normal")
				assert.Less(t, time.Since(began), 500*time.Millisecond, "both records together")
				began = time.Now()
				for range 3 {
					assertRole(t, c, "jane", "ed_normal")
				}
				assert.Zero(t, time.Since(began))
				assert.False(t, isConfirmed(t, c, "jane"))
				v, err := c.View(t.Context(), facts.Requirement{})
				require.NoError(t, err)
				l, err := v.Location(t.Context(), "metro")
				require.NoError(t, err)
				assert.False(t, v.OrganizationFreshness(l).Confirmed)
				o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi")) // not announced
				assertRole(t, c, "jane", "ed_normal")
				time.Sleep(budget + time.Millisecond)
				assertRole(t, c, "jane", "ed_admin")
				// The next change is announced, and fetched at once.
				o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
				handler.Changed(userChange("jane", o.current("jane")))
				assertRole(t, c, "jane", "ed_normal")
			})
		})
	}
}

// Later tokens are honored nevertheless.
func TestForgedVersionDoesNotBlockLaterTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c, other := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		announce := func(version uint64) string {
			token, err := c.Announce(t.Context(), userChange("jane", version))
			require.NoError(t, err)
			waitHeartbeat()
			return token
		}
		forged := announce(pdp.MaxVersion)
		token := announce(o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi")))
		for _, sidecar := range []*Cache{c, other} {
			role, err := roleOf(t, sidecar, "jane", facts.Requirement{AtLeast: []string{token}})
			require.NoError(t, err)
			assert.Equal(t, "ed_admin", role)
		}
		undo := rollBack(o, "jane", fixture.Nurse("jane", "ed_normal", "ghi"))
		fresh := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		h.set(func() { clear(h.values) })
		_, err := roleOf(t, fresh, "jane", facts.Requirement{AtLeast: []string{token}})
		require.Error(t, err, "the origin is behind")
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		undo()
		_, err = roleOf(t, fresh, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		_, err = roleOf(t, fresh, "jane", facts.Requirement{AtLeast: []string{forged, token}})
		require.Error(t, err, "the forged version does not exist")
	})
}

// A token requires the version claimed by its own announcement, not a version claimed by a notification.
func TestForgedNotificationDoesNotBlockTokens(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c, handler := openWatched(t, o, h.connect(), true, nil)
		handler.Began(time.Now(), "")
		waitHeartbeat()
		announce := func(id string, version uint64) string {
			token, err := c.Announce(t.Context(), userChange(id, version))
			require.NoError(t, err)
			waitHeartbeat()
			return token
		}
		askWith := func(token string) error {
			_, err := roleOf(t, c, "jane", facts.Requirement{AtLeast: []string{token}})
			return err
		}
		handler.Changed(userChange("jane", pdp.MaxVersion))
		require.NoError(t, askWith(announce("joe", 1)), "she was never announced")
		before := announce("joe", 2)
		announce("jane", o.current("jane"))
		handler.Changed(userChange("jane", pdp.MaxVersion))
		require.NoError(t, askWith(before))
		before = announce("joe", 3)
		announce("jane", o.current("jane")+1)
		require.Error(t, askWith(before), "what was announced is held to")
	})
}

// Requests and notifications may reach two different servers.
func TestWatcherOfAnotherHistoryConfirmsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		var log bytes.Buffer
		c, handler := openWatched(t, o, nil, true, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		handler.Began(time.Now(), "another")
		assert.True(t, c.Status().Confirmed)
		for range 3 {
			assertRole(t, c, "jane", "ed_normal")
			assert.False(t, isConfirmed(t, c, "jane"))
			assert.Equal(t, []string{freshness.NoHistory}, c.Status().Unproven)
			assert.False(t, c.Status().Confirmed)
			time.Sleep(6 * time.Second)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "unproven=[history]"), log.String())
		assertRole(t, c, "new", "")
		o.setUser("new", fixture.Nurse("new", "ed_normal", "ghi")) // not announced
		time.Sleep(6 * time.Second)
		assertRole(t, c, "new", "ed_normal")
		c.tracker.StreamHandler().Began(membership.Position{Epoch: "e"}, membership.Position{Epoch: "e"}, nil, time.Now())
		assert.Equal(t, []string{freshness.NoHistory}, c.Status().Unproven, "the stream does not confirm")
		handler.Began(time.Now(), "")
		assert.True(t, isConfirmed(t, c, "jane"))
		assert.Empty(t, c.Status().Unproven)
		assert.True(t, c.Status().Confirmed)
	})
}

// A restored sequence may assign versions again, so an announced version that is not newer is no reason to keep a
// record.
func TestAnnouncementInvalidatesWhateverItsVersion(t *testing.T) {
	for _, version := range []func(now uint64) uint64{func(uint64) uint64 { return 1 }, func(now uint64) uint64 { return now - 1 }, func(now uint64) uint64 { return now }} {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			c, other := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			assertRole(t, c, "jane", "ed_normal")
			assertRole(t, other, "jane", "ed_normal")
			waitHeartbeat()
			o.set(func() { o.users["jane"] = []byte(fixture.Nurse("jane", "ed_admin", "ghi")) }) // with the version that it already had
			_, err := c.Announce(t.Context(), userChange("jane", version(o.current("jane"))))
			require.NoError(t, err)
			waitHeartbeat()
			assertRole(t, c, "jane", "ed_admin")
			assertRole(t, other, "jane", "ed_admin")
			assert.Positive(t, c.Status().Conflicts+other.Status().Conflicts)
		})
	}
}

func TestManyForgedVersionsDoNotBlockQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.set(func() { o.delay = 5 * time.Millisecond })
		c, other := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		stop := make(chan struct{})
		var announcing sync.WaitGroup
		announcing.Go(func() {
			for n := uint64(1 << 40); ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				_, err := other.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane", Version: n},
					{Kind: pdp.LocationChanged, ID: "ghi", Organization: "metro", Version: n}, {Kind: pdp.LocationChanged, ID: "nowhere"}})
				assert.NoError(t, err)
			}
		})
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			v, err := c.View(ctx, facts.Requirement{})
			require.NoError(t, err)
			u, err := v.User(ctx, "jane")
			require.NoError(t, err)
			require.NotNil(t, u)
			cancel()
			time.Sleep(77 * time.Millisecond)
		}
		close(stop)
		announcing.Wait()
		waitHeartbeat()
		asked := o.requestCount()
		_, err := roleOf(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err)
		_, err = roleOf(t, c, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err)
		assert.LessOrEqual(t, o.requestCount(), asked+4, "fetches return to normal afterwards")
	})
}

// An organization is fetched again only when a question needs it, and once for all announced locations.
func TestUnknownAnnouncedLocationsCauseFewRequests(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		asked := o.requestCount()
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "nowhere"}})
		require.NoError(t, err)
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, asked+1, o.requestCount())
		var many []pdp.Change
		for i := range membership.MaxChanges {
			many = append(many, pdp.Change{Kind: pdp.LocationChanged, ID: fmt.Sprint("nowhere", i)})
		}
		_, err = c.Announce(t.Context(), many)
		require.NoError(t, err)
		assert.Equal(t, asked+1, o.requestCount())
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, asked+2, o.requestCount())
	})
}

// Announced records are fetched again at once; all others expire by age.
func TestStreamWithoutPromiseConfirmsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Announced = false })
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		assert.False(t, isConfirmed(t, c, "jane"))
		s := c.Status()
		assert.False(t, s.Confirming || s.Confirmed)
		assert.True(t, s.StreamLive)
		assert.Equal(t, []string{freshness.NoPromise}, s.Unproven)
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, c, "jane")
		assertRole(t, c, "jane", "ed_admin")
		o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi")) // not announced
		time.Sleep(5*time.Second + time.Millisecond)
		assertRole(t, c, "jane", "ed_normal")
	})
}

func TestStreamDoesNotConfirmWatchedOrigin(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		var log bytes.Buffer
		_, handler := openWatched(t, o, h.connect(), false, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		time.Sleep(time.Second)
		synctest.Wait() // nobody writes to the log
		assert.NotContains(t, log.String(), "confirmed")
		handler.Began(time.Now(), "")
		assert.Contains(t, log.String(), "membership facts are confirmed by announced changes")
		handler.Lost(nil)
		assert.Contains(t, log.String(), "unproven=[listening]")
	})
}

// A channel that works but may not carry every change confirms nothing.
func TestMissingProofsAreReportedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		var log bytes.Buffer
		c, handler := openWatched(t, o, nil, false, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		logged := func(text string) int { return strings.Count(log.String(), text) }
		assert.Equal(t, []string{freshness.NoListening}, c.Status().Unproven)
		for range 3 {
			handler.Lost(&membership.Unproven{Missing: []string{"triggers", "pooled_connection", "triggers"}, Reason: "connect without a pooler."})
		}
		assert.Equal(t, []string{"pooled_connection", "triggers"}, c.Status().Unproven)
		assert.Equal(t, 1, logged("level=WARN"), log.String())
		assert.Equal(t, 1, logged(`unproven="[pooled_connection triggers]" reason="connect without a pooler."`), log.String())
		assertRole(t, c, "jane", "ed_normal")
		assert.False(t, isConfirmed(t, c, "jane"))
		handler.Lost(&membership.Unproven{Missing: []string{"triggers"}})
		assert.Equal(t, 2, logged("level=WARN"))
		handler.Began(time.Now(), "")
		assert.Empty(t, c.Status().Unproven)
		assert.Equal(t, 1, logged(`"membership facts are confirmed by announced changes" lasted_ms=0 failures=4`))
		asked := o.requestCount()
		assert.True(t, isConfirmed(t, c, "jane"))
		assert.Greater(t, o.requestCount(), asked, "records fetched before are not confirmed")
		time.Sleep(900 * time.Millisecond)
		handler.Heartbeat(time.Now())
		assertRole(t, c, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		time.Sleep(999 * time.Millisecond)
		assert.Empty(t, c.Status().Unproven)
		time.Sleep(2 * time.Millisecond)
		assert.Equal(t, []string{freshness.NoHeartbeat}, c.Status().Unproven)
		assert.False(t, c.Status().Confirmed)
		assertRole(t, c, "jane", "ed_admin")
		handler.Lost(errDown)
		assert.Equal(t, []string{freshness.NoListening}, c.Status().Unproven)
		assert.False(t, slices.Contains(c.Status().Unproven, freshness.NoPromise))
	})
}
