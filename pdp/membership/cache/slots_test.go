package cache

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// busyOrigin notes how many questions are in progress, and which sidecars have asked.
type busyOrigin struct {
	*fakeOrigin
	sidecar int
	busy    *busy
}

type busy struct {
	mu        sync.Mutex
	now, most int
	sidecars  map[int]int // questions
}

func (o busyOrigin) count(ask func()) {
	o.busy.mu.Lock()
	o.busy.now++
	o.busy.most = max(o.busy.most, o.busy.now)
	o.busy.sidecars[o.sidecar]++
	o.busy.mu.Unlock()
	ask()
	o.busy.mu.Lock()
	o.busy.now--
	o.busy.mu.Unlock()
}

// seen returns how many questions were in progress at most, and how many sidecars have asked.
func (b *busy) seen() (most, sidecars int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.most, len(b.sidecars)
}

func (o busyOrigin) User(ctx context.Context, id string) (raw *membership.RawRecord, err error) {
	o.count(func() { raw, err = o.fakeOrigin.User(ctx, id) })
	return raw, err
}

func (o busyOrigin) Organization(ctx context.Context, location string) (raw *membership.RawRecord, err error) {
	o.count(func() { raw, err = o.fakeOrigin.Organization(ctx, location) })
	return raw, err
}

const (
	someSlots = 3
	manyUsers = 60
)

// slotted opens sidecars that have few slots together, for an origin with many users.
func slotted(t *testing.T, o *fakeOrigin, h *sharedTier) (sidecars []*Cache, b *busy) {
	b = &busy{sidecars: map[int]int{}}
	for i := range manyUsers {
		o.setUser(fmt.Sprint("u", i), fixture.Nurse(fmt.Sprint("u", i), "ed_normal", "ghi"))
	}
	for i := range manyUsers / 3 {
		sidecars = append(sidecars, openCache(t, o, h.connect(), func(cfg *Config) {
			cfg.Origin, cfg.Logger, cfg.Slots = busyOrigin{o, i, b}, slog.New(slog.DiscardHandler), someSlots
		}))
	}
	waitHeartbeat()
	o.set(func() { o.delay = 10 * time.Millisecond })
	return sidecars, b
}

// askEach asks about all users at once, each sidecar about three that no other one needs, and returns how long the last answer took.
func askEach(t *testing.T, sidecars []*Cache, role string) time.Duration {
	t.Helper()
	began := time.Now()
	var asking sync.WaitGroup
	for i := range manyUsers {
		asking.Go(func() {
			got, err := roleOf(t, sidecars[i%len(sidecars)], fmt.Sprint("u", i), facts.Requirement{})
			assert.NoError(t, err)
			assert.Equal(t, role, got)
		})
	}
	asking.Wait()
	return time.Since(began)
}

// Where all need records that no other one needs, those ask the origin who do so already, for the others too.
func TestSidecarsAskWithTheirSlots(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars, b := slotted(t, o, h)
		asked := func(role string) {
			before := o.requestCount()
			assert.Less(t, askEach(t, sidecars, role), 2*time.Second/slotShare)
			assert.LessOrEqual(t, o.requestCount()-before, manyUsers*11/10, "seldom twice")
		}
		asked("ed_normal")
		most, who := b.seen()
		assert.LessOrEqual(t, most, someSlots)
		assert.LessOrEqual(t, who, someSlots)
		for i := range manyUsers {
			o.setUser(fmt.Sprint("u", i), fixture.Nurse(fmt.Sprint("u", i), "ed_admin", "ghi"))
			announceUser(t, sidecars[0], fmt.Sprint("u", i))
		}
		synctest.Wait()
		asked("ed_admin")
		most, _ = b.seen()
		assert.LessOrEqual(t, most, someSlots)
		time.Sleep(2 * slotKept)
		h.set(func() {
			assert.Empty(t, h.slots, "they are returned")
			assert.Empty(t, h.requests)
		})
		for _, c := range sidecars {
			assert.Zero(t, c.Status().Overdue)
		}
	})
}

