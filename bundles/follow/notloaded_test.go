package follow_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// People mistake these files for tables in force.
func TestFilesNotLoadedAreReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bundletest.Unpack(t, dir, bundletest.Files{
		"app/app.rego": "package app\n\ndefault decision := false\n", "app/app_test.rego": "package app_test\n", "app/data.yaml": "a: 1\n",
		"app/tables.yaml": "a: 2\n", "app/sub/data.JSON": "{}", "app/.data.yml": "a: 3\n", "app/more.REGO": "package x\n", "Data.yaml": "a: 4\n", "roles.json": "{}",
		"notes.md": "x", "schemas/input.json": "{}", ".github/ci.yml": "on: push\n", "..2026/tables.yaml": "a: 5\n",
	})
	want := []string{"Data.yaml", "app/.data.yml", "app/more.REGO", "app/sub/data.JSON", "app/tables.yaml", "roles.json"}
	r, err := openOnce(source(t, map[string]any{"path": dir}))
	require.NoError(t, err)
	require.ElementsMatch(t, want, r.NotLoaded)
	f := startFollower(t, source(t, map[string]any{"path": dir}))
	require.Equal(t, 1, f.log.count("level=WARN"))
	for _, name := range want {
		require.Contains(t, f.log.String(), name)
	}
	found, err := bundles.NotLoaded(os.DirFS(dir))
	require.NoError(t, err)
	require.ElementsMatch(t, want, found)
}
