package membership

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"
)

// putters is how many values are on their way to the shared tier at a time.
const putters = 4

// put is a value for the shared tier.
type put struct {
	key   recordKey
	value []byte
	ttl   time.Duration
}

// sound says whether other sidecars may have an entry: the form in which it is shared does not show what is wrong with it.
func (e *record) sound() bool {
	switch {
	case e.absent:
		return false
	case e.user != nil:
		return e.user.shape.count == 0
	case e.tree != nil:
		return e.tree.faults == nil
	}
	return e.pointer != ""
}

// inTouch says whether the shared tier is to be used: while nothing is heard of it, its clock is not known either, and waiting
// for it would only take time.
func (c *Cached) inTouch() bool {
	if c.shared == nil {
		return false
	}
	f := c.feed
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.stream.live(time.Now(), f.lease)
}

// share puts an entry into the shared tier, in the background: nobody waits for it, and it may be lost.
func (c *Cached) share(e *record) {
	// Without the tier's clock nobody could say how old it is.
	if !c.inTouch() || c.shared.now().IsZero() {
		return
	}
	c.enqueue(put{e.key, c.packed(e), e.life - e.age(time.Now())})
}

func (c *Cached) enqueue(p put) {
	if p.ttl <= 0 {
		return
	}
	select {
	case c.puts <- p:
	default:
		c.counters.lostPuts.Add(1)
	}
}

func (c *Cached) putAll() {
	for {
		select {
		case p := <-c.puts:
			ctx, cancel := context.WithTimeout(c.ctx, time.Second)
			if c.shared.put(ctx, p.key, p.value, p.ttl) != nil {
				c.counters.lostPuts.Add(1)
			}
			cancel()
		case <-c.ctx.Done():
			return
		}
	}
}

// flags of a shared value, its first byte.
const madeVersion = 1

// packed is an entry as the shared tier keeps it: its ages by that tier's clock.
func (c *Cached) packed(e *record) []byte {
	var body []byte
	if e.made {
		body = append(body, madeVersion)
	} else {
		body = append(body, 0)
	}
	switch {
	case e.user != nil:
		body = encodeUser(body, e.user.draft)
	case e.tree != nil:
		body = encodeLocations(body, e.tree.inOrder())
	default:
		body = append(body, e.pointer...)
	}
	s := e.stamp
	s.asOf = c.shared.now().Add(-e.age(time.Now()))
	return packFact(e.key, s, body)
}

// inOrder gives the records of a tree by id.
func (t *locationTree) inOrder() []locationDraft {
	all := make([]locationDraft, 0, len(t.drafts))
	for _, l := range t.Directory.locations {
		all = append(all, *t.drafts[l.ID()])
	}
	return all
}

var (
	errFlags  = errors.New("a shared value has unknown flags")
	errFuture = errors.New("a shared value was fetched in the future, by one of the clocks")
)

// fromShared finds a record in the shared tier. What cannot be read there is dropped. An entry that is not usable may still
// do where the origin cannot be reached, or say which version a content had.
func (c *Cached) fromShared(ctx context.Context, n needed, key recordKey) (e *record, usable bool) {
	if n.fresh || !c.inTouch() || c.shared.now().IsZero() {
		return nil, false
	}
	value, err := c.shared.get(ctx, key)
	if err != nil || value == nil {
		return nil, false
	}
	if e, err = c.unpacked(n.judge, key, value); err != nil {
		c.distrust(key, err)
		return nil, false
	}
	// In another epoch the clock may have been another. And a record of another history is of another database, or of a state
	// of ours that is over: the origin itself says which.
	if e.at.epoch != c.feed.epoch() || c.histories.foreign(e) {
		return nil, false
	}
	if c.usable(e, n) != good || c.behind(e) {
		return e, false
	}
	c.remember(e)
	c.counters.shared.Add(1)
	return e, true
}

// sharedPointer finds where a pointer leads, "" where there is none. It is a hint.
func (c *Cached) sharedPointer(ctx context.Context, key recordKey) string {
	if !c.inTouch() {
		return ""
	}
	j := c.judge.Load()
	value, err := c.shared.get(ctx, key)
	if err != nil || value == nil {
		return ""
	}
	e, err := c.unpacked(j, key, value)
	if err != nil {
		c.distrust(key, err)
		return ""
	}
	return e.pointer
}

// distrust drops a value that is not what it should be.
func (c *Cached) distrust(key recordKey, err error) {
	c.counters.refused.Add(1)
	c.log.Warn("a value of the shared cache is not what it should be, and is dropped", "record", key.String(), "error", err)
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	_ = c.shared.drop(ctx, key)
}

// unpacked reads a shared value, and judges it as strictly as what comes from the origin.
func (c *Cached) unpacked(j *judge, key recordKey, value []byte) (*record, error) {
	s, body, err := unpackFact(key, value)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 || body[0]&^madeVersion != 0 {
		return nil, errFlags
	}
	// Clocks are known to a part of a lease. What is further ahead could be of any age.
	age := c.shared.now().Sub(s.asOf)
	if key.kind.aged() && age < -c.cfg.Lease {
		return nil, errFuture
	}
	s.asOf = time.Now().Add(-max(age, 0))
	e := &record{fact: fact{stamp: s, made: body[0]&madeVersion != 0}, key: key, judge: j}
	e.life = c.cfg.TTL
	content := body[1:]
	switch key.kind {
	case userRecord:
		draft, shape, err := e.judge.user(newBinaryTokens(content))
		if err == nil && draft.ID != key.id {
			err = errors.New("it is of another user")
		}
		if err != nil {
			return nil, err
		}
		e.user, e.hash = &account{draft: draft, shape: shape}, sha256.Sum256(content)
		e.bytes = userBytes(draft, content)
	case organizationRecord:
		drafts, faults, err := e.judge.locations(newBinaryTokens(content))
		if err == nil && rootOf(drafts) != key.id {
			err = errors.New("it is of another organization")
		}
		if err != nil {
			return nil, err
		}
		e.bytes, e.hash = organizationBytes(drafts, content), sha256.Sum256(content)
		version, made := s.version, e.made
		if err := c.grow(e, drafts, faults, version, nil); err != nil {
			return nil, err
		}
		e.version, e.made, e.life = version, made, c.cfg.TTL
	default:
		e.bytes, e.pointer = entryBytes+len(key.id), string(content)
	}
	return e, nil
}

// aged says whether the age of such a value counts. A pointer is a hint, however old.
func (k recordKind) aged() bool { return k == userRecord || k == organizationRecord }

// rootOf gives the id of the root among locations, "" where there is none. What has no id is none.
func rootOf(drafts []locationDraft) string {
	for i := range drafts {
		if drafts[i].Parent == "" && drafts[i].ID != "" && drafts[i].ID != unreadable {
			return drafts[i].ID
		}
	}
	return ""
}

// newInstance names a process, or something in it.
func newInstance() string { return rand.Text() }
