package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

var errDown = errors.New("the origin is down")

// fakeOrigin is a system of record in memory. Each write increases the version of the record.
type fakeOrigin struct {
	mu          sync.Mutex
	users       map[string]json.RawMessage
	locations   map[string]fakeLocation
	version     uint64
	versions    map[membership.Key]uint64 // by user and by root
	down        bool
	versionless bool
	history     string
	delay       time.Duration
	requests    int
	// onRequest is called with each request, without the lock held.
	onRequest func(key membership.Key)
}

type fakeLocation struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Parent string `json:"parent,omitempty"`
	Model  string `json:"model,omitempty"`
	Plan   string `json:"plan,omitempty"`
	Name   string `json:"name,omitempty"`
}

func newFakeOrigin() *fakeOrigin {
	o := &fakeOrigin{users: map[string]json.RawMessage{}, locations: map[string]fakeLocation{}, versions: map[membership.Key]uint64{}}
	o.setLocations(
		fakeLocation{ID: "metro", Kind: "region", Model: "regional"},
		fakeLocation{ID: "north", Kind: "division", Parent: "metro"},
		fakeLocation{ID: "ghi", Kind: "facility", Parent: "north"},
		fakeLocation{ID: "jkl", Kind: "facility", Parent: "north"},
		fakeLocation{ID: "smile", Kind: "group", Model: "practice_group"},
		fakeLocation{ID: "clinic", Kind: "practice", Parent: "smile"},
		fakeLocation{ID: "alone", Kind: "entity", Model: "health_system", Plan: "free"},
		fakeLocation{ID: "big", Kind: "system", Model: "health_system", Plan: "paid"},
	)
	return o
}

func (o *fakeOrigin) setUser(id, rec string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version++
	o.versions[membership.Key{Kind: membership.UserRecord, ID: id}] = o.version
	if rec == "" {
		delete(o.users, id)
	} else {
		o.users[id] = json.RawMessage(rec)
	}
	return o.version
}

func (o *fakeOrigin) setLocations(all ...fakeLocation) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version++
	for _, l := range all {
		o.locations[l.ID] = l
	}
	for _, l := range all {
		o.versions[membership.Key{Kind: membership.OrganizationRecord, ID: o.root(l.ID)}] = o.version
	}
	return o.version
}

func (o *fakeOrigin) root(id string) string {
	for o.locations[id].Parent != "" {
		id = o.locations[id].Parent
	}
	return id
}

func (o *fakeOrigin) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *fakeOrigin) requestCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests
}

// ask responds with the state at the time of the request, after the delay.
func (o *fakeOrigin) ask(ctx context.Context, key membership.Key, answer func()) error {
	if o.onRequest != nil {
		o.onRequest(key)
	}
	o.mu.Lock()
	o.requests++
	delay, down := o.delay, o.down
	if !down {
		answer()
	}
	o.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if down {
		return errDown
	}
	return nil
}

func (o *fakeOrigin) rawRecord(key membership.Key, rec any) *membership.RawRecord {
	data, err := json.Marshal(rec)
	if err != nil {
		panic(err)
	}
	if key.Kind == membership.UserRecord && len(data) > membership.MaxRecord {
		return &membership.RawRecord{Fault: membership.ErrRecordTooLarge, ID: key.ID}
	}
	s := &membership.RawRecord{Record: data, Version: o.versions[key], History: o.history}
	if o.versionless {
		s.Version = 0
	}
	return s
}

func (o *fakeOrigin) User(ctx context.Context, id string) (s *membership.RawRecord, err error) {
	key := membership.Key{Kind: membership.UserRecord, ID: id}
	err = o.ask(ctx, key, func() {
		if rec := o.users[id]; rec != nil {
			s = o.rawRecord(key, rec)
		}
	})
	return s, err
}

func (o *fakeOrigin) UserByUsername(ctx context.Context, username string) (all []membership.RawRecord, err error) {
	err = o.ask(ctx, membership.Key{Kind: membership.UsernamePointer, ID: username}, func() {
		for _, id := range slices.Sorted(maps.Keys(o.users)) {
			var u struct{ Username string }
			if json.Unmarshal(o.users[id], &u) == nil && strings.EqualFold(u.Username, username) && len(all) < 2 {
				all = append(all, *o.rawRecord(membership.Key{Kind: membership.UserRecord, ID: id}, o.users[id]))
			}
		}
	})
	return all, err
}

