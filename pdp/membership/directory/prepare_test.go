package directory

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// No list waits for an order, neither of the first directory nor, where it has been used, of a later one.
func TestListsArePrepared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	write := func(seed uint64) {
		require.NoError(t, os.WriteFile(path+".new", []byte(fixture.MixedDocument(seed, 60)), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	write(1)
	f, err := OpenFile(FileConfig{Path: path, Vocabulary: fixture.Vocabulary()})
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	f.preparing.Wait()
	first := f.Directory()
	for order := range first.rankings {
		require.True(t, first.rankings[order].built.Load(), "order %d", order)
	}
	require.False(t, first.search.built.Load())

	q := facts.UserQuery{Beneath: "metro", Sort: facts.SortDefaultLocation, Descending: true, Text: "an"}
	_, err = first.Users(context.Background(), q)
	require.NoError(t, err)
	write(2)
	require.NoError(t, f.Reload())
	f.preparing.Wait()
	second := f.Directory()
	require.NotSame(t, first, second)
	require.True(t, second.search.built.Load())
	prepared, all := 0, 0
	second.lists.Range(func(_, kept any) bool {
		all++
		if kept.(*list).built.Load() {
			prepared++
		}
		return true
	})
	require.Equal(t, 1, all, "nothing but what was used")
	require.Equal(t, 1, prepared)

	// What is not in force any more is not prepared, and a directory of its own is built when it is used.
	d, err := ParseDocument([]byte(fixture.MixedDocument(3, 60)), record.JSON, fixture.Vocabulary(), nil)
	require.NoError(t, err)
	d.prepareLists(nil, func() bool { return false })
	require.False(t, d.rankings[0].built.Load())
	_, err = d.Users(context.Background(), q)
	require.NoError(t, err)
}
