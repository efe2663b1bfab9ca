package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	lease   = time.Second
	history = "h"
)

var errDown = errors.New("it is down")

// database commits changes, and tells whoever listens.
type database struct {
	mu        sync.Mutex
	down      bool
	committed []time.Time // by the number of the change
	listeners map[*listening]bool
}

// listening is a connection that listens.
type listening struct {
	queue []int // numbers of changes
	ended bool
}

func changeOf(number int) pdp.Change {
	return pdp.Change{Kind: pdp.UserChanged, ID: fmt.Sprint(number), Version: uint64(number + 1)}
}

func (d *database) commit() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for l := range d.listeners {
		l.queue = append(l.queue, len(d.committed))
	}
	d.committed = append(d.committed, time.Now())
}

func (d *database) setDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
	for l := range d.listeners {
		l.ended = l.ended || down
	}
}

func (d *database) listenerCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.listeners)
}

// shared is a Redis: a stream and an election.
type shared struct {
	mu         sync.Mutex
	down       bool
	epoch      int
	log        []membership.Announcement
	trimmed    int // how many entries no longer exist
	leases     [2]heldLease
	leadership membership.Leadership
}

// heldLease is that of a role.
type heldLease struct {
	holder  string
	expires time.Time
	terms   uint64
}

func (l *heldLease) vacant() bool { return l.holder == "" || !time.Now().Before(l.expires) }

func (s *shared) epochName() string { return fmt.Sprint("epoch ", s.epoch) }

func (s *shared) at() membership.Position {
	return membership.Position{Epoch: s.epochName(), Sequence: uint64(len(s.log))}
}

// restart begins another epoch. If forgetting, everything is lost; else the election is as it was.
func (s *shared) restart(forgetting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.log, s.trimmed = nil, 0
	if forgetting {
		s.leases, s.leadership = [2]heldLease{}, membership.Leadership{}
	}
}

// sidecar is a process with connections to both. Each of its steps takes a while, and everything can be cut off.
type sidecar struct {
	*Relay
	db     *database
	redis  *shared
	random *rand.Rand
	noDB   bool
	noRed  bool
	paused time.Time // until then

	mu sync.Mutex
}

func newSidecar(db *database, redis *shared, seed uint64) *sidecar {
	s := &sidecar{db: db, redis: redis, random: rand.New(rand.NewPCG(seed, 1))}
	s.Relay = New(Config{Watcher: s, Stream: fakeStream{s}, Election: s, Lease: lease})
	return s
}

