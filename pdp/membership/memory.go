package membership

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// record is what the process keeps of one record; immutable but for what was found out of it.
type record struct {
	fact
	key   recordKey
	judge *judge // that read it
	bytes int

	absent  bool          // there is no such record
	user    *account      // of a user
	hash    [32]byte      // of the content, as it is kept in the shared tier
	tree    *locationTree // of an organization
	pointer string        // of a pointer: the id of a user or root
	err     error         // the record cannot be read: nothing may be decided by it

	located atomic.Uint64 // of a tree: up to which event none of its locations has been announced
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
func userBytes(u *userDraft, content []byte) int {
	return entryBytes + accountBytes + assignmentBytes*len(u.Assignments) + len(content)
}

// organizationBytes is that of an organization's locations.
func organizationBytes(locations []locationDraft, content []byte) int {
	return entryBytes + treeBytes + locationBytes*len(locations) + len(content)
}

const memoryParts = 16

// absentShare is which part of the memory may be about records that are not there: who asks for ids that nobody has must not
// push out those that somebody has.
const absentShare = 16

// memory is the in-process tier: what was used last is kept, within a bound of bytes. It is safe for concurrent use.
type memory struct {
	seed  maphash.Seed
	parts [memoryParts]memoryPart
}

type memoryPart struct {
	mu             sync.Mutex
	there, missing recent
}

// recent keeps records within a bound of bytes: the one that was used longest ago goes first.
type recent struct {
	*simplelru.LRU[recordKey, *record]
	limit, bytes int
}

// newMemory makes a tier of so many bytes. dropped is told of each record that is not kept any more; it must be quick, and
// must not use the memory.
func newMemory(bytes int, dropped func(*record)) *memory {
	m := &memory{seed: maphash.MakeSeed()}
	for i := range m.parts {
		p := &m.parts[i]
		for r, limit := range map[*recent]int{&p.there: bytes / memoryParts, &p.missing: bytes / memoryParts / absentShare} {
			r.limit = limit
			r.LRU, _ = simplelru.NewLRU(1<<31-1, func(_ recordKey, e *record) { // the number is no bound, and no error
				r.bytes -= e.bytes
				dropped(e)
			})
		}
	}
	return m
}

func (m *memory) part(key recordKey) *memoryPart {
	return &m.parts[maphash.Comparable(m.seed, key)%memoryParts]
}

// get gives what is kept of a record, nil where nothing is.
func (m *memory) get(key recordKey) *record {
	p := m.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.there.Get(key); ok {
		return e
	}
	e, _ := p.missing.Get(key)
	return e
}

// put keeps a record, unless what is kept is newer. It gives what is kept then.
func (m *memory) put(e *record) *record {
	p := m.part(e.key)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range []*recent{&p.there, &p.missing} {
		if kept, ok := r.Peek(e.key); ok {
			if kept.judge == e.judge && !kept.expired(time.Now()) && kept.newer(e) {
				return kept
			}
			r.Remove(e.key)
		}
	}
	r := &p.there
	if e.absent {
		r = &p.missing
	}
	r.bytes += e.bytes
	r.Add(e.key, e)
	for r.bytes > r.limit && r.Len() > 1 {
		r.RemoveOldest()
	}
	return e
}

// drop forgets a record.
func (m *memory) drop(key recordKey) {
	p := m.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there.Remove(key)
	p.missing.Remove(key)
}

// size is how many bytes and records are kept.
func (m *memory) size() (bytes, records int) {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		bytes += p.there.bytes + p.missing.bytes
		records += p.there.Len() + p.missing.Len()
		p.mu.Unlock()
	}
	return bytes, records
}

// newer says whether an entry must not give way to another one of the same record.
func (e *record) newer(other *record) bool {
	switch {
	case !e.absent && !other.absent && e.err == nil && other.err == nil && !e.made && !other.made && e.version != other.version:
		return e.version > other.version
	case e.order > 0 && other.order > 0: // versions of our own say less: they count what has come, in whatever order
		return e.order > other.order
	case e.event > 0 && other.event > 0 && e.event != other.event:
		return e.event > other.event
	}
	return e.asOf.After(other.asOf)
}
