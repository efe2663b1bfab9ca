package record

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Forest contains the location trees of one state of a source. It is immutable and safe for concurrent use. Ordinals
// number the locations in ascending order of their ids, and link them in less space than pointers would take.
type Forest struct {
	All      []*facts.Location // by ordinal
	Ordinal  map[string]int32
	children [][]int32
	beneath  sync.Map // location id -> []*facts.Location
}

// NewForest joins checked locations, which it sorts by id. If neither a location nor any location above it has changed
// since previous, it is kept; other locations get the given version. previous may be nil.
func NewForest(in []Location, version uint64, previous *Forest) *Forest {
	f := &Forest{
		All:      make([]*facts.Location, len(in)),
		Ordinal:  make(map[string]int32, len(in)),
		children: make([][]int32, len(in)),
	}
	slices.SortFunc(in, func(a, b Location) int { return cmp.Compare(a.ID, b.ID) })
	for i, l := range in {
		f.Ordinal[l.ID] = int32(i)
	}
	for i := range in {
		f.join(in, int32(i), version, previous)
	}
	return f
}

// join returns the location with an ordinal, after joining its parents.
func (f *Forest) join(in []Location, i int32, version uint64, previous *Forest) *facts.Location {
	if f.All[i] != nil {
		return f.All[i]
	}
	rec := in[i].LocationRecord
	var parent *facts.Location
	if rec.Parent != "" {
		above := f.Ordinal[rec.Parent]
		parent = f.join(in, above, version, previous)
		f.children[above] = append(f.children[above], i)
	}
	f.All[i] = joined(rec, parent, version, previous)
	return f.All[i]
}

// joined returns the location of a record: the previous one, if that is the same.
func joined(rec facts.LocationRecord, parent *facts.Location, version uint64, previous *Forest) *facts.Location {
	if l := previous.ByID(rec.ID); l != nil && l.Parent() == parent && l.Record() == rec {
		return l
	}
	return facts.NewLocation(rec, parent, version)
}

// ByID returns the location with an id; nil if there is none.
func (f *Forest) ByID(id string) *facts.Location {
	if f == nil {
		return nil
	}
	if i, ok := f.Ordinal[id]; ok {
		return f.All[i]
	}
	return nil
}

// Page returns the locations that a query selects.
func (f *Forest) Page(q facts.LocationQuery) []*facts.Location {
	all := f.locationsBeneath(q.Beneath)
	from, found := slices.BinarySearchFunc(all, q.After, func(l *facts.Location, id string) int {
		return strings.Compare(l.ID(), id)
	})
	if found {
		from++
	}
	page := all[from:]
	return slices.Clone(page[:min(len(page), membership.PageLimit(q.Limit))])
}

func (f *Forest) locationsBeneath(id string) []*facts.Location {
	if id == "" {
		return f.All
	}
	at, ok := f.Ordinal[id]
	if !ok {
		return nil
	}
	if kept, ok := f.beneath.Load(id); ok {
		return kept.([]*facts.Location)
	}
	ordinals := f.Covered(at)
	slices.Sort(ordinals)
	all := make([]*facts.Location, len(ordinals))
	for i, at := range ordinals {
		all[i] = f.All[at]
	}
	f.beneath.Store(id, all)
	return all
}

// Covered returns the ordinals of a location and all locations beneath it.
func (f *Forest) Covered(at int32) []int32 {
	all := []int32{at}
	for i := 0; i < len(all); i++ {
		all = append(all, f.children[all[i]]...)
	}
	return all
}