// step takes a while, and as long as the process is stopped.
func (s *sidecar) step(d time.Duration) {
	s.mu.Lock()
	took := time.Duration(s.random.Int64N(int64(d)))
	s.mu.Unlock()
	for time.Sleep(took); ; {
		s.mu.Lock()
		left := time.Until(s.paused)
		s.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

func (s *sidecar) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *sidecar) is(f func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

// Watch is that of the origin. It shadows that of the relay, which tests call by name.
func (s *sidecar) Watch(ctx context.Context, h membership.ChangeHandler) {
	for ctx.Err() == nil {
		h.Lost(s.listen(ctx, h))
		s.step(time.Second)
	}
}

func (s *sidecar) listen(ctx context.Context, h membership.ChangeHandler) error {
	s.step(30 * time.Millisecond)
	l := &listening{}
	s.db.mu.Lock()
	if down := s.db.down; down || s.is(func() bool { return s.noDB }) {
		s.db.mu.Unlock()
		return errDown
	}
	s.db.listeners[l] = true
	s.db.mu.Unlock()
	defer func() {
		s.db.mu.Lock()
		defer s.db.mu.Unlock()
		delete(s.db.listeners, l)
	}()
	s.step(30 * time.Millisecond)
	h.Began(time.Now(), history)
	for ctx.Err() == nil {
		if observer, ok := h.(membership.HeartbeatObserver); ok {
			observer.HeartbeatStarts()
		}
		s.step(5 * time.Millisecond)
		sent := time.Now()
		s.db.mu.Lock()
		ended := l.ended || s.is(func() bool { return s.noDB })
		heard := l.queue
		l.queue = nil
		s.db.mu.Unlock()
		if ended {
			return errDown
		}
		for _, number := range heard {
			s.step(5 * time.Millisecond)
			h.Changed([]pdp.Change{changeOf(number)})
		}
		s.step(5 * time.Millisecond)
		h.Heartbeat(sent)
		s.step(2 * lease / 5)
	}
	return ctx.Err()
}

// request calls f at the server. It fails if that is out of reach before, or, although f was called, after.
func (s *sidecar) request(f func(*shared)) error {
	s.step(20 * time.Millisecond)
	s.redis.mu.Lock()
	if s.redis.down || s.is(func() bool { return s.noRed }) {
		s.redis.mu.Unlock()
		return errDown
	}
	f(s.redis)
	s.redis.mu.Unlock()
	s.step(20 * time.Millisecond)
	if s.is(func() bool { return s.noRed }) {
		return errDown
	}
	return nil
}

func (s *sidecar) Campaign(_ context.Context, role membership.Role) (term *membership.Term, err error) {
	s.mu.Lock()
	id := fmt.Sprint("term ", s.random.Uint64())
	s.mu.Unlock()
	err = s.request(func(r *shared) {
		l := &r.leases[role]
		if !l.vacant() {
			return
		}
		*l = heldLease{id, time.Now().Add(lease), l.terms + 1}
		if role == membership.Leader {
			r.leadership.Term, r.leadership.Watermark = l.terms, nil
		}
		term = &membership.Term{Role: role, ID: id, Number: l.terms, At: r.at()}
	})
	return term, err
}

func (s *sidecar) holding(t *membership.Term, f func(*shared)) (err error) {
	deposed := false
	err = s.request(func(r *shared) {
		l := &r.leases[t.Role]
		if deposed = l.holder != t.ID; !deposed {
			l.expires = time.Now().Add(lease)
			f(r)
		}
	})
	if err == nil && deposed {
		err = membership.ErrDeposed
	}
	return err
}

func (s *sidecar) StartRound(_ context.Context, t *membership.Term) (round uint64, err error) {
	err = s.holding(t, func(r *shared) {
		if t.Role == membership.Leader {
			r.leadership.Round++
		}
		round = r.leadership.Round
	})
	return round, err
}

func (s *sidecar) Attest(_ context.Context, t *membership.Term, w membership.Watermark) error {
	w.At, w.Began = time.Time{}, time.Time{}
	return s.holding(t, func(r *shared) { r.leadership.Watermark = &w })
}

func (s *sidecar) Resign(_ context.Context, t *membership.Term) error {
	return s.holding(t, func(r *shared) { r.leases[t.Role].holder = "" })
}

// fakeStream is the stream as one sidecar sees it.
type fakeStream struct{ s *sidecar }

func (f fakeStream) Announce(_ context.Context, changes []pdp.Change) (at membership.Position, err error) {
	err = f.s.request(func(r *shared) {
		at = membership.Position{Epoch: r.epochName(), Sequence: uint64(len(r.log) + 1)}
		r.log = append(r.log, membership.Announcement{At: at, Changes: changes})
	})
	return at, err
}

func (f fakeStream) Now() time.Time { return time.Now() }

func (f fakeStream) Follow(ctx context.Context, h membership.StreamHandler) {
	for ctx.Err() == nil {
		h.Lost(f.follow(ctx, h))
		f.s.step(lease / 2)
	}
}

func (f fakeStream) follow(ctx context.Context, h membership.StreamHandler) error {
	var at membership.Position
	first := true
	for ctx.Err() == nil {
		asOf := time.Now()
		var news []membership.Announcement
		var now, floor membership.Position
		var leadership membership.Leadership
		err := f.s.request(func(r *shared) {
			now, floor = r.at(), membership.Position{Epoch: r.epochName(), Sequence: uint64(r.trimmed)}
			if first {
				news = slices.Clone(r.log[r.trimmed:])
			} else if now.Epoch == at.Epoch && at.Sequence >= floor.Sequence {
				news = slices.Clone(r.log[at.Sequence:])
			}
			leadership = r.leadership
			leadership.Vacant, leadership.NoStandby = r.leases[membership.Leader].vacant(), r.leases[membership.Standby].vacant()
			if w := leadership.Watermark; w != nil && (w.Through.Epoch != now.Epoch || w.Through.Sequence > now.Sequence) {
				leadership.Watermark = nil
			}
		})
		if err != nil {
			return err
		}
		switch {
		case first:
			h.Began(now, floor, news, asOf)
			first = false
		case now.Epoch != at.Epoch || at.Sequence < floor.Sequence:
			return errDown
		default:
			for _, a := range news {
				h.Changed(a)
			}
			h.(membership.LeadershipObserver).Observed(asOf, leadership)
			h.Heartbeat(asOf)
		}
		at = now
		f.s.step(2 * lease / 5)
	}
	return ctx.Err()
}
