package cache

import (
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// orgIndex maps the locations of the organizations in memory to their roots. The result is only a hint; the tree is
// authoritative. It is safe for concurrent use.
type orgIndex struct {
	mu sync.RWMutex
	of map[string]string // location to root
}

// find returns the root of a location; "" if unknown.
func (r *orgIndex) find(location string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.of[location]
}

// add adds the locations of an organization, and removes those that only the replaced tree has. replaced may be nil. A
// location in both trees is never missing in between.
func (r *orgIndex) add(t, replaced *record.Tree) {
	if replaced != nil && replaced.Root.ID() == t.Root.ID() && t.SameIDs(replaced) {
		return
	}
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
