package cache

import (
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// orgIndex maps the locations of the organizations in memory to their roots. It is a hint: the tree says whether it is true. It is
// safe for concurrent use.
type orgIndex struct {
	mu sync.RWMutex
	of map[string]string // root by location
}

// find gives the root of a location, "" if unknown.
func (r *orgIndex) find(location string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.of[location]
}

// add takes in the locations of an organization, and drops those that only the tree it replaces has; replaced may be nil. A location
// that both have is never missing meanwhile.
func (r *orgIndex) add(t, replaced *record.Tree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range t.IDs() {
		r.of[id] = t.Root.ID()
	}
	if replaced == nil {
		return
	}
	for id := range replaced.IDs() {
		if r.of[id] == t.Root.ID() && !t.Has(id) {
			delete(r.of, id)
		}
	}
}

func (r *orgIndex) remove(t *record.Tree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range t.IDs() {
		if r.of[id] == t.Root.ID() {
			delete(r.of, id)
		}
	}
}
