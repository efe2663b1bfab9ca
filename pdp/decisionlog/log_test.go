package decisionlog

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordsAreReadAsAppended(t *testing.T) {
	for name, durability := range map[string]Durability{"sync": Sync, "buffered": Buffered} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			l := open(t, Config{Dir: dir, Durability: durability})
			add(t, l, numbered(1, 20)...)
			closeLog(t, l)
			require.Equal(t, numbered(1, 20), readAll(t, dir))
			require.Equal(t, uint64(20), l.Status().Appended)
			require.Zero(t, l.Status().Queued)

			l = open(t, Config{Dir: dir, Durability: durability})
			add(t, l, numbered(21, 30)...)
			closeLog(t, l)
			require.Equal(t, numbered(1, 30), readAll(t, dir))
			r := verified(t, dir)
			require.Equal(t, uint64(30), r.Records)
			require.Zero(t, r.Unsigned)
			require.True(t, r.Closed)
			require.Equal(t, 2, r.Segments)
		})
	}
}

func TestRecordIsOnDiskWhenAppendReturns(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	for n, record := range numbered(1, 5) {
		add(t, l, record)
		require.Equal(t, numbered(1, n+1), readAll(t, dir), "the writer still runs")
	}
	_, err := Verify(dir, testKeys())
	require.NoError(t, err)
}

func TestConcurrentAppendsShareSyncs(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, openFile: slowly(t)})
	var all sync.WaitGroup
	for _, r := range numbered(1, 2000) {
		all.Go(func() { require.NoError(t, appendTo(context.Background(), l, []byte(r))) })
	}
	all.Wait()
	closeLog(t, l)
	require.ElementsMatch(t, numbered(1, 2000), readAll(t, dir))
	require.Less(t, slowSyncs.Load(), int64(200))
}

func TestFilesAreOnlyForTheirOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, Config{Dir: dir, MaxSegment: 1})
	add(t, l, numbered(1, 3)...)
	closeLog(t, l)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Greater(t, len(entries), 2)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), e.Name())
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir})
	require.ErrorContains(t, err, "another process writes to it")
	closeLog(t, l)
	open(t, Config{Dir: dir})
}

func TestOnlyObjectsAreRecords(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	for _, record := range []string{"", "1", "[]", "{", `{"a":1}{}`, `{"a":"` + "\xff" + `"}`, "{}\x00", `{"a":"` + strings.Repeat("x", MaxRecord) + `"}`} {
		require.Error(t, appendTo(context.Background(), l, []byte(record)), "%.20q", record)
	}
	largest := `{"a":"` + strings.Repeat("x", MaxRecord-8) + `"}`
	given := []string{"{}", "{\n \"a\": [1,\r\n 2]\n}", ` {"b": " "}`[1:], `{"hash":"` + strings.Repeat("0", 64) + `"}`, `{"record":{"seq":1,"time":"x"}}`, largest}
	add(t, l, given...)
	given[1] = `{"a":[1,2]}`
	closeLog(t, l)
	require.Equal(t, given, readAll(t, dir))
	verified(t, dir)
}

func TestLinesAreJSON(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	add(t, l, `{"who":"a"}`)
	closeLog(t, l)
	data, err := os.ReadFile(filepath.Join(dir, segmentName(1, false)))
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		require.True(t, json.Valid([]byte(line)), line)
	}
	require.Contains(t, string(data), `"record":{"who":"a"},"hash":"`)
}

func TestClosedLogRefuses(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	closeLog(t, l)
	closeLog(t, l)
	require.ErrorIs(t, appendTo(context.Background(), l, []byte("{}")), ErrClosed)
}
