package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// writers is the number of concurrent writes to the shared store.
const writers = 4

// write is what to write to the shared store: values, one after another, and then the end of a reservation.
type write struct {
	values  []put
	release *membership.Key // nil: nothing has been reserved
}

// put is a value to be written to the shared store.
type put struct {
	key   membership.Key
	value []byte
	ttl   time.Duration
}

// shareable reports whether an entry may be shared. Only a record without faults may, because the encoded form does not
// include them.
func (e *entry) shareable() bool {
	switch {
	case e.Absent:
		return false
	case e.user != nil:
		return e.user.faults.Count() == 0
	case e.tree != nil:
		return e.tree.Faults == nil
	}
	return e.pointer != ""
}

// storeUsable reports whether to use the shared store. While the stream is lost, the shared clock is unknown too, and
// waiting for the store would only waste time.
func (c *Cache) storeUsable() bool {
	return c.store != nil && c.tracker.StreamLive()
}

// share writes entries to the shared store in the background, and then ends the reservation of a fetch, if there is one. The
// writes may be lost.
func (c *Cache) share(reserved *membership.Key, entries ...*entry) {
	w := write{release: reserved}
	// Without the shared clock, the age of a value would be unknown.
	if c.storeUsable() && !c.stream.Now().IsZero() {
		for _, e := range entries {
			if left := e.TTL - e.Age(time.Now()); left > 0 {
				w.values = append(w.values, put{e.Key, c.packed(e), left})
			}
		}
	}
	if len(w.values) == 0 && w.release == nil {
		return
	}
	select {
	case c.writes <- w:
	default:
		c.counters.lostPuts.Add(1)
	}
}

// writeAll does queued writes until the cache is closed.
func (c *Cache) writeAll() {
	for {
		select {
		case w := <-c.writes:
			ctx, cancel := context.WithTimeout(c.ctx, time.Second)
			for _, p := range w.values {
				if c.store.Put(ctx, p.key, p.value, p.ttl) != nil {
					c.counters.lostPuts.Add(1)
				}
			}
			if w.release != nil {
				_ = c.store.Unreserve(ctx, *w.release) // otherwise it expires
			}
			cancel()
		case <-c.ctx.Done():
			return
		}
	}
}

// syntheticVersion is the only flag of a shared value. The flags are the first byte.
const syntheticVersion = 1

// packed encodes an entry for the shared store, with its time according to the shared clock.
func (c *Cache) packed(e *entry) []byte {
	var body []byte
	if e.Synthetic {
		body = append(body, syntheticVersion)
	} else {
		body = append(body, 0)
	}
	switch {
	case e.user != nil:
		body = record.EncodeUser(body, e.user.record)
	case e.tree != nil:
		body = record.EncodeLocations(body, e.tree.InOrder())
	case e.parts != nil:
		body = e.parts.encode(body)
	default:
		body = append(body, e.pointer...)
	}
	s := e.Stamp
	s.AsOf = c.stream.Now().Add(-e.Age(time.Now()))
	return record.Pack(e.Key, s, body)
}

var (
	errFlags  = errors.New("a shared value has unknown flags")
	errFuture = errors.New("a shared value was fetched in the future: a clock is wrong")
)

// fromShared returns a record from the shared store. An entry that is not usable can still
// serve as a fallback if the origin is down, or provide the version of the content.
func (c *Cache) fromShared(ctx context.Context, n requirement, key membership.Key) (e *entry, usable bool) {
	if e = c.sharedEntry(ctx, n, key); e == nil {
		return nil, false
	}
	if c.check(e, n) != freshness.Fresh || c.behind(e) {
		return e, false
	}
	c.remember(e)
	c.counters.shared.Add(1)
	return e, true
}

