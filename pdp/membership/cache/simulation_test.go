package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
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
)

// eventLog records changes of users and the reads of sidecars. It checks that no read is older than the contract allows.
type eventLog struct {
	mu            sync.Mutex
	announcements []announcement
	outages       []cut
	reads         []read
}

// cut is a period in which a sidecar could not reach the stream.
type cut struct {
	sidecar  int
	from, to time.Time
}

type announcement struct {
	user    string
	version uint64
	at      time.Time // when the announcement returned
}

type read struct {
	sidecar int
	user    string
	version uint64
	budget  time.Duration
	at      time.Time // when the read began
	token   uint64    // the version that the read required; 0 if none
}

func (h *eventLog) add(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// violations returns the reads that are older than their maximum age, than an announcement that the sidecar must have
// received, or than the version that they required.
func (h *eventLog) violations(lease time.Duration) []string {
	var all []string
	for _, r := range h.reads {
		for _, a := range h.announcements {
			late := r.at.Sub(a.at)
			if a.user == r.user && a.version > r.version && late > lease &&
				(late > r.budget || !h.cutBetween(r.sidecar, a.at.Add(-lease), r.at)) {
				all = append(all, fmt.Sprintf("sidecar %d gave version %d of %s %v after %d was announced", r.sidecar, r.version, r.user, late, a.version))
			}
		}
		if r.version < r.token {
			all = append(all, fmt.Sprintf("sidecar %d gave version %d of %s for a question that had to know of %d", r.sidecar, r.version, r.user, r.token))
		}
	}
	return all
}

func (h *eventLog) cutBetween(sidecar int, from, to time.Time) bool {
	return slices.ContainsFunc(h.outages, func(c cut) bool {
		return c.sidecar == sidecar && c.from.Before(to) && c.to.Add(2*heartbeatInterval).After(from)
	})
}

// cut disconnects sidecars from the stream for a while.
func (h *eventLog) cut(down time.Duration, disconnect, reconnect func(), sidecars ...int) {
	from := time.Now()
	disconnect()
	time.Sleep(down)
	reconnect()
	h.add(func() {
		for _, s := range sidecars {
			h.outages = append(h.outages, cut{s, from, time.Now()})
		}
	})
}

// seeds returns the number of simulated histories: two under -short.
func seeds(all uint64) uint64 {
	if testing.Short() {
		return 2
	}
	return all
}

// The origin, the shared tier and connections fail now and then.
func TestReadsAreNeverOlderThanAllowed(t *testing.T) {
	for seed := range seeds(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := simulate(t, seed, disturbances{})
				require.Greater(t, len(h.reads), 1000)
				violations := h.violations(time.Second)
				assert.Empty(t, violations[:min(len(violations), 5)])
			})
		})
	}
}

// This tests the check itself: without announcements it must find violations.
func TestMissedAnnouncementsAreDetected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		assert.NotEmpty(t, simulate(t, 1, disturbances{muted: true}).violations(time.Second))
	})
}

// An attacker announces false records and versions, and the source is restored now and then, so that its versions start
// again.
func TestReadsAreNeverOlderThanAllowedDespiteForgeries(t *testing.T) {
	for seed := range seeds(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := simulate(t, seed, disturbances{forging: true, restoring: true})
				require.Greater(t, len(h.reads), 1000)
				violations := h.violations(time.Second)
				assert.Empty(t, violations[:min(len(violations), 5)])
			})
		})
	}
}

// Sidecars watch the source through a channel that sometimes does not carry every change, and reports that.
func TestReadsAreNeverOlderThanAllowedWhileUnproven(t *testing.T) {
	for seed := range seeds(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := simulate(t, seed, disturbances{listening: true, restoring: true, forging: true})
				require.Greater(t, len(h.reads), 1000)
				violations := h.violations(time.Second)
				assert.Empty(t, violations[:min(len(violations), 5)])
			})
		})
	}
}

// disturbances are what happens in a simulation in addition to failures.
type disturbances struct {
	muted     bool // announcements are not delivered
	forging   bool // an attacker announces false changes
	restoring bool // the source is restored: its versions go back, in another history
	listening bool // sidecars watch the source, and changes are not announced in any other way
}

const simulatedUsers = 4

