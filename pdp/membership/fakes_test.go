package membership

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
)

var errDown = errors.New("the origin is down")

// fakeOrigin is a system of record in memory. Each write moves the version of what it concerns.
type fakeOrigin struct {
	mu        sync.Mutex
	users     map[string]json.RawMessage
	locations map[string]fakeLocation
	version   uint64
	versions  map[recordKey]uint64 // by user and by root
	down      bool
	unversion bool
	history   string
	delay     time.Duration
	asked     int
	// before is called with each question, without the lock.
	before func(key recordKey)
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
	o := &fakeOrigin{users: map[string]json.RawMessage{}, locations: map[string]fakeLocation{}, versions: map[recordKey]uint64{}}
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

// nurse is a user with one role at a facility.
func nurse(id, role, at string) string {
	return fmt.Sprintf(`{"id":%q,"username":%q,"default_location":%q,"assignments":[{"location":%q,"role":%q}]}`,
		id, id+"@example.org", at, at, role)
}

func (o *fakeOrigin) setUser(id, record string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version++
	o.versions[recordKey{userRecord, id}] = o.version
	if record == "" {
		delete(o.users, id)
	} else {
		o.users[id] = json.RawMessage(record)
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
		o.versions[recordKey{organizationRecord, o.root(l.ID)}] = o.version
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

func (o *fakeOrigin) questions() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

// ask waits as long as the origin takes. What it answers is of the moment when the question comes in.
func (o *fakeOrigin) ask(ctx context.Context, key recordKey, answer func()) error {
	if o.before != nil {
		o.before(key)
	}
	o.mu.Lock()
	o.asked++
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

func (o *fakeOrigin) sent(key recordKey, record any) *Sent {
	data, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	s := &Sent{Record: data, Version: o.versions[key], History: o.history}
	if o.unversion {
		s.Version = 0
	}
	return s
}

func (o *fakeOrigin) User(ctx context.Context, id string) (s *Sent, err error) {
	key := recordKey{userRecord, id}
	err = o.ask(ctx, key, func() {
		if record := o.users[id]; record != nil {
			s = o.sent(key, record)
		}
	})
	return s, err
}

func (o *fakeOrigin) UserByUsername(ctx context.Context, username string) (all []Sent, err error) {
	err = o.ask(ctx, recordKey{usernamePointer, username}, func() {
		for _, id := range slices.Sorted(maps.Keys(o.users)) {
			var u struct{ Username string }
			if json.Unmarshal(o.users[id], &u) == nil && strings.EqualFold(u.Username, username) && len(all) < 2 {
				all = append(all, *o.sent(recordKey{userRecord, id}, o.users[id]))
			}
		}
	})
	return all, err
}

func (o *fakeOrigin) Organization(ctx context.Context, location string) (s *Sent, err error) {
	err = o.ask(ctx, recordKey{locationPointer, location}, func() {
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
		s = o.sent(recordKey{organizationRecord, root}, all)
	})
	return s, err
}

func (o *fakeOrigin) Users(ctx context.Context, q pdp.UserQuery) (list SentUsers, err error) {
	err = o.ask(ctx, recordKey{}, func() {
		for i, id := range slices.Sorted(maps.Keys(o.users)) {
			if id > q.After.ID {
				list.Users = append(list.Users, *o.sent(recordKey{userRecord, id}, o.users[id]))
				list.Offsets = append(list.Offsets, i+1)
			}
		}
	})
	return list, err
}

func (o *fakeOrigin) Locations(ctx context.Context, after string, limit int) (ids []string, err error) {
	err = o.ask(ctx, recordKey{}, func() {
		for _, id := range slices.Sorted(maps.Keys(o.locations)) {
			if id > after && len(ids) < limit {
				ids = append(ids, id)
			}
		}
	})
	return ids, err
}

func (o *fakeOrigin) Check(ctx context.Context) error { return o.ask(ctx, recordKey{}, func() {}) }
func (o *fakeOrigin) Close() error                    { return nil }

// hub is a shared tier in memory, which each sidecar uses through a port of its own.
type hub struct {
	mu      sync.Mutex
	values  map[recordKey][]byte
	log     []announced
	epoch   int
	down    bool
	trimmed bool // who connects finds nothing of what was announced before
	muted   bool // announcements are written and nobody is told: how it would be without the stream
	ports   []*port
}

var errHub = errors.New("the shared tier is down")

func newHub() *hub {
	return &hub{values: map[recordKey][]byte{}}
}

func (h *hub) epochName() string { return fmt.Sprintf("epoch-%d", h.epoch) }

// port is a sidecar's way to the hub; it can be cut by itself.
type port struct {
	*hub
	cut  bool
	skew time.Duration // of its clock
	seen int           // of the log
	wake chan struct{}
}

func (h *hub) port() *port {
	p := &port{hub: h, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ports = append(h.ports, p)
	return p
}

func (h *hub) set(f func()) {
	h.mu.Lock()
	f()
	ports := h.ports
	h.mu.Unlock()
	for _, p := range ports {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// lose is a restart without anything: values and announcements are gone.
func (h *hub) lose() {
	h.set(func() {
		h.values, h.log = map[recordKey][]byte{}, nil
		h.epoch++
	})
}

func (p *port) dead() bool { return p.down || p.cut }

func (p *port) get(_ context.Context, key recordKey) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead() {
		return nil, errHub
	}
	return p.values[key], nil
}

func (p *port) put(_ context.Context, key recordKey, value []byte, _ time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead() {
		return errHub
	}
	is, _, err := unpackFact(key, value)
	if err != nil {
		return err
	}
	was, _, err := unpackFact(key, p.values[key])
	older := was.asOf.After(is.asOf)
	if was.history == is.history && was.version > 0 && is.version > 0 && was.version != is.version {
		older = was.version > is.version
	}
	if err != nil || !older {
		p.values[key] = value
	}
	return nil
}

func (p *port) drop(_ context.Context, keys ...recordKey) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead() {
		return errHub
	}
	for _, key := range keys {
		delete(p.values, key)
	}
	return nil
}

func (p *port) announce(_ context.Context, changes []pdp.Change) (position, error) {
	p.mu.Lock()
	if p.dead() {
		p.mu.Unlock()
		return position{}, errHub
	}
	at := position{p.epochName(), uint64(len(p.log) + 1)}
	p.log = append(p.log, announced{at, changes})
	p.mu.Unlock()
	p.set(func() {})
	return at, nil
}

func (p *port) now() time.Time { return time.Now().Add(p.skew) }
func (p *port) close() error   { return nil }

const fakeBeat = 100 * time.Millisecond

func (p *port) follow(ctx context.Context, hear followed) {
	connected, epoch := false, 0
	for ctx.Err() == nil {
		asOf := time.Now()
		p.mu.Lock()
		dead := p.dead()
		switch {
		case dead && connected:
			connected = false
			p.mu.Unlock()
			hear.lost(errHub)
		case dead:
			p.mu.Unlock()
		case !connected || epoch != p.hub.epoch:
			lost := connected
			connected, epoch, p.seen = true, p.hub.epoch, len(p.log)
			at := position{p.epochName(), uint64(len(p.log))}
			tail := slices.Clone(p.log)
			floor := position{at.epoch, 0}
			if p.trimmed {
				tail, floor = nil, at
			}
			if p.muted {
				tail = nil
			}
			p.mu.Unlock()
			if lost {
				hear.lost(errHub)
			}
			hear.began(at, floor, tail, asOf)
		default:
			news := slices.Clone(p.log[p.seen:])
			p.seen = len(p.log)
			muted := p.muted
			p.mu.Unlock()
			for _, a := range news {
				if muted {
					a.changes = nil
				}
				hear.changed(a)
			}
			hear.beat(asOf)
		}
		select {
		case <-p.wake:
		case <-time.After(fakeBeat):
		case <-ctx.Done():
		}
	}
}

// openFake makes a cached source over fakes, closed at the end of the test.
func openFake(t *testing.T, o *fakeOrigin, p *port, change func(*CachedConfig)) *Cached {
	t.Helper()
	cfg := CachedConfig{Origin: o, Announced: p != nil, Vocabulary: words()}
	if p != nil {
		cfg.shared = p
	}
	if change != nil {
		change(&cfg)
	}
	c, err := OpenCached(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}
