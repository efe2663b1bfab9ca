package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// entry is what the process keeps of one record; immutable but for what was found out of it.
type entry struct {
	freshness.Provenance
	validator *record.Validator // that read it
	bytes     int

	user    *account     // of a user
	hash    [32]byte     // of the content, as it is kept in the shared tier
	tree    *record.Tree // of an organization
	pointer string       // of a pointer: the id of a user or root
}

func newEntry(began freshness.Provenance, key membership.Key, j *record.Validator) *entry {
	e := &entry{Provenance: began, validator: j}
	e.Key = key
	return e
}

// plant makes it the entry of an organization.
func (e *entry) plant(t *record.Tree) {
	e.tree, e.Locations = t, freshness.NewLocationSet(t.IDs())
}

// Rough sizes of entries, by what they hold, joined and all; measured on generated directories. What is written in them,
// which can be long, is counted beside.
const (
	entryBytes      = 500 // of anything
	accountBytes    = 400
	assignmentBytes = 260 // each
	treeBytes       = 2000
	locationBytes   = 1650 // each
)

// userBytes is the size of an entry of a user, about.
func userBytes(u *record.User, content []byte) int {
	return entryBytes + accountBytes + assignmentBytes*len(u.Assignments) + len(content)
}

// organizationBytes is that of an organization's locations.
func organizationBytes(locations []record.Location, content []byte) int {
	return entryBytes + treeBytes + locationBytes*len(locations) + len(content)
}

const memoryParts = 16

// absentShare is which part of the memory may be about records that are not there: who asks for ids that nobody has must not
// push out those that somebody has.
const absentShare = 16

// memory is the in-process tier: what was used last is kept, within a bound of bytes. It is safe for concurrent use.
//
// Its parts only keep callers from waiting for each other. The bound is one for all: a large organization is larger than a
// part's share.
type memory struct {
	seed  maphash.Seed
	sorts [2]sort // of records that are there, and of those that are not
	parts [memoryParts]memoryPart
}

// sort is what the records of one sort take of the memory, and may take.
type sort struct {
	limit int64
	bytes atomic.Int64
}

type memoryPart struct {
	mu     sync.Mutex
	recent [2]*simplelru.LRU[membership.Key, *entry] // by sort
}

// sort is which records it belongs to.
func (e *entry) sort() int {
	if e.Absent {
		return 1
	}
	return 0
}

// newMemory makes a tier of so many bytes. dropped is told of each record that is not kept any more; it must be quick, and
// must not use the memory.
func newMemory(bytes int, dropped func(*entry)) *memory {
	m := &memory{seed: maphash.MakeSeed()}
	m.sorts[0].limit, m.sorts[1].limit = int64(bytes-bytes/absentShare), int64(bytes/absentShare)
	for i := range m.parts {
		for s := range m.sorts {
			m.parts[i].recent[s], _ = simplelru.NewLRU(1<<31-1, func(_ membership.Key, e *entry) { // the number is no bound, and no error
				m.sorts[s].bytes.Add(-int64(e.bytes))
				dropped(e)
			})
		}
	}
	return m
}

func (m *memory) at(key membership.Key) int {
	return int(maphash.Comparable(m.seed, key) % memoryParts)
}

func (m *memory) part(key membership.Key) *memoryPart { return &m.parts[m.at(key)] }

// get gives what is kept of a record, nil where nothing is.
func (m *memory) get(key membership.Key) *entry {
	p := m.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.recent {
		if e, ok := r.Get(key); ok {
			return e
		}
	}
	return nil
}

// put keeps a record, unless what is kept is newer. It gives what is kept then.
func (m *memory) put(e *entry) *entry {
	kept := m.add(e)
	if kept == e {
		m.shrink(e)
	}
	return kept
}

func (m *memory) add(e *entry) *entry {
	p := m.part(e.Key)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.recent {
		if kept, ok := r.Peek(e.Key); ok {
			if kept.validator == e.validator && !kept.Expired(time.Now()) && kept.newer(e) {
				return kept
			}
			r.Remove(e.Key)
		}
	}
	m.sorts[e.sort()].bytes.Add(int64(e.bytes))
	p.recent[e.sort()].Add(e.Key, e)
	return e
}

// fewRecords are dropped of one part before it is another's turn.
const fewRecords = 8

// shrink drops what was used longest ago until the bound is kept, but not the record that has just come. It begins where that
// is, and mostly ends there.
func (m *memory) shrink(come *entry) {
	for at, spared := m.at(come.Key), 0; m.sorts[come.sort()].full() && spared < memoryParts; at = (at + 1) % memoryParts {
		if m.parts[at].dropOldest(&m.sorts[come.sort()], come) {
			spared = 0
		} else {
			spared++
		}
	}
}

func (s *sort) full() bool { return s.bytes.Load() > s.limit }

// dropOldest says whether there was anything to drop.
func (p *memoryPart) dropOldest(s *sort, but *entry) (dropped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	recent := p.recent[but.sort()]
	for range fewRecords {
		_, oldest, ok := recent.GetOldest()
		if !ok || oldest == but || !s.full() {
			return dropped
		}
		recent.RemoveOldest()
		dropped = true
	}
	return dropped
}

// drop forgets a record.
func (m *memory) drop(key membership.Key) {
	p := m.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.recent {
		r.Remove(key)
	}
}

// size is how many bytes and records are kept.
func (m *memory) size() (bytes, records int) {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		records += p.recent[0].Len() + p.recent[1].Len()
		p.mu.Unlock()
	}
	return int(m.sorts[0].bytes.Load() + m.sorts[1].bytes.Load()), records
}

// comparable says whether the versions of two records say which is newer: both are the origin's, and of one history.
func (e *entry) comparable(other *entry) bool {
	return e.Versioned() && other.Versioned() && e.History == other.History
}

// newer says whether an entry must not give way to another one of the same record.
func (e *entry) newer(other *entry) bool {
	switch {
	case e.comparable(other) && e.Version != other.Version:
		return e.Version > other.Version
	case e.Order > 0 && other.Order > 0: // versions of our own say less: they count what has come, in whatever order
		return e.Order > other.Order
	case e.Event > 0 && other.Event > 0 && e.Event != other.Event:
		return e.Event > other.Event
	}
	return e.AsOf.After(other.AsOf)
}