// simulate reads from three sidecars for a few minutes while users change and every component fails now and then.
func simulate(t *testing.T, seed uint64, d disturbances) *eventLog {
	h := &eventLog{}
	o, shared := newFakeOrigin(), newSharedTier()
	shared.muted = d.muted
	o.history = "history 0"
	random := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	clients := make([]*tierClient, 3)
	sidecars := make([]*Cache, len(clients))
	channels := make([]*channel, len(clients))
	for i := range clients {
		clients[i] = shared.connect()
		quiet := func(cfg *Config) { cfg.Logger, cfg.Slots = slog.New(slog.DiscardHandler), int(seed%3) }
		if d.listening {
			c, handler := openWatched(t, o, clients[i], true, quiet)
			handler.Began(time.Now(), o.history)
			sidecars[i], channels[i] = c, &channel{handler: handler}
			continue
		}
		sidecars[i] = openCache(t, o, clients[i], quiet)
	}
	var latest sync.Map               // user -> token and number
	writing := make(chan struct{}, 1) // a lock that may be held while sleeping
	written := uint64(0)
	record := func(r *rand.Rand, id string) string { // the family name is the number of the write
		written++
		return strings.Replace(fixture.Nurse(id, []string{"ed_normal", "ed_admin"}[r.IntN(2)], "ghi"), `"username"`, fmt.Sprintf(`"name":{"family":"%d"},"username"`, written), 1)
	}
	announce := func(r *rand.Rand, id string, number uint64, change pdp.Change) {
		if d.listening {
			for _, ch := range channels {
				ch.announce(change)
			}
			h.add(func() { h.announcements = append(h.announcements, announcement{id, number, time.Now()}) })
			return
		}
		token, err := sidecars[r.IntN(len(sidecars))].Announce(t.Context(), []pdp.Change{change})
		for ; err != nil; token, err = sidecars[r.IntN(len(sidecars))].Announce(t.Context(), []pdp.Change{change}) {
			time.Sleep(50 * time.Millisecond)
		}
		h.add(func() { h.announcements = append(h.announcements, announcement{id, number, time.Now()}) })
		latest.Store(id, read{user: token, token: number})
	}
	writeUser := func(r *rand.Rand, i int) {
		writing <- struct{}{}
		defer func() { <-writing }()
		id := fmt.Sprintf("u%d", i)
		version := o.setUser(id, record(r, id))
		number := written
		change := pdp.Change{Kind: pdp.UserChanged, ID: id}
		switch r.IntN(3) {
		case 0:
			change.Version = version
		case 1:
			change.Version = version
			o.set(func() { change.Record = json.RawMessage(o.users[id]) })
			if o.current(id) != version {
				change.Record = nil
			}
		}
		announce(r, id, number, change)
	}
	for i := range simulatedUsers {
		writeUser(random(100), i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var actors sync.WaitGroup
	act := func(n uint64, pause time.Duration, f func(*rand.Rand)) {
		actors.Go(func() {
			r := random(n)
			for ctx.Err() == nil {
				time.Sleep(time.Duration(r.Float64() * 2 * float64(pause)))
				f(r)
			}
		})
	}
	act(1, 2*time.Second, func(r *rand.Rand) { writeUser(r, r.IntN(simulatedUsers)) })
	act(2, 15*time.Second, func(r *rand.Rand) { // the origin is slow or down
		o.set(func() { o.delay, o.down = time.Duration(r.IntN(1500))*time.Millisecond, r.IntN(2) == 0 })
		time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
		o.set(func() { o.delay, o.down = time.Duration(r.IntN(3))*time.Millisecond, false })
	})
	act(3, 20*time.Second, func(r *rand.Rand) { // the shared tier is slow or down, or restarts empty
		if r.IntN(2) == 0 {
			h.cut(0, shared.wipe, func() {}, 0, 1, 2)
			return
		}
		h.cut(time.Duration(r.IntN(4000))*time.Millisecond, func() { shared.set(func() { shared.down = true }) },
			func() { shared.set(func() { shared.down = false }) }, 0, 1, 2)
	})
	act(6, time.Second, func(r *rand.Rand) { // a sidecar ends that has reserved a fetch, or somebody says so
		key := membership.Key{Kind: membership.UserRecord, ID: fmt.Sprintf("u%d", r.IntN(simulatedUsers))}
		shared.set(func() { shared.reserved[key] = time.Now().Add(time.Duration(r.IntN(2000)) * time.Millisecond) })
	})
	act(7, time.Second, func(r *rand.Rand) { // a sidecar ends that has a slot, or somebody says so, or requests what is there or not
		shared.set(func() {
			shared.slots["another"] = time.Now().Add(time.Duration(r.IntN(2000)) * time.Millisecond)
			kind := []membership.Kind{membership.UserRecord, membership.OrganizationRecord, membership.LocationPointer, 'x'}[r.IntN(4)]
			shared.requests = append(shared.requests, membership.Key{Kind: kind, ID: []string{"u0", "u1", "metro", "ghi", "nobody", ""}[r.IntN(6)]})
		})
	})
	if d.forging {
		act(4, 3*time.Second, func(r *rand.Rand) {
			id := fmt.Sprintf("u%d", r.IntN(simulatedUsers))
			forged := []pdp.Change{{Kind: pdp.UserChanged, ID: id, Version: []uint64{0, 1, o.current(id), o.current(id) + 1, pdp.MaxVersion}[r.IntN(5)],
				Record: []byte(strings.Replace(fixture.Nurse(id, "ed_admin", "jkl"), `"username"`, `"name":{"family":"0"},"username"`, 1))},
				{Kind: pdp.LocationChanged, ID: "ghi", Organization: "metro", Version: pdp.MaxVersion}}
			if d.listening {
				channels[r.IntN(len(channels))].announce(forged[0])
			}
			_, _ = sidecars[r.IntN(len(sidecars))].Announce(t.Context(), forged)
		})
	}
	if d.restoring {
		act(5, 40*time.Second, func(r *rand.Rand) {
			writing <- struct{}{}
			defer func() { <-writing }()
			o.set(func() { o.version, o.history = uint64(r.IntN(20)), o.history+"'" })
			numbers := map[string]uint64{}
			for i := range simulatedUsers {
				id := fmt.Sprintf("u%d", i)
				o.setUser(id, record(r, id))
				numbers[id] = written
			}
			for _, ch := range channels {
				if ch != nil {
					ch.began(o.history)
				}
			}
			for id, number := range numbers {
				announce(r, id, number, pdp.Change{Kind: pdp.UserChanged, ID: id})
			}
		})
	}
	for i := range clients {
		if d.listening {
			act(uint64(30+i), 15*time.Second, func(r *rand.Rand) { // the channel carries nothing
				h.cut(time.Duration(r.IntN(4000))*time.Millisecond, channels[i].unproven, func() {
					writing <- struct{}{}
					defer func() { <-writing }()
					channels[i].began(o.history)
				}, i)
			})
		}
		act(uint64(10+i), 20*time.Second, func(r *rand.Rand) { // one sidecar cannot reach the shared tier
			h.cut(time.Duration(r.IntN(4000))*time.Millisecond, func() { shared.set(func() { clients[i].disconnected = true }) },
				func() { shared.set(func() { clients[i].disconnected = false }) }, i)
		})
		act(uint64(20+i), 50*time.Millisecond, func(r *rand.Rand) {
			readUser(t, h, sidecars[i], i, fmt.Sprintf("u%d", r.IntN(simulatedUsers)), r.IntN(3) == 0, r.IntN(10) == 0, &latest)
		})
	}
	actors.Wait()
	return h
}

// channel carries the source's changes to one sidecar.
type channel struct {
	mu      sync.Mutex
	handler membership.ChangeHandler
	lost    bool
}

func (c *channel) announce(change pdp.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lost {
		c.handler.Changed([]pdp.Change{change})
	}
}

func (c *channel) unproven() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
	c.handler.Lost(&membership.Unproven{Missing: []string{"triggers"}, Reason: "switch the triggers on."})
}

func (c *channel) began(eventLog string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = false
	c.handler.Began(time.Now(), eventLog)
}

func readUser(t *testing.T, h *eventLog, c *Cache, sidecar int, id string, readOnly, withToken bool, latest *sync.Map) {
	r := read{sidecar: sidecar, user: id, budget: 5 * time.Second, at: time.Now()}
	need := facts.Requirement{ReadOnly: readOnly}
	if readOnly {
		r.budget = time.Minute
	}
	if known, ok := latest.Load(id); ok && withToken {
		need.AtLeast, r.token = []string{known.(read).user}, known.(read).token
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	v, err := c.View(ctx, need)
	require.NoError(t, err)
	u, err := v.User(ctx, id)
	if err != nil {
		return // the read may fail
	}
	require.NotNil(t, u)
	r.version, err = strconv.ParseUint(u.Record().Name.Family, 10, 64)
	require.NoError(t, err)
	require.NotZero(t, r.version, "the record is forged")
	h.add(func() { h.reads = append(h.reads, r) })
}

func (o *fakeOrigin) current(id string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.versions[membership.Key{Kind: membership.UserRecord, ID: id}]
}
