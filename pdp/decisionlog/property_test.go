package decisionlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitFor waits for what another goroutine does.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "waiting until %s", what)
	}
}

// tidied waits until every closed segment is compressed, and those that are too old are deleted.
func tidied(t testing.TB, l *Log) {
	t.Helper()
	waitFor(t, "segments are compressed and deleted", func() bool {
		l.chooseOld()
		l.mu.Lock()
		defer l.mu.Unlock()
		waiting := func(s segment) bool { return !s.packed || s.number < l.oldest }
		return l.oldest == l.stated && !slices.ContainsFunc(l.segments, waiting)
	})
}

// Whatever the order of appending, closing segments, compressing, deleting and reopening: what is read is the end of what was
// appended, all of it without retention, and Verify finds nothing.
func TestRandomHistoriesAreReadBack(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			cfg := Config{
				Dir: t.TempDir(), MaxSegment: 300 + random.Int64N(4000), Durability: Durability(seed % 2), Signer: testSigner,
				checkpointEvery: 1 + random.IntN(20),
			}
			if seed%3 == 0 {
				cfg.MaxTotal = 12_000
			}
			var appended []string
			var last Checkpoint
			for range 6 {
				l := open(t, cfg)
				for range 1 + random.IntN(6) {
					from := len(appended) + 1
					records := padded(from, from+random.IntN(30))
					if random.IntN(2) == 0 || cfg.MaxTotal > 0 { // a reader may find gaps while segments are deleted
						for _, r := range records {
							require.NoError(t, appendShared(t.Context(), l, r))
						}
					} else {
						records = addTogether(t, l, records)
					}
					appended = append(appended, records...)
					if random.IntN(3) == 0 {
						tidied(t, l)
					}
				}
				if random.IntN(2) == 0 {
					tidied(t, l)
				}
				closeLog(t, l)
				read := readAll(t, cfg.Dir)
				if cfg.MaxTotal == 0 {
					require.Equal(t, appended, read)
				} else {
					require.Equal(t, append([]string(nil), appended[len(appended)-len(read):]...), read)
				}
				r := verified(t, cfg.Dir, slices.DeleteFunc([]Checkpoint{last}, func(c Checkpoint) bool { return c.Hash == "" })...)
				require.Equal(t, uint64(len(read)), r.Records)
				require.Equal(t, uint64(len(appended)), r.Last)
				require.Zero(t, r.Unsigned)
				last = r.Checkpoint
			}
		})
	}
}

// addTogether appends records concurrently and returns them in the order of the log.
func addTogether(t *testing.T, l *Log, records []string) []string {
	var all sync.WaitGroup
	for _, r := range records {
		all.Go(func() { require.NoError(t, appendShared(context.Background(), l, r)) })
	}
	all.Wait()
	waitFor(t, "the records are on disk", func() bool { return l.Status().Queued == 0 })
	read := readAll(t, l.cfg.Dir)
	return read[len(read)-len(records):]
}
