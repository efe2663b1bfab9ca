package record

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// errPatch means that a tree with its changed locations is not, for all that is known, an organization without faults.
var errPatch = fmt.Errorf("%w: parts of it do not fit together", errTree)

// Patch returns the tree that a tree without faults has become after changes of some locations. found are those of them that are in
// the organization now, and all that is beneath them, in ascending order of their ids. The result equals that of [Validator.Tree],
// with before as the previous tree, but only what has changed is checked and joined. An error means that the whole organization is
// needed.
func (v *Validator) Patch(before *Tree, changed []string, found []Location, version uint64) (*Tree, error) {
	gone := make([]bool, len(before.All))
	for _, id := range changed {
		if at, ok := before.Ordinal[id]; ok {
			for _, i := range before.Covered(at) {
				gone[i] = true
			}
		}
	}
	p := patch{before: before.Forest, gone: gone, found: found, version: version, joined: make(map[string]*facts.Location, len(found))}
	if err := p.check(v, before.Root.ID()); err != nil {
		return nil, err
	}
	for i := range found {
		if p.join(i, 0) == nil {
			return nil, errPatch
		}
	}
	t := &Tree{Forest: p.forest()}
	if t.Root = t.ByID(before.Root.ID()); t.Root == nil {
		return nil, errPatch
	}
	return t, nil
}

// ErrMoved means that locations were not found in the place that they had before.
var ErrMoved = fmt.Errorf("%w: a location has moved", errTree)

// Complete adds to found, which is in ascending order of ids and has locations alone that have something beneath them, what is beneath
// these as before. changed are all locations that have changed, those alone too. A location that is alone must not have been in another
// organization since: whoever has been announced once, and is found beneath the same parent as before, has stayed there, if this holds
// for all above it as well.
func (t *Tree) Complete(changed, alone []string, found []Location) ([]Location, error) {
	if len(alone) == 0 {
		return found, nil
	}
	isChanged, isAlone := make(map[string]bool, len(changed)), make(map[string]bool, len(alone))
	for _, id := range changed {
		isChanged[id] = true
	}
	for _, id := range alone {
		isAlone[id] = true
	}
	beneath, n := make([]bool, len(t.All)), len(found)
	for _, id := range alone {
		at, known := t.Ordinal[id]
		i, isFound := find(found, id)
		if !known || !isFound || found[i].Parent != t.All[at].Record().Parent {
			return nil, ErrMoved
		}
		for above := t.All[at].Parent(); above != nil; above = above.Parent() {
			if isChanged[above.ID()] && !isAlone[above.ID()] {
				return nil, ErrMoved
			}
		}
		for next := slices.Clone(t.children[at]); len(next) > 0; {
			at, next = next[len(next)-1], next[:len(next)-1]
			if !isChanged[t.All[at].ID()] && !beneath[at] {
				beneath[at] = true
				n++
				next = append(next, t.children[at]...)
			}
		}
	}
	whole := make([]Location, 0, n)
	for at, l := range t.All {
		if beneath[at] {
			for len(found) > 0 && found[0].ID < l.ID() {
				whole, found = append(whole, found[0]), found[1:]
			}
			whole = append(whole, *checkedLocation(l))
		}
	}
	return append(whole, found...), nil
}

// Above reports whether a location has something beneath it.
func (t *Tree) Above(id string) bool {
	at, known := t.Ordinal[id]
	return known && len(t.children[at]) > 0
}

// patch is a change of a forest: without what is gone, with what was found.
type patch struct {
	before  *Forest
	gone    []bool // by ordinal
	found   []Location
	version uint64
	joined  map[string]*facts.Location // of found
}

// kept returns a location that is not gone.
func (p *patch) kept(id string) *facts.Location {
	if at, ok := p.before.Ordinal[id]; ok && !p.gone[at] {
		return p.before.All[at]
	}
	return nil
}

// check finds the faults that [checker.checkLocations] would find. Only found locations can have any: those beneath them are found,
// too.
func (p *patch) check(v *Validator, root string) error {
	c := checker{vocab: vocabulary{v.Vocabulary}, faults: &Faults{}, locations: make(map[string]*Location, 2*len(p.found))}
	for i := range p.found {
		l := &p.found[i]
		if c.locations[l.ID] != nil || p.kept(l.ID) != nil || (l.Parent == "") != (l.ID == root) {
			return errPatch
		}
		c.locations[l.ID] = l
	}
	for i := range p.found {
		l := &p.found[i]
		if above := p.kept(l.Parent); above != nil {
			c.locations[l.Parent] = checkedLocation(above)
		}
		c.checkLocation(l)
	}
	return c.faults.Err()
}

// join returns one of the found locations, after those above it. It returns nil for one that is beneath itself.
func (p *patch) join(i, depth int) *facts.Location {
	rec := p.found[i].LocationRecord
	if l := p.joined[rec.ID]; l != nil || depth > len(p.found) {
		return l
	}
	var parent *facts.Location
	if rec.Parent != "" {
		if parent = p.above(rec.Parent, depth); parent == nil {
			return nil
		}
	}
	l := joined(rec, parent, p.version, p.before)
	p.joined[rec.ID] = l
	return l
}

// above returns the location with an id, after those above it.
func (p *patch) above(id string, depth int) *facts.Location {
	if l := p.joined[id]; l != nil {
		return l
	}
	if i, isFound := find(p.found, id); isFound {
		return p.join(i, depth+1)
	}
	return p.kept(id)
}

// find returns the place of an id among locations in ascending order of ids.
func find(all []Location, id string) (int, bool) {
	return slices.BinarySearchFunc(all, id, func(l Location, id string) int { return strings.Compare(l.ID, id) })
}

// forest returns the changed forest. It shares with the former one what is the same.
func (p *patch) forest() *Forest {
	f := &Forest{All: make([]*facts.Location, 0, len(p.before.All)+len(p.found)), Ordinal: p.before.Ordinal, children: p.before.children}
	next := p.found
	add := func(until string) {
		for len(next) > 0 && (until == "" || next[0].ID < until) {
			f.All = append(f.All, p.joined[next[0].ID])
			next = next[1:]
		}
	}
	replaced := 0
	for i, l := range p.before.All {
		if p.gone[i] {
			replaced++
			continue
		}
		add(l.ID())
		f.All = append(f.All, l)
	}
	add("")
	sameIDs, sameParents := replaced == len(p.found), true
	for i := range p.found {
		before := p.before.ByID(p.found[i].ID)
		sameIDs = sameIDs && before != nil
		sameParents = sameParents && before != nil && before.Record().Parent == p.found[i].Parent
	}
	if !sameIDs {
		f.Ordinal = make(map[string]int32, len(f.All))
		for i, l := range f.All {
			f.Ordinal[l.ID()] = int32(i)
		}
	}
	if !sameIDs || !sameParents {
		f.children = make([][]int32, len(f.All))
		for i, l := range f.All {
			if l.Parent() != nil {
				above := f.Ordinal[l.Parent().ID()]
				f.children[above] = append(f.children[above], int32(i))
			}
		}
	}
	return f
}
