package membership

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// record is what the process keeps of one record; immutable but for what was joined of it.
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

// memory is the in-process tier: what was used last is kept, within a bound of bytes. It is safe for concurrent use.
//
// Its parts only keep callers from waiting for each other. The bound is one for all: a large organization is larger than a
// part's share.
type memory struct {
	seed  maphash.Seed
	limit int64
	bytes atomic.Int64
	parts [memoryParts]memoryPart
}

type memoryPart struct {
	mu      sync.Mutex
	entries *simplelru.LRU[recordKey, *record]
}

// newMemory makes a tier of so many bytes. dropped is told of each entry that is not kept any more; it must be quick, and
// must not use the memory.
func newMemory(bytes int, dropped func(*record)) *memory {
	m := &memory{seed: maphash.MakeSeed(), limit: int64(bytes)}
	for i := range m.parts {
		m.parts[i].entries, _ = simplelru.NewLRU(1<<31-1, func(_ recordKey, e *record) {
			m.bytes.Add(-int64(e.bytes))
			dropped(e)
		})
	}
	return m
}

func (m *memory) at(key recordKey) int { return int(maphash.Comparable(m.seed, key) % memoryParts) }

func (m *memory) part(key recordKey) *memoryPart { return &m.parts[m.at(key)] }

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
	kept := m.add(e)
	if kept == e {
		m.shrink(e)
	}
	return kept
}

func (m *memory) add(e *record) *record {
	p := m.part(e.key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if kept, ok := p.entries.Peek(e.key); ok {
		if kept.judge == e.judge && time.Now().Before(kept.expires) && kept.newer(e) {
			return kept
		}
		p.entries.Remove(e.key)
	}
	m.bytes.Add(int64(e.bytes))
	p.entries.Add(e.key, e)
	return e
}

// fewEntries are dropped of one part before it is another's turn.
const fewEntries = 8

// shrink drops what was used longest ago until the bound is kept, but not the entry that has just come. It begins where that is,
// and mostly ends there.
func (m *memory) shrink(come *record) {
	for at, spared := m.at(come.key), 0; m.bytes.Load() > m.limit && spared < memoryParts; at = (at + 1) % memoryParts {
		if m.parts[at].dropOldest(m, come) {
			spared = 0
		} else {
			spared++
		}
	}
}

// dropOldest says whether there was anything to drop.
func (p *memoryPart) dropOldest(m *memory, but *record) (dropped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range fewEntries {
		_, oldest, ok := p.entries.GetOldest()
		if !ok || oldest == but || m.bytes.Load() <= m.limit {
			return dropped
		}
		p.entries.RemoveOldest()
		dropped = true
	}
	return dropped
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
		entries += p.entries.Len()
		p.mu.Unlock()
	}
	return int(m.bytes.Load()), entries
}

// newer says whether an entry must not give way to another one of the same record.
func (e *record) newer(other *record) bool {
	switch {
	case !e.absent && !other.absent && e.err == nil && other.err == nil && e.made == other.made && e.version != other.version:
		return e.version > other.version
	case e.event > 0 && other.event > 0 && e.event != other.event:
		return e.event > other.event
	}
	return e.asOf.After(other.asOf)
}
