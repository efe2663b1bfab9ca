package fleetkey

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var a, b, c = strings.Repeat("a1", 32), strings.Repeat("b2", 32), strings.Repeat("c3", 32)

func write(t testing.TB, path string, lines ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func open(t testing.TB, lines ...string) *Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.key")
	write(t, path, lines...)
	keys, err := Open(path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return keys
}

func parts(texts ...string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}

func TestNothingElseVerifies(t *testing.T) {
	t.Parallel()
	keys := open(t, a)
	signature := keys.Sign(SharedValue, parts("ab", "c")...)
	sealed := keys.Seal(SharedValue, []byte("text"), parts("ab", "c")...)
	require.Len(t, sealed, len("text")+SealSize)
	require.NoError(t, keys.Verify(SharedValue, signature, parts("ab", "c")...))
	text, err := keys.Open(SharedValue, sealed, parts("ab", "c")...)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	require.NotContains(t, string(sealed), "text")
	require.NotEqual(t, sealed, keys.Seal(SharedValue, []byte("text"), parts("ab", "c")...), "each is sealed by a key of its own")

	other := func(by *Keys, use Use, want error, texts ...string) {
		t.Helper()
		require.ErrorIs(t, by.Verify(use, signature, parts(texts...)...), want)
		text, err := by.Open(use, sealed, parts(texts...)...)
		require.ErrorIs(t, err, want)
		require.Nil(t, text)
	}
	other(keys, StreamEntry, ErrForged, "ab", "c")
	other(keys, SharedValue, ErrForged, "a", "bc")
	other(keys, SharedValue, ErrForged, "abc")
	other(keys, SharedValue, ErrForged, "ab", "c", "")
	other(keys, SharedValue, ErrForged)
	other(open(t, b), SharedValue, ErrUnknownKey, "ab", "c")
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		require.Error(t, keys.Verify(SharedValue, changed, parts("ab", "c")...), i)
		require.ErrorIs(t, keys.Verify(SharedValue, signature[:i], parts("ab", "c")...), ErrUnsigned)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := keys.Open(SharedValue, changed, parts("ab", "c")...)
		require.Error(t, err, i)
		_, err = keys.Open(SharedValue, sealed[:i], parts("ab", "c")...)
		require.Error(t, err, i)
	}
}

// In each step of a rotation, every sidecar verifies what every other one signs, whichever has taken the step already.
func TestRotationStepByStep(t *testing.T) {
	t.Parallel()
	steps := []*Keys{open(t, a), open(t, a, b), open(t, b, a), open(t, b)}
	for i, from := range steps {
		for j, to := range steps {
			signature, sealed := from.Sign(PageToken, []byte("x")), from.Seal(PageToken, []byte("text"), []byte("x"))
			err := to.Verify(PageToken, signature, []byte("x"))
			text, err2 := to.Open(PageToken, sealed, []byte("x"))
			if i-j > 1 || j-i > 1 {
				if err != nil {
					require.ErrorIs(t, err, ErrUnknownKey)
					require.ErrorIs(t, err2, ErrUnknownKey)
				}
				continue
			}
			require.NoError(t, err, "%d to %d", i, j)
			require.NoError(t, err2, "%d to %d", i, j)
			require.Equal(t, "text", string(text))
		}
	}
	require.ErrorIs(t, open(t, a).Verify(PageToken, open(t, b, a).Sign(PageToken)), ErrUnknownKey, "a step too many")
}

func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fleet.key")
	write(t, path, a)
	keys, err := Open(path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	signature := keys.Sign(PageToken)
	write(t, path, b, a)
	require.NoError(t, keys.Verify(PageToken, signature))
	require.Equal(t, []string{hex.EncodeToString(keys.Sign(PageToken)[:idSize]), hex.EncodeToString(signature[:idSize])}, keys.Status().Keys)
	write(t, path, "not a key")
	require.NoError(t, keys.Verify(PageToken, signature), "the last good content stays in force")
	write(t, path, b)
	require.ErrorIs(t, keys.Verify(PageToken, signature), ErrUnknownKey)
}

func TestFaultsOfTheFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {" \n", "it is empty"},
		"a passphrase":  {"correct horse battery staple correct horse battery staple", "line 1 is not a key of 64 hexadecimal digits"},
		"too short":     {a + "\n" + b[:62], "line 2 is not a key"},
		"an empty line": {a + "\n\n" + b, "line 2 is not a key"},
		"twice":         {a + "\n" + strings.ToUpper(a), "line 2 repeats an earlier key"},
		"too many":      {strings.Join([]string{a, b, c, strings.Repeat("d4", 32), strings.Repeat("e5", 32)}, "\n"), "more than 4 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fleet.key")
			write(t, path, c.text)
			_, err := Open(path, nil)
			require.ErrorContains(t, err, c.want)
			for line := range strings.SplitSeq(c.text, "\n") {
				if len(line) > 8 {
					assert.NotContains(t, err.Error(), line)
				}
			}
		})
	}
	keys, err := Open("", nil)
	require.NoError(t, err)
	require.Nil(t, keys)
	require.Zero(t, keys.Status())
	_, err = Open(filepath.Join(t.TempDir(), "missing"), nil)
	require.ErrorContains(t, err, "the fleet key file cannot be read")
}

func TestRefusalsAreCountedAndLoggedOncePerOutage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fleet.key")
	write(t, path, a)
	var log bytes.Buffer
	keys, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	refuse := func() {
		for range 3 {
			require.Error(t, keys.Verify(StreamEntry, nil))
		}
	}
	refuse()
	require.Equal(t, 1, strings.Count(log.String(), "what=stream_entry"))
	keys.last[StreamEntry].Add(-int64(quietPeriod + time.Second))
	refuse()
	require.Equal(t, 2, strings.Count(log.String(), "what=stream_entry"))
	require.Contains(t, keys.Status().Refused, Refused{"stream_entry", "unsigned", 6})
	require.Contains(t, keys.Status().Refused, Refused{"stream_entry", "forged", 0})
}

// Derived keys are part of the format: sidecars of two releases must derive the same.
func TestDerivationStaysTheSame(t *testing.T) {
	t.Parallel()
	signature := open(t, a).Sign(StreamEntry, []byte("x"))
	require.Equal(t, "24f2fb106cace610aae699c4ce0b00bcdf0e6658", hex.EncodeToString(signature))
}

func FuzzOpen(f *testing.F) {
	keys := open(f, a)
	f.Add(keys.Seal(PageToken, []byte("text"), []byte("x")), []byte("x"))
	f.Add(keys.Sign(PageToken, []byte("x")), []byte("x"))
	f.Fuzz(func(t *testing.T, data, part []byte) {
		if keys.Verify(PageToken, data, part) == nil {
			require.Equal(t, keys.Sign(PageToken, part), data)
		}
		if text, err := keys.Open(PageToken, data, part); err == nil {
			require.Equal(t, "text", string(text))
		}
	})
}

func BenchmarkKeys(b *testing.B) {
	path := filepath.Join(b.TempDir(), "fleet.key")
	write(b, path, a)
	old := time.Now().Add(-time.Hour) // a file that has just been written is read each time
	require.NoError(b, os.Chtimes(path, old, old))
	keys, err := Open(path, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	text, name := bytes.Repeat([]byte("x"), 300), []byte("wk1:u3s:{5:alice}")
	sealed := keys.Seal(SharedValue, text, name)
	signature := keys.Sign(StreamEntry, text)
	for name, f := range map[string]func(){
		"seal":   func() { keys.Seal(SharedValue, text, name) },
		"open":   func() { _, _ = keys.Open(SharedValue, sealed, name) },
		"sign":   func() { keys.Sign(StreamEntry, text) },
		"verify": func() { _ = keys.Verify(StreamEntry, signature, text) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
