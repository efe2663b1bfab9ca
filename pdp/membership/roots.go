package membership

import "sync"

// roots knows the organization of each location of the trees that are kept. It is a hint: the tree says whether it is true.
type roots struct {
	mu sync.RWMutex
	of map[string]string // by location, to the root
}

// find gives the root above a location, "" where it is not known.
func (r *roots) find(location string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.of[location]
}

func (r *roots) add(t *locationTree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range t.drafts {
		r.of[id] = t.root.ID()
	}
}

func (r *roots) remove(t *locationTree) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range t.drafts {
		if r.of[id] == t.root.ID() {
			delete(r.of, id)
		}
	}
}
