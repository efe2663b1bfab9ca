package record

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// world is all locations there are, by id.
type world map[string]facts.LocationRecord

func (w world) root(id string) string {
	for depth := 0; w[id].Parent != "" && depth < 10; depth++ {
		id = w[id].Parent
	}
	return id
}

// beneath returns those of the given ids that are in an organization, and all that is beneath them; of all if none are given.
func (w world) beneath(root string, ids ...string) (found []Location) {
	for _, id := range slices.Sorted(maps.Keys(w)) {
		above := id
		for above != "" && !slices.Contains(ids, above) {
			above = w[above].Parent
		}
		if w.root(id) == root && (above != "" || len(ids) == 0) {
			found = append(found, Location{LocationRecord: w[id], About: Subject{List: LocationList, Index: len(found), ID: id}})
		}
	}
	return found
}

// change changes locations at random, as a source would announce it: for each, where it is and where it was.
func (w world) change(r *rand.Rand, told map[string][]string) {
	id := []string{"f" + strconv.Itoa(r.IntN(12)), "d" + strconv.Itoa(r.IntN(4)), "metro"}[max(r.IntN(20)-17, 0)]
	if r.IntN(4) == 0 {
		id = "d" + strconv.Itoa(r.IntN(4))
	}
	l, known := w[id]
	at := map[string]bool{}
	tell := func() {
		if _, known := w[id]; known {
			at[w.root(id)] = true
		}
	}
	tell()
	defer func() {
		for root := range at {
			told[root] = append(told[root], id)
		}
	}()
	switch {
	case known && r.IntN(3) == 0:
		l.Name = strconv.Itoa(r.IntN(1000))
		w[id] = l
	case id[0] == 'f' && known && r.IntN(3) == 0:
		delete(w, id)
	case id[0] == 'f' && r.IntN(30) == 0:
		w[id] = facts.LocationRecord{ID: id, Kind: "facility", Parent: "metro"} // a fault
	case id[0] == 'f':
		w[id] = facts.LocationRecord{ID: id, Kind: "facility", Parent: "d" + strconv.Itoa(r.IntN(4))}
	case id[0] == 'd':
		l.Parent = []string{"metro", "far"}[r.IntN(2)]
		w[id] = l
	}
	tell()
}

// After any changes, a patched tree is the one that is made of all locations.
func TestPatchedTreeIsThatOfAllLocations(t *testing.T) {
	v, r := NewValidator(pdp.Vocabulary{}), rand.New(rand.NewPCG(1, 2))
	patched, refused, moved, completed := 0, 0, 0, 0
	for range 50 {
		w := world{"metro": {ID: "metro", Kind: "region", Model: facts.ModelRegional}, "far": {ID: "far", Kind: "region", Model: facts.ModelRegional}}
		for i := range 4 {
			id := "d" + strconv.Itoa(i)
			w[id] = facts.LocationRecord{ID: id, Kind: "division", Parent: "metro"}
		}
		trees := map[string]*Tree{}
		whole := func(root string, version uint64) *Tree {
			tree, err := v.Tree(w.beneath(root), &Faults{}, version, trees[root])
			require.NoError(t, err)
			return tree
		}
		for _, root := range []string{"metro", "far"} {
			trees[root] = whole(root, 1)
		}
		for version := uint64(2); version < 60; version++ {
			told := map[string][]string{}
			for range 1 + r.IntN(4) {
				w.change(r, told)
			}
			for root, before := range trees {
				want := whole(root, version)
				if before.Faults != nil || len(told[root]) == 0 {
					trees[root] = want
					continue
				}
				found := w.beneath(root, told[root]...)
				if asked, alone := split(before, told[root]); len(alone) > 0 {
					whole, err := before.Complete(told[root], alone, w.these(root, asked, alone))
					if err == nil {
						require.Equal(t, records(found), records(whole))
						completed++
					} else {
						require.ErrorIs(t, err, ErrMoved)
						moved++
					}
				}
				got, err := v.Patch(before, told[root], found, version)
				if want.Faults != nil {
					require.Error(t, err)
					refused++
				} else {
					require.NoError(t, err)
					requireSameTree(t, want, got)
					patched++
				}
				trees[root] = want
				if err == nil && r.IntN(2) == 0 {
					trees[root] = got
				}
			}
		}
	}
	require.Greater(t, patched, 1000)
	require.Greater(t, refused, 20)
	require.Greater(t, completed, 100)
	require.Greater(t, moved, 100)
}

// split returns which of the changed locations have something beneath them and were announced once, and the others.
func split(before *Tree, told []string) (asked, alone []string) {
	for _, id := range told {
		if i := slices.Index(told, id); before.Above(id) && !slices.Contains(told[i+1:], id) {
			alone = append(alone, id)
		} else {
			asked = append(asked, id)
		}
	}
	return asked, alone
}

// these returns those of the asked ids that are in an organization, with all that is beneath them, and those of alone without it.
func (w world) these(root string, asked, alone []string) (found []Location) {
	if len(asked) > 0 {
		found = w.beneath(root, asked...)
	}
	for _, id := range alone {
		known := slices.ContainsFunc(found, func(l Location) bool { return l.ID == id })
		if _, is := w[id]; is && !known && w.root(id) == root {
			found = append(found, Location{LocationRecord: w[id]})
		}
	}
	slices.SortFunc(found, func(a, b Location) int { return strings.Compare(a.ID, b.ID) })
	return found
}

func records(all []Location) (found []facts.LocationRecord) {
	for _, l := range all {
		found = append(found, l.LocationRecord)
	}
	return found
}

