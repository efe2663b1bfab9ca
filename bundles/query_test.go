package bundles

import (
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The race detector notices what is compiled at the same time and must not be.
func TestQueriesAndPlansAreCompiledAtTheSameTime(t *testing.T) {
	t.Parallel()
	r, err := Open(t.Context(), Config{Files: fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := input.x\n")}}, Entrypoint: "app/decision"})
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, _, err := r.Plan(t.Context(), "app/decision")
			assert.NoError(t, err)
		})
		all.Go(func() {
			_, err := r.Prepare("app/decision")
			assert.NoError(t, err)
		})
	}
	all.Wait()
}
