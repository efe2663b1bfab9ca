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
		if p.join(found[i].ID, 0) == nil {
			return nil, errPatch
		}
	}
	t := &Tree{Forest: p.forest()}
	if t.Root = t.ByID(before.Root.ID()); t.Root == nil {
		return nil, errPatch
	}
	return t, nil
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

// join returns the location with an id, after those above it. It returns nil for one that is beneath itself.
func (p *patch) join(id string, depth int) *facts.Location {
	i, isFound := slices.BinarySearchFunc(p.found, id, func(l Location, id string) int { return strings.Compare(l.ID, id) })
	if !isFound {
		return p.kept(id)
	}
	if l := p.joined[id]; l != nil || depth > len(p.found) {
		return l
	}
	rec := p.found[i].LocationRecord
	var parent *facts.Location
	if rec.Parent != "" {
		if parent = p.join(rec.Parent, depth+1); parent == nil {
			return nil
		}
	}
	p.joined[id] = joined(rec, parent, p.version, p.before)
	return p.joined[id]
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