func requireSameTree(t *testing.T, want, got *Tree) {
	require.Equal(t, want.InOrder(), got.InOrder())
	require.Equal(t, want.Ordinal, got.Ordinal)
	require.Equal(t, want.Root, got.Root)
	for i, l := range want.All {
		require.Equal(t, l.Version(), got.All[i].Version(), l.ID())
		require.Same(t, got.All[i].Root(), got.Root)
		if above := l.Parent(); above != nil {
			require.Same(t, got.ByID(above.ID()), got.All[i].Parent())
		}
		require.ElementsMatch(t, want.children[i], got.children[i])
		require.Equal(t, want.Page(facts.LocationQuery{Beneath: l.ID()}), got.Page(facts.LocationQuery{Beneath: l.ID()}))
		require.True(t, got.Has(l.ID()))
	}
}

// What a source leaves out, repeats or connects wrongly makes no tree.
func TestPatchRefusesPartsThatDoNotFit(t *testing.T) {
	v := NewValidator(pdp.Vocabulary{})
	at := func(id, kind, parent string) Location {
		return Location{LocationRecord: facts.LocationRecord{ID: id, Kind: kind, Parent: parent}}
	}
	root := Location{LocationRecord: facts.LocationRecord{ID: "metro", Kind: "region", Model: facts.ModelRegional}}
	other := Location{LocationRecord: facts.LocationRecord{ID: "other", Kind: "region", Model: facts.ModelRegional}}
	before, err := v.Tree([]Location{at("d", "division", "metro"), at("f", "facility", "d"), root}, &Faults{}, 1, nil)
	require.NoError(t, err)
	for name, one := range map[string]struct {
		changed []string
		found   []Location
	}{
		"no root":            {[]string{"metro"}, nil},
		"another root":       {[]string{"other"}, []Location{other}},
		"the root moved":     {[]string{"metro"}, []Location{at("metro", "region", "d")}},
		"not asked for":      {[]string{"f"}, []Location{at("d", "division", "metro"), at("f", "facility", "d")}},
		"twice":              {[]string{"f"}, []Location{at("f", "facility", "d"), at("f", "facility", "d")}},
		"an unknown parent":  {[]string{"f"}, []Location{at("f", "facility", "nowhere")}},
		"a parent that left": {[]string{"d", "f"}, []Location{at("f", "facility", "d")}},
		"a cycle":            {[]string{"d", "f"}, []Location{at("d", "facility", "f"), at("f", "division", "d")}},
		"a wrong kind":       {[]string{"f"}, []Location{at("f", "facility", "metro")}},
	} {
		_, err := v.Patch(before, one.changed, one.found, 2)
		require.Error(t, err, name)
	}
	after, err := v.Patch(before, []string{"f"}, nil, 2)
	require.NoError(t, err)
	require.Len(t, after.All, 2)
}

// What is beneath a location as before is only added if the location is certain to have stayed there.
func TestCompleteRefusesLocationsThatMayHaveMoved(t *testing.T) {
	v := NewValidator(pdp.Vocabulary{})
	at := func(id, kind, parent string) Location {
		return Location{LocationRecord: facts.LocationRecord{ID: id, Kind: kind, Parent: parent}}
	}
	root := Location{LocationRecord: facts.LocationRecord{ID: "metro", Kind: "region", Model: facts.ModelRegional}}
	before, err := v.Tree([]Location{at("d", "division", "metro"), at("f", "facility", "d"), at("g", "facility", "d"), root}, &Faults{}, 1, nil)
	require.NoError(t, err)
	whole, err := before.Complete([]string{"d", "g"}, []string{"d"}, []Location{at("d", "division", "metro")})
	require.NoError(t, err)
	require.Equal(t, records([]Location{at("d", "division", "metro"), at("f", "facility", "d")}), records(whole), "g is gone")
	for name, one := range map[string]struct{ changed, alone, parent string }{
		"elsewhere":                       {"d", "d", "other"},
		"gone":                            {"d", "d", ""},
		"unknown":                         {"new", "new", "metro"},
		"what is above it may have moved": {"metro", "d", "metro"},
	} {
		var found []Location
		if one.parent != "" {
			found = []Location{at(one.alone, "division", one.parent)}
		}
		_, err := before.Complete([]string{one.changed, one.alone}, []string{one.alone}, found)
		require.ErrorIs(t, err, ErrMoved, name)
	}
}

// BenchmarkPatch renames one of 20,000 locations.
func BenchmarkPatch(b *testing.B) {
	v := NewValidator(pdp.Vocabulary{})
	locations := []Location{{LocationRecord: facts.LocationRecord{ID: "metro", Kind: "region", Model: facts.ModelRegional}}}
	for i := range 20 {
		locations = append(locations, Location{LocationRecord: facts.LocationRecord{ID: fmt.Sprint("d", i), Kind: "division", Parent: "metro"}})
	}
	for i := range 20_000 {
		locations = append(locations, Location{LocationRecord: facts.LocationRecord{ID: fmt.Sprint("f", i), Kind: "facility", Parent: fmt.Sprint("d", i%20)}})
	}
	tree, err := v.Tree(locations, &Faults{}, 1, nil)
	require.NoError(b, err)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			_, err := v.Patch(tree, []string{"f77"}, []Location{{LocationRecord: facts.LocationRecord{ID: "f77", Kind: "facility", Parent: "d1", Name: fmt.Sprint(i)}}}, 2)
			require.NoError(b, err)
		}
	})
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			_, err := v.Tree(locations, &Faults{}, 2, tree)
			require.NoError(b, err)
		}
	})
}
