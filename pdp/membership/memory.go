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

// Rough sizes of entries, by what they hold; measured on generated directories.
const (
	entryBytes      = 600
	assignmentBytes = 700
	locationBytes   = 2200
)

const memoryParts = 16

// memory is the in-process tier: what was used last is kept, within a bound of bytes. It is safe for concurrent use.
type memory struct {
	seed  maphash.Seed
	parts [memoryParts]memoryPart
}

type memoryPart struct {
	mu      sync.Mutex
	limit   int
	bytes   int
	entries *simplelru.LRU[recordKey, *record]
}

// newMemory makes a tier of so many bytes. dropped is told of each entry that is not kept any more; it must be quick, and
// must not use the memory.
func newMemory(bytes int, dropped func(*record)) *memory {
	m := &memory{seed: maphash.MakeSeed()}
	for i := range m.parts {
		p := &m.parts[i]
		p.limit = bytes / memoryParts
		p.entries, _ = simplelru.NewLRU(1<<31-1, func(_ recordKey, e *record) {
			p.bytes -= e.bytes
			dropped(e)
		})
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
	e, _ := p.entries.Get(key)
	return e
}

// put keeps an entry, unless what is kept is newer. It gives what is kept then.
func (m *memory) put(e *record) *record {
	p := m.part(e.key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if kept, ok := p.entries.Peek(e.key); ok {
		if kept.judge == e.judge && time.Now().Before(kept.expires) && kept.newer(e) {
			return kept
		}
		p.entries.Remove(e.key)
	}
	p.bytes += e.bytes
	p.entries.Add(e.key, e)
	for p.bytes > p.limit && p.entries.Len() > 1 {
		p.entries.RemoveOldest()
	}
	return e
}

// drop forgets a record.
func (m *memory) drop(key recordKey) {
	p := m.part(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries.Remove(key)
}

// size is how many bytes and entries are kept.
func (m *memory) size() (bytes, entries int) {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.Lock()
		bytes += p.bytes
		entries += p.entries.Len()
		p.mu.Unlock()
	}
	return bytes, entries
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
