package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// putters is how many values are on their way to the shared tier at a time.
const putters = 4

// put is a value for the shared tier.
type put struct {
	key   membership.Key
	value []byte
	ttl   time.Duration
}

// sound says whether other sidecars may have an entry: the form in which it is shared does not show what is wrong with it.
func (e *entry) sound() bool {
	switch {
	case e.Absent:
		return false
	case e.user != nil:
		return e.user.shape.Count() == 0
	case e.tree != nil:
		return e.tree.Faults == nil
	}
	return e.pointer != ""
}

// inTouch says whether the shared tier is to be used: while nothing is heard of it, its clock is not known either, and waiting
// for it would only take time.
func (c *Cache) inTouch() bool {
	return c.store != nil && c.tracker.StreamLive()
}

// share puts an entry into the shared tier, in the background: nobody waits for it, and it may be lost.
func (c *Cache) share(e *entry) {
	// Without the tier's clock nobody could say how old it is.
	if !c.inTouch() || c.stream.Now().IsZero() {
		return
	}
	c.enqueue(put{e.Key, c.packed(e), e.TTL - e.Age(time.Now())})
}

func (c *Cache) enqueue(p put) {
	if p.ttl <= 0 {
		return
	}
	select {
	case c.puts <- p:
	default:
		c.counters.lostPuts.Add(1)
	}
}

func (c *Cache) putAll() {
	for {
		select {
		case p := <-c.puts:
			ctx, cancel := context.WithTimeout(c.ctx, time.Second)
			if c.store.Put(ctx, p.key, p.value, p.ttl) != nil {
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
func (c *Cache) packed(e *entry) []byte {
	var body []byte
	if e.Synthetic {
		body = append(body, madeVersion)
	} else {
		body = append(body, 0)
	}
	switch {
	case e.user != nil:
		body = record.EncodeUser(body, e.user.draft)
	case e.tree != nil:
		body = record.EncodeLocations(body, e.tree.InOrder())
	default:
		body = append(body, e.pointer...)
	}
	s := e.Stamp
	s.AsOf = c.stream.Now().Add(-e.Age(time.Now()))
	return record.Pack(e.Key, s, body)
}

var (
	errFlags  = errors.New("a shared value has unknown flags")
	errFuture = errors.New("a shared value was fetched in the future, by one of the clocks")
)

// fromShared finds a record in the shared tier. What cannot be read there is dropped. An entry that is not usable may still
// do where the origin cannot be reached, or say which version a content had.
func (c *Cache) fromShared(ctx context.Context, n requirement, key membership.Key) (e *entry, usable bool) {
	if n.fresh || !c.inTouch() || c.stream.Now().IsZero() {
		return nil, false
	}
	value, err := c.store.Get(ctx, key)
	if err != nil || value == nil {
		return nil, false
	}
	if e, err = c.unpacked(n.validator, key, value); err != nil {
		c.distrust(key, err)
		return nil, false
	}
	// In another epoch the clock may have been another. And a record of another history is of another database, or of a state
	// of ours that is over: the origin itself says which.
	if e.At.Epoch != c.tracker.Epoch() || c.histories.foreign(e) {
		return nil, false
	}
	if c.usable(e, n) != freshness.Fresh || c.behind(e) {
		return e, false
	}
	c.remember(e)
	c.counters.shared.Add(1)
	return e, true
}

// sharedPointer finds where a pointer leads, "" where there is none. It is a hint.
func (c *Cache) sharedPointer(ctx context.Context, key membership.Key) string {
	if !c.inTouch() {
		return ""
	}
	j := c.validator.Load()
	value, err := c.store.Get(ctx, key)
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
func (c *Cache) distrust(key membership.Key, err error) {
	c.counters.refused.Add(1)
	c.log.Warn("a value of the shared cache is not what it should be, and is dropped", "record", key.String(), "error", err)
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	_ = c.store.Drop(ctx, key)
}

// unpacked reads a shared value, and judges it as strictly as what comes from the origin.
func (c *Cache) unpacked(j *record.Validator, key membership.Key, value []byte) (*entry, error) {
	s, body, err := record.Unpack(key, value)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 || body[0]&^madeVersion != 0 {
		return nil, errFlags
	}
	// Clocks are known to a part of a lease. What is further ahead could be of any age.
	age := c.stream.Now().Sub(s.AsOf)
	if aged(key.Kind) && age < -c.cfg.Lease {
		return nil, errFuture
	}
	s.AsOf = time.Now().Add(-max(age, 0))
	e := newEntry(freshness.Provenance{Stamp: s, Synthetic: body[0]&madeVersion != 0}, key, j)
	e.TTL = c.cfg.TTL
	content := body[1:]
	switch key.Kind {
	case membership.UserRecord:
		draft, shape, err := e.validator.User(e.validator.Tokens(content))
		if err == nil && draft.ID != key.ID {
			err = errors.New("it is of another user")
		}
		if err != nil {
			return nil, err
		}
		e.user, e.hash = &account{draft: draft, shape: shape}, sha256.Sum256(content)
		e.bytes = userBytes(draft, content)
	case membership.OrganizationRecord:
		drafts, faults, err := e.validator.Locations(e.validator.Tokens(content))
		if err == nil && rootOf(drafts) != key.ID {
			err = errors.New("it is of another organization")
		}
		if err != nil {
			return nil, err
		}
		e.bytes, e.hash = organizationBytes(drafts, content), sha256.Sum256(content)
		version, made := s.Version, e.Synthetic
		if err := c.grow(e, drafts, faults, version, nil); err != nil {
			return nil, err
		}
		e.Version, e.Synthetic, e.TTL = version, made, c.cfg.TTL
	default:
		e.bytes, e.pointer = entryBytes+len(key.ID), string(content)
	}
	return e, nil
}

// aged says whether the age of such a value counts. A pointer is a hint, however old.
func aged(k membership.Kind) bool {
	return k == membership.UserRecord || k == membership.OrganizationRecord
}

// rootOf gives the id of the root among locations, "" where there is none. What has no id is none.
func rootOf(drafts []record.Location) string {
	for i := range drafts {
		if drafts[i].Parent == "" && drafts[i].ID != "" && drafts[i].ID != record.Unreadable {
			return drafts[i].ID
		}
	}
	return ""
}
