package cache

import (
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// orgIndex knows the organization of each location of the trees that are kept. It is a hint: the tree says whether it is true.
type orgIndex struct {
	mu sync.RWMutex
	of map[string]string // by location, to the root
}

// find gives the root above a location, "" where it is not known.
func (r *orgIndex) find(location string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.of[location]
}

func (r *orgIndex) add(t *record.Tree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range t.IDs() {
		r.of[id] = t.Root.ID()
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