func (o *fakeOrigin) Organization(ctx context.Context, location string) (s *membership.RawRecord, err error) {
	err = o.ask(ctx, membership.Key{Kind: membership.LocationPointer, ID: location}, func() {
		if _, ok := o.locations[location]; !ok {
			return
		}
		root := o.root(location)
		var all []fakeLocation
		for _, id := range slices.Sorted(maps.Keys(o.locations)) {
			if o.root(id) == root {
				all = append(all, o.locations[id])
			}
		}
		s = o.rawRecord(membership.Key{Kind: membership.OrganizationRecord, ID: root}, all)
	})
	return s, err
}

func (o *fakeOrigin) Users(ctx context.Context, q facts.UserQuery) (list membership.RawUsers, err error) {
	err = o.ask(ctx, membership.Key{}, func() {
		for _, id := range slices.Sorted(maps.Keys(o.users)) {
			if id > q.After.ID {
				list.Users = append(list.Users, *o.rawRecord(membership.Key{Kind: membership.UserRecord, ID: id}, o.users[id]))
			}
		}
	})
	return list, err
}

func (o *fakeOrigin) Locations(ctx context.Context, after string, limit int) (ids []string, err error) {
	err = o.ask(ctx, membership.Key{}, func() {
		for _, id := range slices.Sorted(maps.Keys(o.locations)) {
			if id > after && len(ids) < limit {
				ids = append(ids, id)
			}
		}
	})
	return ids, err
}

func (o *fakeOrigin) Check(ctx context.Context) error { return o.ask(ctx, membership.Key{}, func() {}) }

func (o *fakeOrigin) Close() error { return nil }

// sharedTier is a shared tier in memory. Each sidecar has its own client.
type sharedTier struct {
	mu     sync.Mutex
	values map[membership.Key][]byte
	// reserved says until when the fetch of a record is reserved.
	reserved map[membership.Key]time.Time
	// slots says until when each one that is taken is kept.
	slots    map[string]time.Time
	requests []membership.Key
	stalled  bool // values cannot be had, but the stream goes on
	log      []membership.Announcement
	epoch    int
	down     bool
	trimmed  bool // earlier announcements are not delivered to new connections
	muted    bool // announcements are accepted but not delivered
	clients  []*tierClient
}

var errTierDown = errors.New("the shared tier is down")

func newSharedTier() *sharedTier {
	return &sharedTier{values: map[membership.Key][]byte{}, reserved: map[membership.Key]time.Time{}, slots: map[string]time.Time{}}
}

func (h *sharedTier) epochName() string { return fmt.Sprintf("epoch-%d", h.epoch) }

// tierClient is a sidecar's connection to the shared tier.
type tierClient struct {
	*sharedTier
	disconnected bool
	forgetful    bool          // whatever is reserved is lost
	skew         time.Duration // of the shared clock, as this client sees it
	seen         int           // length of the part of the log that has been delivered
	wake         chan struct{}
}

func (h *sharedTier) connect() *tierClient {
	p := &tierClient{sharedTier: h, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients = append(h.clients, p)
	return p
}

func (h *sharedTier) stored(key membership.Key) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.values[key]
}

func (h *sharedTier) set(f func()) {
	h.mu.Lock()
	f()
	clients := h.clients
	h.mu.Unlock()
	for _, p := range clients {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// wipe simulates a restart that loses all values and announcements.
func (h *sharedTier) wipe() {
	h.set(func() {
		h.values, h.log = map[membership.Key][]byte{}, nil
		clear(h.reserved)
		clear(h.slots)
		h.requests = nil
		h.epoch++
	})
}

func (p *tierClient) unreachable() bool { return p.down || p.disconnected }

// silent reports whether calls for values fail.
func (p *tierClient) silent() bool { return p.unreachable() || p.stalled }

func (p *tierClient) Get(_ context.Context, key membership.Key) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return nil, errTierDown
	}
	return p.values[key], nil
}

func (p *tierClient) Put(_ context.Context, key membership.Key, value []byte, _ time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return errTierDown
	}
	is, _, err := record.Unpack(key, value)
	if err != nil {
		return err
	}
	was, _, err := record.Unpack(key, p.values[key])
	older := was.AsOf.After(is.AsOf)
	if was.History == is.History && was.Version > 0 && is.Version > 0 && was.Version != is.Version {
		older = was.Version > is.Version
	}
	if err != nil || !older {
		p.values[key] = value
	}
	return nil
}

