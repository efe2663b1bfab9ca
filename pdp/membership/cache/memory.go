package cache

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// absentShare is the fraction of the memory available to absent records. Requests for ids that do not exist must not
// evict existing records.
const absentShare = 16

// memory is the in-process tier: two LRU caches, one for present and one for absent records, each limited in bytes. It
// is safe for concurrent use.
//
// One lock is enough: a lookup holds it for a fraction of a microsecond, and a decision takes tens of them.
type memory struct {
	mu              sync.Mutex
	present, absent lru
	replacing       bool // during put: the removed record is replaced, not evicted
	// users and organizations are the keys of the present records that were put last, in no order.
	users, organizations recent
}

// recent are the last keys of one kind.
type recent struct {
	keys [32]membership.Key
	next int
}

func (r *recent) add(key membership.Key) {
	r.keys[r.next%len(r.keys)] = key
	r.next++
}

// lru is a cache of records, limited in bytes.
type lru struct {
	*simplelru.LRU[membership.Key, *entry]
	bytes, limit int
}

// newMemory returns a tier of the given number of bytes. It calls evicted with each record that is removed, unless a
// record of the same key replaces it. evicted must not use the memory.
func newMemory(bytes int, evicted func(*entry)) *memory {
	m := &memory{}
	m.present.limit, m.absent.limit = bytes-bytes/absentShare, bytes/absentShare
	for _, l := range []*lru{&m.present, &m.absent} {
		l.LRU, _ = simplelru.NewLRU(math.MaxInt, func(_ membership.Key, e *entry) { // returns an error only for a size below 1
			l.bytes -= e.bytes
			if !m.replacing {
				evicted(e)
			}
		})
	}
	return m
}

// get returns the record of a key; nil if there is none.
func (m *memory) get(key membership.Key) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.present.Get(key); ok {
		return e
	}
	e, _ := m.absent.Get(key)
	return e
}

// put keeps a record unless the existing one is newer. It returns the record that is in memory now, and the record that
// was replaced, if any. It evicts the least recently used records, but never the new one.
func (m *memory) put(e *entry) (kept, replaced *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range []*lru{&m.present, &m.absent} {
		if kept, ok := l.Peek(e.Key); ok {
			if kept.validator == e.validator && !kept.Expired(time.Now()) && kept.newer(e) {
				return kept, nil
			}
			replaced = kept
			m.replacing = true
			l.Remove(e.Key)
			m.replacing = false
		}
	}
	l := &m.present
	if e.Absent {
		l = &m.absent
	}
	switch {
	case e.user != nil:
		m.users.add(e.Key)
	case e.tree != nil:
		m.organizations.add(e.Key)
	}
	l.bytes += e.bytes
	l.Add(e.Key, e)
	for l.bytes > l.limit && l.Len() > 1 {
		l.RemoveOldest()
	}
	return e, replaced
}

// latest returns the users and the organizations that were put last and are still in memory. It does not count as a use.
func (m *memory) latest() [2][]*entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found [2][]*entry
	for i, r := range []*recent{&m.users, &m.organizations} {
		for _, key := range r.keys {
			if e, ok := m.present.Peek(key); ok {
				found[i] = append(found[i], e)
			}
		}
	}
	return found
}

// drop removes a record.
func (m *memory) drop(key membership.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present.Remove(key)
	m.absent.Remove(key)
}

// size returns the number of bytes and records in memory.
func (m *memory) size() (bytes, records int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.present.bytes + m.absent.bytes, m.present.Len() + m.absent.Len()
}