// sharedEntry reads a record from the shared store, and drops an invalid value. It returns nil if there is none that may be used.
func (c *Cache) sharedEntry(ctx context.Context, n requirement, key membership.Key) *entry {
	if n.fresh || !c.storeUsable() || c.stream.Now().IsZero() {
		return nil
	}
	asking, span := tracing.Start(ctx, "shared")
	value, err := c.store.Get(asking, key)
	span.EndWith(err)
	if err != nil || value == nil {
		return nil
	}
	e, err := c.unpack(n.validator, key, value)
	if err != nil {
		c.refuse(key, err)
		return nil
	}
	// In another epoch the shared clock may have been a different one. A record of another history comes from another
	// database, or from before a restore; only the origin can tell which.
	if e.At.Epoch != c.tracker.Epoch() || c.histories.foreign(e) {
		return nil
	}
	return e
}

// sharedRoot reads the root of a location's organization; "" if it is not in the store. The result is only a hint; the
// organization's record is authoritative.
func (c *Cache) sharedRoot(ctx context.Context, location string) string {
	key := membership.Key{Kind: membership.LocationPointer, ID: location}
	if !c.storeUsable() {
		return ""
	}
	value, err := c.store.Get(ctx, key)
	if err != nil || value == nil {
		return ""
	}
	e, err := c.unpack(c.validator.Load(), key, value)
	if err != nil {
		c.refuse(key, err)
		return ""
	}
	return e.pointer
}

// refuse drops an invalid value from the shared store.
func (c *Cache) refuse(key membership.Key, err error) {
	c.counters.refused.Add(1)
	c.log.Warn("dropped an invalid value from the shared cache", "record", key.String(), "error", err)
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	_ = c.store.Drop(ctx, key)
}

// unpack decodes a shared value, and validates it as strictly as a record from the origin.
func (c *Cache) unpack(v *record.Validator, key membership.Key, value []byte) (*entry, error) {
	s, body, err := record.Unpack(key, value)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 || body[0]&^syntheticVersion != 0 {
		return nil, errFlags
	}
	// Clocks agree to within a lease. A value further in the future could be of any age.
	age := c.stream.Now().Sub(s.AsOf)
	if ageMatters(key.Kind) && age < -c.cfg.Lease {
		return nil, errFuture
	}
	s.AsOf = time.Now().Add(-max(age, 0))
	e := newEntry(freshness.Provenance{Stamp: s, Synthetic: body[0]&syntheticVersion != 0}, key, v)
	e.TTL = c.cfg.TTL
	content := body[1:]
	switch key.Kind {
	case membership.UserRecord:
		user, faults, err := e.validator.User(e.validator.Tokens(content))
		if err == nil && user.ID != key.ID {
			err = errors.New("it belongs to another user")
		}
		if err != nil {
			return nil, err
		}
		e.user, e.hash = &account{record: user, faults: faults}, sha256.Sum256(content)
		e.bytes = userBytes(user, content)
	case membership.OrganizationRecord:
		locations, faults, err := e.validator.Locations(e.validator.Tokens(content))
		if err == nil && rootID(locations) != key.ID {
			err = errors.New("it belongs to another organization")
		}
		if err != nil {
			return nil, err
		}
		e.bytes, e.hash = organizationBytes(locations, content), sha256.Sum256(content)
		version, synthetic := s.Version, e.Synthetic
		if err := c.buildTree(e, locations, faults, version, nil); err != nil {
			return nil, err
		}
		e.Version, e.Synthetic, e.TTL = version, synthetic, c.cfg.TTL
	case membership.OrganizationParts:
		if e.parts, err = decodeParts(content); err != nil {
			return nil, err
		}
	default:
		e.bytes, e.pointer = entryBytes+len(key.ID), string(content)
	}
	return e, nil
}

// ageMatters reports whether the age of a value counts. A pointer is only a hint, so its age does not matter.
func ageMatters(k membership.Kind) bool { return k != membership.LocationPointer }

// rootID returns the id of the root among locations; "" if no location is a root with a readable id.
func rootID(locations []record.Location) string {
	for i := range locations {
		if locations[i].Parent == "" && locations[i].ID != "" && locations[i].ID != record.Unreadable {
			return locations[i].ID
		}
	}
	return ""
}
