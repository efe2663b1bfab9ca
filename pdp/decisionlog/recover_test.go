package decisionlog

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// killed returns the only segment of a log whose writer did not end in order, and the offset after each of its lines.
func killed(t testing.TB, records int) (content []byte, ends []int) {
	t.Helper()
	l := open(t, Config{Dir: t.TempDir(), checkpointEvery: 3})
	add(t, l, numbered(1, records)...)
	content, err := os.ReadFile(filepath.Join(l.cfg.Dir, segmentName(1, false)))
	require.NoError(t, err)
	for at, b := range content {
		if b == '\n' {
			ends = append(ends, at+1)
		}
	}
	return content, ends
}

// storeSegment writes segment 1 of a new log.
func storeSegment(t testing.TB, content []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1, false)), content, 0o600))
	return dir
}

// Wherever a segment is cut off, each record whose line is whole stays, the rest is cut off and reported, and the log goes on.
func TestTornEndIsRepaired(t *testing.T) {
	content, ends := killed(t, 4)
	step := 11
	if testing.Short() {
		step = 73
	}
	for size := 0; size <= len(content); size += step {
		whole := 0 // bytes of whole lines
		for _, end := range ends {
			if end <= size {
				whole = end
			}
		}
		dir, out := storeSegment(t, content[:size]), &lines{}
		want := strings.Count(string(content[:whole]), "\n"+recordStart)
		report, err := Verify(dir, testKeys())
		if whole == 0 {
			require.ErrorContains(t, err, "holds no whole line")
		} else {
			require.NoError(t, err)
			require.Equal(t, int64(size-whole), report.Torn)
			require.Equal(t, numbered(1, want), append([]string(nil), readAll(t, dir)...))
		}
		l := open(t, Config{Dir: dir, Logger: out.logger()})
		require.Equal(t, int64(size-whole), l.Status().Torn, "%d bytes", size)
		require.Equal(t, size != whole, strings.Contains(out.String(), "an incomplete end was cut off"), "%d bytes", size)
		require.Empty(t, l.Status().Broken)
		add(t, l, `{"after":true}`)
		closeLog(t, l)
		require.Equal(t, append(numbered(1, want), `{"after":true}`), readAll(t, dir))
		verified(t, dir)
	}
}

// Zeros in place of data, as some file systems leave them when the power fails, are torn too.
func TestZerosAtTheEndAreTorn(t *testing.T) {
	content, ends := killed(t, 4)
	torn := slices.Clone(content)
	clear(torn[ends[len(ends)-2]+10:])
	torn[len(torn)-1] = '\n'
	l := open(t, Config{Dir: storeSegment(t, torn)})
	require.Equal(t, int64(ends[len(ends)-1]-ends[len(ends)-2]), l.Status().Torn)
	closeLog(t, l)
	require.Equal(t, numbered(1, 3), readAll(t, l.cfg.Dir))
	verified(t, l.cfg.Dir)
}

// What is broken otherwise is not repaired: the log goes on after it, loudly, and Verify goes on to name it.
func TestBrokenSegmentIsLeftAlone(t *testing.T) {
	content, ends := killed(t, 6)
	for name, c := range map[string]struct {
		content []byte
		kept    int // records that can still be read
		line    int
	}{
		"a changed record":      {[]byte(strings.Replace(string(content), `"n":2,`, `"n":9,`, 1)), 1, 3},
		"a changed last record": {[]byte(strings.Replace(string(content), `"n":6,`, `"n":9,`, 1)), 5, 0},
		"a missing record":      {slices.Delete(slices.Clone(content), ends[1], ends[2]), 1, 3},
		"no head":               {content[ends[0]:], 0, 1},
		"torn, and more":        {append(slices.Clone(content[:ends[3]+9]), content[ends[3]:]...), 3, 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir, out := storeSegment(t, c.content), &lines{}
			l := open(t, Config{Dir: dir, Logger: out.logger()})
			require.Contains(t, out.String(), "level=ERROR")
			require.Contains(t, out.String(), "decision log is broken")
			require.Contains(t, l.Status().Broken, segmentName(1, false))
			require.Zero(t, l.Status().Torn)
			add(t, l, `{"after":true}`)
			tidied(t, l)
			closeLog(t, l)
			kept := loadFolder(t, dir)[segmentName(1, true)]
			require.Equal(t, string(c.content), strings.Join(kept, ""), "nothing is repaired")

			var read []string
			var faults []error
			for e, err := range Read(dir) {
				if err != nil {
					faults = append(faults, err)
				} else {
					read = append(read, string(e.Record))
				}
			}
			require.Equal(t, append(numbered(1, c.kept), `{"after":true}`), read)
			require.NotEmpty(t, faults)
			_, err := Verify(dir, testKeys())
			var fault *Fault
			require.ErrorAs(t, err, &fault)
			require.Equal(t, segmentName(1, true), fault.File)
			if c.line > 0 {
				require.Equal(t, c.line, fault.Line)
			}
			require.Equal(t, faults[0], err)
		})
	}
}

// An interrupted compression leaves both files, or a part of one.
func TestInterruptedCompressionIsDoneAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, MaxSegment: 1000}
	l := open(t, cfg)
	add(t, l, numbered(1, 12)...)
	tidied(t, l)
	closeLog(t, l)
	plain := strings.Join(loadFolder(t, dir)[segmentName(1, true)], "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(1, false)), []byte(plain), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName(2, true)+partSuffix), []byte("part"), 0o600))
	require.Equal(t, numbered(1, 12), readAll(t, dir))
	verified(t, dir)
	l = open(t, cfg)
	tidied(t, l)
	closeLog(t, l)
	require.NoFileExists(t, filepath.Join(dir, segmentName(1, false)))
	require.NoFileExists(t, filepath.Join(dir, segmentName(2, true)+partSuffix))
	require.Equal(t, numbered(1, 12), readAll(t, dir))
	verified(t, dir)
}

func TestKeysAreReplacedWhileTheLogIsOpen(t *testing.T) {
	_, other, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key := testKey
	l := open(t, Config{Dir: t.TempDir(), checkpointEvery: 1, Signer: func() ed25519.PrivateKey { return key }})
	add(t, l, numbered(1, 2)...)
	closeLog(t, l)
	key = other
	l = open(t, l.cfg)
	add(t, l, numbered(3, 3)...)
	closeLog(t, l)
	_, err = Verify(l.cfg.Dir, testKeys())
	require.ErrorContains(t, err, "it is signed by the unknown key "+KeyID(other.Public().(ed25519.PublicKey)))
	r, err := Verify(l.cfg.Dir, append(testKeys(), other.Public().(ed25519.PublicKey)))
	require.NoError(t, err)
	require.Equal(t, uint64(3), r.Records)
}

func TestLogWithoutKeys(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir(), Signer: func() ed25519.PrivateKey { return nil }})
	add(t, l, numbered(1, 2)...)
	closeLog(t, l)
	r, err := Verify(l.cfg.Dir, nil)
	require.NoError(t, err)
	require.Equal(t, uint64(2), r.Unsigned)
	require.Zero(t, r.Signatures)
	_, err = Verify(l.cfg.Dir, testKeys())
	require.ErrorContains(t, err, "it is not signed")
}

func TestFoldersThatAreNoLog(t *testing.T) {
	dir := t.TempDir()
	_, err := Verify(dir, nil)
	require.ErrorContains(t, err, "holds no segment")
	require.Empty(t, readAll(t, dir))
	_, err = Verify(filepath.Join(dir, "none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	var fault *Fault
	require.False(t, errors.As(err, &fault))
	for _, err := range Read(filepath.Join(dir, "none")) {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}
