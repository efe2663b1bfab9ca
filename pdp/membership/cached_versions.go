package membership

import "time"

// behind says whether a fetched record is older than is known of it.
func (c *Cached) behind(e *record) bool {
	if e.absent || e.made {
		return false
	}
	if e.version < c.feed.least(e.key) {
		return true
	}
	kept := c.memory.get(e.key)
	return kept != nil && !kept.absent && !kept.made && kept.version > e.version && !kept.expired(time.Now())
}

// setVersion takes the origin's version, or else counts: the same content keeps its number, other content gets a greater
// one, the microseconds of its fetch where these are.
func (c *Cached) setVersion(e *record, version uint64, known *record) {
	if version != 0 {
		e.version = version
		return
	}
	e.made = true
	if kept := c.memory.get(e.key); kept != nil && !kept.absent {
		known = kept
	}
	switch {
	case known == nil || known.absent:
		e.version = uint64(e.asOf.UnixMicro())
	case known.hash == e.hash:
		e.version = known.version
	case known.order > e.order: // this fetch began before
		e.version = min(known.version-1, uint64(e.asOf.UnixMicro()))
	default:
		e.version = max(known.version+1, uint64(e.asOf.UnixMicro()))
	}
}
