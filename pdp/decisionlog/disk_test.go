package decisionlog

import (
	"sync/atomic"
	"testing"
	"time"
)

var slowSyncs atomic.Int64

// slowly returns files whose syncs take long, and counts these.
func slowly(t *testing.T) func(string) (file, error) {
	t.Helper()
	slowSyncs.Store(0)
	return func(path string) (file, error) {
		f, err := openFile(path)
		return slowFile{f}, err
	}
}

type slowFile struct{ file }

func (f slowFile) Sync() error {
	slowSyncs.Add(1)
	time.Sleep(10 * time.Millisecond)
	return f.file.Sync()
}
