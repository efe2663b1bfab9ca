package cache

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// heapOf measures how many bytes of the heap a value takes.
func heapOf[T any](build func() T) (bytes float64, built T) {
	live := func() float64 {
		runtime.GC()
		runtime.GC() // the first call may only finish a collection in progress
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := live()
	built = build()
	return live() - before, built
}

// The estimated size of an entry must be within a third of the measured size.
func TestEntrySizes(t *testing.T) {
	j := record.NewValidator(fixture.Vocabulary())
	var locations strings.Builder
	locations.WriteString(`[{"id": "r", "kind": "region", "model": "regional"}, {"id": "d", "kind": "division", "parent": "r"}`)
	for i := range 3000 {
		fmt.Fprintf(&locations, `, {"id": "facility-%d", "name": "Northfield Hospital %[1]d", "kind": "facility", "parent": "d"}`, i)
	}
	locations.WriteString(`]`)
	estimated := 0
	measured, tree := heapOf(func() *record.Tree {
		locations, faults, err := j.Locations(j.Tokens([]byte(locations.String())))
		require.NoError(t, err)
		tree, err := j.Tree(locations, faults, 1, nil)
		require.NoError(t, err)
		require.NoError(t, tree.Faults)
		questions := facts.Builder{View: treeView{tree: tree}}
		for id := range tree.IDs() { // asked about, each location keeps what was built from it
			_, err := questions.Gather(t.Context(), authzen.Evaluation{Resource: authzen.Entity{Type: "location", ID: id}}, facts.Action{NeedsNoCurrentLocation: true})
			require.NoError(t, err)
		}
		estimated = organizationBytes(locations, record.EncodeLocations(nil, locations))
		return tree
	})
	assert.InEpsilon(t, measured, estimated, 0.33, "an organization")
	for _, assignments := range []int{1, 5, 100} {
		estimated = 0
		measured, all := heapOf(func() []*entry {
			all := make([]*entry, 3000/assignments)
			for i := range all {
				all[i] = joinedRecord(t, j, tree, i, assignments)
				estimated += userBytes(all[i].user.record, record.EncodeUser(nil, all[i].user.record))
			}
			return all
		})
		assert.InEpsilon(t, measured, estimated, 0.33, "users of %d assignments", assignments)
		runtime.KeepAlive(all)
	}
	runtime.KeepAlive(tree)
}

// A process of 200 MB keeps 48 MiB of facts, which is the default of membership.memory: an organization of 100,000 locations has to fit,
// with 7,000 users beside it.
func TestLargeOrganizationFitsIntoTheDefaultMemory(t *testing.T) {
	const memory = 48 << 20
	j := record.NewValidator(fixture.Vocabulary())
	var locations []record.Location
	measured, tree := heapOf(func() *record.Tree {
		var text strings.Builder
		text.WriteString(`[{"id": "r", "kind": "region", "model": "regional"}, {"id": "d", "kind": "division", "parent": "r"}`)
		for i := range 100_000 {
			fmt.Fprintf(&text, `, {"id": "facility-%d", "name": "Facility %[1]d", "kind": "facility", "parent": "d"}`, i)
		}
		text.WriteString(`]`)
		all, faults, err := j.Locations(j.Tokens([]byte(text.String())))
		require.NoError(t, err)
		tree, err := j.Tree(all, faults, 1, nil)
		require.NoError(t, err)
		require.NoError(t, tree.Faults)
		locations = all
		return tree
	})
	user := joinedRecord(t, j, tree, 1, 1).user.record
	estimated := organizationBytes(locations, record.EncodeLocations(nil, locations)) + 7_000*userBytes(user, record.EncodeUser(nil, user))
	assert.Less(t, estimated, memory)
	assert.Less(t, int(measured), memory)
	t.Logf("a location takes %.0f bytes, everything %d", measured/float64(len(locations)), estimated)
	runtime.KeepAlive(tree)
}

// treeView has the locations of a tree.
type treeView struct {
	facts.View
	tree *record.Tree
}

func (v treeView) Location(_ context.Context, id string) (*facts.Location, error) {
	return v.tree.ByID(id), nil
}

func joinedRecord(t *testing.T, j *record.Validator, tree *record.Tree, i, assignments int) *entry {
	t.Helper()
	var held []string
	trees := make([]*record.Tree, assignments)
	for a := range trees {
		trees[a] = tree
		held = append(held, fmt.Sprintf(`{"location": "facility-%d", "role": "ed_normal"}`, (i+a)%3000))
	}
	rec := *newEntry(freshness.Provenance{}, membership.Key{Kind: membership.UserRecord, ID: fmt.Sprintf("u%d", i)}, j)
	user, faults, err := j.User(j.Tokens(fmt.Appendf(nil, `{"id": "u%d", "username": "ana.andersson%[1]d@example.org",
		"name": {"given": "Ana", "family": "Andersson%[1]d"}, "default_location": "facility-%[1]d", "assignments": [%s]}`, i, strings.Join(held, ","))))
	require.NoError(t, err)
	rec.user = &account{record: user, faults: faults}
	_, err = rec.join(trees)
	require.NoError(t, err)
	return &rec
}

// A large record is cached like any other, and evicts the least recently used records.
func TestLargeRecordIsKept(t *testing.T) {
	dropped := 0
	// A sixteenth is reserved for absent records.
	m := newMemory(1_066_666, func(*entry) { dropped++ })
	put := func(id string, bytes int) {
		e := newEntry(freshness.Provenance{}, membership.Key{Kind: membership.UserRecord, ID: id}, nil)
		e.bytes = bytes
		kept, _ := m.put(e)
		require.Same(t, e, kept)
	}
	for i := range 5000 {
		put(fmt.Sprint("u", i), 1000)
	}
	bytes, entries := m.size()
	assert.Equal(t, 1_000_000, bytes)
	assert.Equal(t, 1000, entries)
	assert.Equal(t, 4000, dropped)
	put("large", 600_000)
	for i := range 5000 {
		put(fmt.Sprint("u", i), 1000)
		require.NotNil(t, m.get(membership.Key{Kind: membership.UserRecord, ID: "large"}), "after %d others", i)
	}
	bytes, entries = m.size()
	assert.Equal(t, 1_000_000, bytes)
	assert.Equal(t, 401, entries)
	put("too large", 2_000_000)
	_, entries = m.size()
	assert.Equal(t, 1, entries)
	put("u1", 1000)
	bytes, _ = m.size()
	assert.Equal(t, 1000, bytes)
}
