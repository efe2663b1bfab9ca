package facts

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// However many locations are asked about, an organization keeps the facts of so many.
func TestLocationsBuildFactsWhenTheyAreNeeded(t *testing.T) {
	region := NewLocation(LocationRecord{ID: "r", Kind: "region", Model: "regional"}, nil, 1)
	all := make([]*Location, MaxBuiltLocations+100)
	for i := range all {
		all[i] = NewLocation(LocationRecord{ID: fmt.Sprint("f", i), Kind: "facility", Parent: "r"}, region, 1)
	}
	built := func() (n int) {
		for _, l := range append(all, region) {
			if l.built.Load() != nil {
				n++
			}
		}
		return n
	}
	require.Zero(t, built())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for _, l := range all {
				fact := l.facts().fact.String()
				if want := fmt.Sprintf(`{"id": %q, "kind": "facility", "model": "regional", "organization": "r", "path": {%[1]q: true, "r": true}}`, l.ID()); fact != want {
					t.Errorf("%s instead of %s", fact, want)
				}
			}
		})
	}
	readers.Wait()
	require.LessOrEqual(t, built(), MaxBuiltLocations)
	require.Greater(t, built(), MaxBuiltLocations/2)
	require.Same(t, all[len(all)-1].facts(), all[len(all)-1].facts())
}