// Sidecars do not wait longer than allowed, whatever becomes of those who have the slots.
func TestSidecarsDoNotDependOnSlots(t *testing.T) {
	const most = 2*time.Second/slotShare + 10*time.Millisecond + 4*maxWaitPause
	taken := func(h *sharedTier, long time.Duration) {
		h.set(func() {
			for i := range someSlots {
				h.slots[fmt.Sprint("another ", i)] = time.Now().Add(long)
			}
		})
	}
	for name, one := range map[string]struct {
		disturb func(o *fakeOrigin, h *sharedTier)
		most    time.Duration
	}{
		"somebody without rights has them":    {func(_ *fakeOrigin, h *sharedTier) { taken(h, time.Hour) }, most},
		"those who have them end":             {func(_ *fakeOrigin, h *sharedTier) { taken(h, 200*time.Millisecond) }, 700 * time.Millisecond},
		"the shared store is down":            {func(_ *fakeOrigin, h *sharedTier) { h.set(func() { h.down = true }) }, 20 * time.Millisecond},
		"the shared store is slow":            {func(_ *fakeOrigin, h *sharedTier) { h.set(func() { h.stalled = true }) }, most},
		"the shared store restarts meanwhile": {func(_ *fakeOrigin, h *sharedTier) { time.AfterFunc(50*time.Millisecond, h.wipe) }, most},
		"somebody requests what nobody needs": {func(_ *fakeOrigin, h *sharedTier) {
			h.set(func() {
				for i := range 20 {
					h.requests = append(h.requests, membership.Key{Kind: membership.UserRecord, ID: fmt.Sprint("nobody", i)},
						membership.Key{Kind: 'x', ID: "jane"}, membership.Key{Kind: membership.OrganizationRecord})
				}
			})
		}, most},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				sidecars, _ := slotted(t, o, h)
				one.disturb(o, h)
				assert.LessOrEqual(t, askEach(t, sidecars, "ed_normal"), one.most)
			})
		})
	}
}

// What another sidecar requests is fetched, whatever this one has of it: the other one may have heard of more.
func TestWhatIsRequestedIsFetched(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars, _ := slotted(t, o, h)
		askAll(t, sidecars, "ed_normal")
		for _, key := range []membership.Key{{Kind: membership.UserRecord, ID: "jane"}, {Kind: membership.LocationPointer, ID: "ghi"}, {Kind: membership.OrganizationRecord, ID: "metro"}} {
			before, began := o.requestCount(), time.Now()
			time.Sleep(time.Millisecond) // stamps are not as exact
			sidecars[0].fetchForOther(key)
			assert.Equal(t, 1, o.requestCount()-before, key)
			synctest.Wait()
			stored := key
			if key.Kind == membership.LocationPointer {
				stored = membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}
			}
			stamp, _, err := record.Unpack(stored, h.stored(stored))
			require.NoError(t, err)
			assert.False(t, stamp.AsOf.Before(began), key)
		}
	})
}

// A moment in which the shared store does not answer does not make all sidecars ask.
func TestSidecarsWaitForASlowStore(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars, b := slotted(t, o, h)
		h.set(func() { h.stalled = true })
		time.AfterFunc(400*time.Millisecond, func() { h.set(func() { h.stalled = false }) })
		assert.Less(t, askEach(t, sidecars, "ed_normal"), 2*time.Second/slotShare)
		most, _ := b.seen()
		assert.LessOrEqual(t, most, someSlots)
	})
}

// Of a user who is gone nothing can be shared. Whoever has requested the user in vain asks.
func TestAbsentUsersAreNotRequestedAgainAndAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars, b := slotted(t, o, h)
		for i := range manyUsers {
			o.setUser(fmt.Sprint("u", i), "")
		}
		assert.Less(t, askEach(t, sidecars, ""), 2*time.Second/slotShare)
		_, who := b.seen()
		assert.Greater(t, who, someSlots)
	})
}
