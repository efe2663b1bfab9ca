package directory_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

// replaceableFile is a file source whose file a test can replace.
type replaceableFile struct {
	*directory.File
	path string
}

func (f *replaceableFile) Replace(t *testing.T, document string) {
	path := f.path
	fixture.WriteFile(t, path+".new", document)
	require.NoError(t, os.Rename(path+".new", path))
	require.NoError(t, f.Reload())
}

func TestFileMeetsTheSourceSuite(t *testing.T) {
	origintest.TestSource(t, func(t *testing.T, document string) origintest.ReplaceableSource {
		path := filepath.Join(t.TempDir(), "directory.json")
		fixture.WriteFile(t, path, document)
		f, err := directory.OpenFile(directory.FileConfig{Path: path, Vocabulary: fixture.Vocabulary(), Interval: time.Millisecond, Settle: 5 * time.Millisecond})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, f.Close()) })
		return &replaceableFile{f, path}
	})
}