func (p *tierClient) Drop(_ context.Context, keys ...membership.Key) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return errTierDown
	}
	for _, key := range keys {
		delete(p.values, key)
	}
	return nil
}

func (p *tierClient) Reserve(_ context.Context, key membership.Key, most time.Duration) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return false, errTierDown
	}
	if !p.forgetful && time.Now().Before(p.reserved[key]) {
		return false, nil
	}
	p.reserved[key] = time.Now().Add(most)
	return true, nil
}

func (p *tierClient) Reserved(_ context.Context, key membership.Key) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return false, errTierDown
	}
	return time.Now().Before(p.reserved[key]), nil
}

func (p *tierClient) Unreserve(_ context.Context, key membership.Key) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return errTierDown
	}
	delete(p.reserved, key)
	return nil
}

func (p *tierClient) TakeSlot(_ context.Context, name string, slots int, most time.Duration, request membership.Key) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return false, errTierDown
	}
	maps.DeleteFunc(p.slots, func(_ string, until time.Time) bool { return !time.Now().Before(until) })
	if name != "" && len(p.slots) < slots {
		p.slots[name] = time.Now().Add(most)
		p.requests = slices.DeleteFunc(p.requests, func(one membership.Key) bool { return one == request })
		return true, nil
	}
	if request != (membership.Key{}) && !slices.Contains(p.requests, request) {
		p.requests = append(p.requests, request)
	}
	return false, nil
}

func (p *tierClient) NextRequest(_ context.Context, name string, most time.Duration, last bool) (next membership.Key, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent() {
		return next, errTierDown
	}
	if !time.Now().Before(p.slots[name]) {
		return next, membership.ErrNoSlot
	}
	p.slots[name] = time.Now().Add(most)
	if len(p.requests) > 0 {
		next, p.requests = p.requests[0], p.requests[1:]
	} else if last {
		delete(p.slots, name)
	}
	return next, nil
}

func (p *tierClient) Announce(_ context.Context, changes []pdp.Change) (membership.Position, error) {
	p.mu.Lock()
	if p.unreachable() {
		p.mu.Unlock()
		return membership.Position{}, errTierDown
	}
	at := membership.Position{Epoch: p.epochName(), Sequence: uint64(len(p.log) + 1)}
	p.log = append(p.log, membership.Announcement{At: at, Changes: changes})
	p.mu.Unlock()
	p.set(func() {})
	return at, nil
}

func (p *tierClient) Now() time.Time { return time.Now().Add(p.skew) }

func (p *tierClient) Close() error { return nil }

const heartbeatInterval = 100 * time.Millisecond

func (p *tierClient) Follow(ctx context.Context, handler membership.StreamHandler) {
	connected, epoch := false, 0
	for ctx.Err() == nil {
		asOf := time.Now()
		p.mu.Lock()
		unreachable := p.unreachable()
		switch {
		case unreachable && connected:
			connected = false
			p.mu.Unlock()
			handler.Lost(errTierDown)
		case unreachable:
			p.mu.Unlock()
		case !connected || epoch != p.sharedTier.epoch:
			lost := connected
			connected, epoch, p.seen = true, p.sharedTier.epoch, len(p.log)
			at := membership.Position{Epoch: p.epochName(), Sequence: uint64(len(p.log))}
			tail := slices.Clone(p.log)
			floor := membership.Position{Epoch: at.Epoch, Sequence: 0}
			if p.trimmed {
				tail, floor = nil, at
			}
			if p.muted {
				tail = nil
			}
			p.mu.Unlock()
			if lost {
				handler.Lost(errTierDown)
			}
			handler.Began(at, floor, tail, asOf)
		default:
			news := slices.Clone(p.log[p.seen:])
			p.seen = len(p.log)
			muted := p.muted
			p.mu.Unlock()
			for _, a := range news {
				if muted {
					a.Changes = nil
				}
				handler.Changed(a)
			}
			handler.Heartbeat(asOf)
		}
		select {
		case <-p.wake:
		case <-time.After(heartbeatInterval):
		case <-ctx.Done():
		}
	}
}

// openCache opens a cache over fakes, and closes it at the end of the test.
func openCache(t *testing.T, o *fakeOrigin, p *tierClient, change func(*Config)) *Cache {
	t.Helper()
	cfg := Config{Origin: o, Announced: p != nil, Vocabulary: fixture.Vocabulary()}
	if p != nil {
		cfg.Store, cfg.Stream = p, p
	}
	if change != nil {
		change(&cfg)
	}
	c, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}
