package decisionlog

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	childFolder = "DECISIONLOG_TEST_FOLDER"
	childRound  = "DECISIONLOG_TEST_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		appendForever(dir, os.Getenv(childRound))
	}
	os.Exit(m.Run())
}

// appendForever is the process that is killed. It prints each record once it has been acknowledged.
func appendForever(dir, round string) {
	l, err := Open(Config{Dir: dir, MaxSegment: 200_000, Signer: testSigner, checkpointEvery: 50, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("torn %d\n", l.Status().Torn)
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%s/%d/%d", round, w, n)
				pad := strings.Repeat("x", 40*(n%5)*(n%5)*w) // up to several pages, so that a write can be cut off
				if err := appendTo(context.Background(), l, fmt.Appendf(nil, `{"id":%q,"pad":%q}`, id, pad)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				_, _ = fmt.Println(id) // one write, so that a line is whole
			}
		})
	}
	writers.Wait()
}

// A process that appends as fast as it can is killed again and again. No acknowledged record is lost, and the chain stays whole.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 4))
	acknowledged := map[string]bool{}
	torn := 0
	for round := range rounds {
		ids, wasTorn := killedAfter(t, dir, round, 1+random.IntN(60))
		if wasTorn {
			torn++
		}
		for _, id := range ids {
			acknowledged[id] = true
		}
		if round%50 == 49 {
			_, err := Verify(dir, testKeys())
			require.NoError(t, err)
		}
	}
	require.Greater(t, len(acknowledged), rounds)
	l := open(t, Config{Dir: dir})
	require.Empty(t, l.Status().Broken)
	closeLog(t, l)
	read := map[string]bool{}
	for e, err := range Read(dir) {
		require.NoError(t, err)
		var r struct{ ID string }
		require.NoError(t, json.Unmarshal(e.Record, &r))
		require.False(t, read[r.ID], "%s is there twice", r.ID)
		read[r.ID] = true
	}
	for id := range acknowledged {
		require.True(t, read[id], "%s was acknowledged", id)
	}
	r := verified(t, dir)
	t.Logf("%d kills: %d records acknowledged, %d in %d segments, %d torn ends", rounds, len(acknowledged), r.Records, r.Segments, torn)
}

// killedAfter kills a writer once it has acknowledged some records, and returns all that it has.
func killedAfter(t *testing.T, dir string, round, records int) (ids []string, torn bool) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childFolder+"="+dir, fmt.Sprintf("%s=%d", childRound, round))
	var logged lines
	child.Stderr = &logged
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	printed := bufio.NewScanner(out)
	for printed.Scan() {
		if cut, first := strings.CutPrefix(printed.Text(), "torn "); first {
			torn = cut != "0"
			continue
		}
		ids = append(ids, printed.Text())
		if len(ids) == records {
			require.NoError(t, child.Process.Kill())
		}
	}
	require.NoError(t, printed.Err())
	require.ErrorContains(t, child.Wait(), "killed", logged.String())
	require.GreaterOrEqual(t, len(ids), records)
	require.NotContains(t, logged.String(), "level=ERROR")
	return ids, torn
}
