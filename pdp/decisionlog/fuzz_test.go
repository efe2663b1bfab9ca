package decisionlog

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is in a segment: it is read within bounds, nothing that was not signed passes for signed, and the log goes on after it.
func FuzzSegment(f *testing.F) {
	genuine, ends := killed(f, 7)
	for _, end := range ends {
		f.Add(genuine[:end], false)
		f.Add(genuine[:end-3], false)
	}
	var packed bytes.Buffer
	dir := storeSegment(f, genuine)
	s, err := pack(dir, segment{number: 1, size: int64(len(genuine))}, nil)
	require.NoError(f, err)
	data, err := os.ReadFile(filepath.Join(dir, s.name()))
	require.NoError(f, err)
	packed.Write(data)
	f.Add(packed.Bytes(), true)
	f.Add([]byte{}, false)
	f.Add([]byte("\n\n"), false)
	f.Add([]byte(rehash([]string{string(genuine[:ends[0]]), `{"seq":1,"time":"2026-01-02T03:04:05Z","record":{}` + fakeEnd})[1]), false)
	f.Fuzz(func(t *testing.T, content []byte, compressed bool) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1, compressed)), content, 0o600))
		r, err := Verify(dir, testKeys())
		signed := r.Checkpoint.Seq
		require.LessOrEqual(t, signed, uint64(7))
		var read []string
		for e, err := range Read(dir) {
			if err == nil {
				read = append(read, string(e.Record))
			}
		}
		if err == nil || errors.As(err, new(*Fault)) {
			require.GreaterOrEqual(t, len(read), int(signed))
			require.Equal(t, numbered(1, int(signed)), append([]string(nil), read[:signed]...))
		}
		l := open(t, Config{Dir: dir})
		require.NoError(t, appendTo(context.Background(), l, []byte(`{"after":true}`)))
		closeLog(t, l)
		var again []string
		for e, err := range Read(dir) {
			if err == nil {
				again = append(again, string(e.Record))
			}
		}
		require.Equal(t, append(read, `{"after":true}`), again)
	})
}
