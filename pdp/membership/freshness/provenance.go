package freshness

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Provenance describes where and when a record was obtained. It is immutable.
type Provenance struct {
	membership.Stamp
	Key    membership.Key
	Absent bool // the record does not exist
	// Locations are the locations in an organization's record; nil for other records.
	Locations *LocationSet
	// Synthetic says that this process assigned the version because the origin has none. It cannot be compared with an
	// announced version.
	Synthetic bool
	// Event is the number of events that the tracker had received when the fetch from the origin began; 0 if another
	// process fetched the record.
	Event uint64
	Order uint64        // of the fetch, among the fetches and views of this process
	TTL   time.Duration // the maximum age
}

// LocationSet is the set of locations of an organization's record. It is safe for concurrent use.
type LocationSet struct {
	Locations
	checked atomic.Pointer[checkedLocations] // nil before the first check
}

// checkedLocations is the result of a check which found that the record was fetched after all announcements of its
// locations.
type checkedLocations struct {
	until  uint64           // the last announcement of a location that was checked
	claims []membership.Key // the locations that were announced with a version
}

// Locations has the ids of locations.
type Locations interface {
	IDs() iter.Seq[string]
	Has(id string) bool
}

// NewLocationSet returns a set of locations, which must not change afterwards.
func NewLocationSet(all Locations) *LocationSet { return &LocationSet{Locations: all} }

// Age returns the time since the fetch began.
func (p *Provenance) Age(now time.Time) time.Duration { return membership.Elapsed(now, p.AsOf) }

// Expired reports whether the record has reached its TTL.
func (p *Provenance) Expired(now time.Time) bool { return p.Age(now) >= p.TTL }

// Versioned reports whether the origin assigned the record's version.
func (p *Provenance) Versioned() bool { return !p.Synthetic && !p.Absent && p.Version > 0 }
