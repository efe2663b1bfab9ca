package cache

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// absentShare is the fraction of the memory that absent records may take: whoever asks for ids that do not exist must not evict
// the records of ids that do.
const absentShare = 16

// memory is the in-process tier: two LRU caches, of present and of absent records, each bounded in bytes. It is safe for
// concurrent use.
//
// One lock is enough: a look-up holds it for a fraction of a microsecond, and a decision takes tens of them.
type memory struct {
	mu              sync.Mutex
	present, absent lru
	replacing       bool // during put: the removed record is replaced, not evicted
}

// lru is a cache of records, bounded in bytes.
type lru struct {
	*simplelru.LRU[membership.Key, *entry]
	bytes, limit int
}

// newMemory makes a tier of so many bytes. evicted is called with each record that is no longer kept, unless another one of its
// key replaces it; it must not use the memory.
func newMemory(bytes int, evicted func(*entry)) *memory {
	m := &memory{}
	m.present.limit, m.absent.limit = bytes-bytes/absentShare, bytes/absentShare
	for _, l := range []*lru{&m.present, &m.absent} {
		l.LRU, _ = simplelru.NewLRU(math.MaxInt, func(_ membership.Key, e *entry) { // fails for a size below 1
			l.bytes -= e.bytes
			if !m.replacing {
				evicted(e)
			}
		})
	}
	return m
}

// get gives the record of a key, nil if there is none.
func (m *memory) get(key membership.Key) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.present.Get(key); ok {
		return e
	}
	e, _ := m.absent.Get(key)
	return e
}

// put keeps a record unless the one that is kept is newer. It returns the record that is kept, and the one that it replaced, if
// any. The least recently used records are evicted, but never the one that was put.
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
	l.bytes += e.bytes
	l.Add(e.Key, e)
	for l.bytes > l.limit && l.Len() > 1 {
		l.RemoveOldest()
	}
	return e, replaced
}

// drop removes a record.
func (m *memory) drop(key membership.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present.Remove(key)
	m.absent.Remove(key)
}

// size gives how many bytes and records are kept.
func (m *memory) size() (bytes, records int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.present.bytes + m.absent.bytes, m.present.Len() + m.absent.Len()
}
