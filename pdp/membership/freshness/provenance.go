package freshness

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Provenance says where and when a record was obtained; immutable.
type Provenance struct {
	membership.Stamp
	Key    membership.Key
	Absent bool // there is no such record
	// Locations are those of an organization's record; nil for any other.
	Locations *LocationSet
	// Synthetic says that this process numbered the version, because the origin has none. It is not comparable with an announced
	// version.
	Synthetic bool
	// Event is how many events the tracker had received when the fetch from the origin began; 0 if another process fetched it.
	Event uint64
	Order uint64        // of the fetch among the fetches and views of this process
	TTL   time.Duration // the greatest age
}

// LocationSet is the set of locations of an organization's record. It is safe for concurrent use.
type LocationSet struct {
	ids     iter.Seq[string]
	checked atomic.Pointer[checkedLocations] // nil before the first check
}

// checkedLocations is the result of a check that found the record to be fetched after all announcements of its locations.
type checkedLocations struct {
	until  uint64           // the last announcement of a location that was looked at
	claims []membership.Key // of its locations that were announced with a version
}

// NewLocationSet makes a set of ids, which must not change any more.
func NewLocationSet(ids iter.Seq[string]) *LocationSet { return &LocationSet{ids: ids} }

// Age is the time since the fetch began.
func (p *Provenance) Age(now time.Time) time.Duration { return membership.Elapsed(now, p.AsOf) }

// Expired reports whether the record has reached its TTL.
func (p *Provenance) Expired(now time.Time) bool { return p.Age(now) >= p.TTL }

// Versioned reports whether the origin assigned the record's version.
func (p *Provenance) Versioned() bool { return !p.Synthetic && !p.Absent && p.Version > 0 }
