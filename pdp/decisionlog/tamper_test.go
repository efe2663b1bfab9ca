package decisionlog

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder is the content of a log: the lines of each file, decompressed.
type folder map[string][]string

func loadFolder(t testing.TB, dir string) folder {
	t.Helper()
	all, err := segments(dir)
	require.NoError(t, err)
	f := folder{}
	for _, s := range all {
		r, err := s.open(dir)
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		for line := range bytes.Lines(data) {
			f[s.name()] = append(f[s.name()], string(line))
		}
	}
	return f
}

// store writes the folder to a new place.
func (f folder) store(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range f {
		var data bytes.Buffer
		var w io.WriteCloser = gzip.NewWriter(&data)
		if filepath.Ext(name) != ".gz" {
			w = plainWriter{&data}
		}
		for _, line := range content {
			_, err := io.WriteString(w, line)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data.Bytes(), 0o600))
	}
	return dir
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

func (f folder) clone() folder {
	c := folder{}
	for name, content := range f {
		c[name] = slices.Clone(content)
	}
	return c
}

func (f folder) names() []string { return slices.Sorted(maps.Keys(f)) }

// written returns a log of several segments, most of them compressed, and its last checkpoint.
func written(t testing.TB, records int) (folder, Checkpoint) {
	t.Helper()
	cfg := Config{Dir: t.TempDir(), MaxSegment: 2000, checkpointEvery: 4}
	l := open(t, cfg)
	add(t, l, numbered(1, records)...)
	tidied(t, l)
	closeLog(t, l)
	l = open(t, Config{Dir: cfg.Dir})
	add(t, l, numbered(records+1, records+5)...)
	closeLog(t, l)
	r := verified(t, cfg.Dir)
	f := loadFolder(t, cfg.Dir)
	require.Greater(t, len(f), 4)
	require.Equal(t, ".gz", filepath.Ext(f.names()[0]))
	require.Equal(t, ".ndjson", filepath.Ext(f.names()[len(f)-1]))
	return f, r.Checkpoint
}

// place is a random line.
func (f folder) place(random *rand.Rand) (name string, line int) {
	name = f.names()[random.IntN(len(f))]
	return name, random.IntN(len(f[name]))
}

var tamperings = map[string]func(f folder, random *rand.Rand){
	"a changed byte": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		line := []byte(f[name][n])
		line[random.IntN(len(line))] ^= byte(1 + random.IntN(255))
		f[name][n] = string(line)
	},
	"a removed byte": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		at := random.IntN(len(f[name][n]))
		f[name][n] = f[name][n][:at] + f[name][n][at+1:]
	},
	"an added byte": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		at := random.IntN(len(f[name][n]) + 1)
		f[name][n] = f[name][n][:at] + string(byte(random.IntN(256))) + f[name][n][at:]
	},
	"a removed line": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		f[name] = slices.Delete(f[name], n, n+1)
	},
	"removed lines at the end of a file": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		f[name] = f[name][:n]
	},
	"a repeated line": func(f folder, random *rand.Rand) {
		from, n := f.place(random)
		to, m := f.place(random)
		f[to] = slices.Insert(f[to], m, f[from][n])
	},
	"a repeated last line": func(f folder, random *rand.Rand) {
		name, _ := f.place(random)
		f[name] = append(f[name], f[name][len(f[name])-1])
	},
	"swapped lines": func(f folder, random *rand.Rand) {
		a, n := f.place(random)
		b, m := f.place(random)
		for a == b && n == m {
			b, m = f.place(random)
		}
		f[a][n], f[b][m] = f[b][m], f[a][n]
	},
	"swapped files": func(f folder, random *rand.Rand) {
		names := f.names()
		n := random.IntN(len(names) - 1)
		m := n + 1 + random.IntN(len(names)-n-1)
		f[names[n]], f[names[m]] = f[names[m]], f[names[n]]
	},
	"a removed file": func(f folder, random *rand.Rand) { delete(f, f.names()[random.IntN(len(f))]) },
	"a repeated file": func(f folder, random *rand.Rand) {
		f[segmentName(uint64(len(f)+1), false)] = f[f.names()[random.IntN(len(f))]]
	},
	"an empty file": func(f folder, random *rand.Rand) { f[f.names()[random.IntN(len(f))]] = nil },
	"a record that is made up": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		f[name] = rehash(slices.Insert(f[name], max(n, 1), `{"seq":3,"time":"2026-01-02T03:04:05Z","record":{"n":3}`+fakeEnd))
	},
	"a record that is changed, with all hashes after it": func(f folder, random *rand.Rand) {
		name, n := f.place(random)
		for ; !bytes.HasPrefix([]byte(f[name][n]), []byte(recordStart)); name, n = f.place(random) {
		}
		f[name][n] = string(bytes.Replace([]byte(f[name][n]), []byte(`"pad":"`), []byte(`"pad":"0`), 1))
		f[name] = rehash(f[name])
	},
}

var fakeEnd = hashStart + fmt.Sprintf("%064d", 0) + "\"}\n"

// rehash makes the hashes of a segment right, which needs no key.
func rehash(content []string) []string {
	first, err := parseLine([]byte(content[0][:len(content[0])-1]))
	if err != nil || first.head == nil {
		return content
	}
	prev, _ := parseDigest(first.head.Prev)
	for n, text := range content {
		var line []byte
		line, prev = appendHash([]byte(text[:len(text)-1-hashLength]), 0, prev)
		content[n] = string(line)
	}
	return content
}

func TestTamperingIsNoticed(t *testing.T) {
	intact, last := written(t, 40)
	verified(t, intact.store(t), last)
	rounds := 25
	if testing.Short() {
		rounds = 10
	}
	for name, tamper := range tamperings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(rounds) {
				f := intact.clone()
				tamper(f, rand.New(rand.NewPCG(seed, 2)))
				_, err := Verify(f.store(t), testKeys(), last)
				var fault *Fault
				require.ErrorAs(t, err, &fault, "seed %d", seed)
				require.NotEmpty(t, fault.Problem)
			}
		})
	}
}

// A change in the middle is named by its place.
func TestFaultNamesThePlace(t *testing.T) {
	intact, _ := written(t, 40)
	f := intact.clone()
	name := f.names()[1]
	require.Contains(t, f[name][2], `"seq":`)
	l, err := parseLine([]byte(f[name][2][:len(f[name][2])-1]))
	require.NoError(t, err)
	f[name][2] = string(bytes.Replace([]byte(f[name][2]), []byte(`"pad"`), []byte(`"bad"`), 1))
	r, err := Verify(f.store(t), testKeys())
	var fault *Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, Fault{File: name, Line: 3, Seq: l.seq, Problem: fault.Problem}, *fault)
	require.Contains(t, fault.Error(), "the line was changed")
	require.Equal(t, l.seq-1, r.Records)
}

// A bit of a compressed file either breaks it, or says nothing about records, such as the time in its header.
func TestBitsOfCompressedFiles(t *testing.T) {
	intact, last := written(t, 40)
	dir := intact.store(t)
	path := filepath.Join(dir, intact.names()[0])
	original, err := os.ReadFile(path)
	require.NoError(t, err)
	want, noticed := readAll(t, dir), 0
	random := rand.New(rand.NewPCG(1, 3))
	for range 300 {
		changed := slices.Clone(original)
		changed[random.IntN(len(changed))] ^= 1 << random.IntN(8)
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		if _, err := Verify(dir, testKeys(), last); err != nil {
			var fault *Fault
			require.ErrorAs(t, err, &fault)
			noticed++
			continue
		}
		require.Equal(t, want, readAll(t, dir))
	}
	require.Greater(t, noticed, 250)
}

// What the documentation says about the end: without a copy of a later checkpoint, an end that was removed is not noticed.
func TestRemovedEndIsNoticedByAKnownCheckpoint(t *testing.T) {
	f, last := written(t, 40)
	delete(f, f.names()[len(f)-1])
	dir := f.store(t)
	shorter := verified(t, dir)
	require.Equal(t, uint64(40), shorter.Last)
	_, err := Verify(dir, testKeys(), last)
	require.ErrorContains(t, err, "is not in the log: its end was removed, or it is another log")
	verified(t, dir, shorter.Checkpoint)
}

// Records after the last checkpoint are not signed, and are reported as such.
func TestUnsignedEndIsCounted(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir(), checkpointEvery: 4})
	add(t, l, numbered(1, 4+3)...)
	r := verified(t, l.cfg.Dir)
	require.Equal(t, uint64(3), r.Unsigned)
	require.Equal(t, uint64(4), r.Checkpoint.Seq)
	require.False(t, r.Closed)
}

func TestSegmentsOfAnotherLogAreNoticed(t *testing.T) {
	a, _ := written(t, 40)
	b, _ := written(t, 40)
	name := a.names()[2]
	a[name] = b[name]
	_, err := Verify(a.store(t), testKeys())
	require.ErrorContains(t, err, name)
}

// Numbers have no gaps even where nothing is signed and all hashes are right.
func TestNumbersFollowOneAnother(t *testing.T) {
	content, ends := killed(t, 2)
	renumbered := bytes.Replace(content[ends[0]:], []byte(`{"seq":2,`), []byte(`{"seq":3,`), 1)
	lines := []string{string(content[:ends[0]])}
	for line := range bytes.Lines(renumbered) {
		lines = append(lines, string(line))
	}
	_, err := Verify(folder{segmentName(1, false): rehash(lines)}.store(t), testKeys())
	require.ErrorContains(t, err, "the record has number 3 instead of 2")
}

// What a failed sync may have left on disk after the last line that counts is not part of the log.
func TestUnsyncedLinesAreLeftBehind(t *testing.T) {
	d := &disk{}
	l := open(t, Config{Dir: t.TempDir(), Full: Deny, openFile: d.openFile})
	add(t, l, numbered(1, 2)...)
	d.set(diskFaults["sync fails and cannot be cut"])
	require.Error(t, appendTo(t.Context(), l, []byte(`{"refused":true}`)))
	d.set(heal)
	waitFor(t, "the log recovers", func() bool { return l.Status().Failing == nil })
	add(t, l, numbered(3, 3)...)
	tidied(t, l)
	closeLog(t, l)
	f := loadFolder(t, l.cfg.Dir)
	first := segmentName(1, true)
	f[first] = append(f[first], `{"seq":3,"time":"2026-01-02T03:04:05Z","record":{"refused":true}`+fakeEnd)
	dir := f.store(t)
	require.Equal(t, numbered(1, 3), readAll(t, dir))
	verified(t, dir)
}

// Whoever makes all hashes right again cannot make the signatures right.
func TestForgedHashesAreNoticedByTheSignatures(t *testing.T) {
	intact, _ := written(t, 40)
	last := intact.names()[len(intact)-1]
	for name, change := range map[string]func(lines []string) []string{
		"a record": func(lines []string) []string {
			lines[1] = string(bytes.Replace([]byte(lines[1]), []byte(`"pad":"`), []byte(`"pad":"0`), 1))
			return lines
		},
		"a head": func(lines []string) []string {
			lines[0] = string(bytes.Replace([]byte(lines[0]), []byte(`"time":"2`), []byte(`"time":"1`), 1))
			return lines
		},
	} {
		f := intact.clone()
		f[last] = rehash(change(f[last]))
		require.NotEqual(t, intact[last], f[last], name)
		_, err := Verify(f.store(t), testKeys())
		require.ErrorContains(t, err, "the signature is not valid", name)
	}
}

// Records that are written to a file that has lost its name would be lost with it.
func TestWriterNoticesThatItsSegmentIsGone(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"renamed": func(t *testing.T, path string) { require.NoError(t, os.Rename(path, path+".1")) },
		"replaced": func(t *testing.T, path string) {
			require.NoError(t, os.Rename(path, path+".1"))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, out := t.TempDir(), &lines{}
			l := open(t, Config{Dir: dir, Logger: out.logger()})
			add(t, l, numbered(1, 3)...)
			remove(t, filepath.Join(dir, segmentName(1, false)))
			add(t, l, numbered(4, 5)...)
			add(t, l, numbered(6, 6)...)
			require.Contains(t, out.String(), "decisions-00000001.ndjson was removed or replaced")
			tidied(t, l)
			closeLog(t, l)
			var kept []string
			for e, err := range Read(dir) {
				if err == nil {
					kept = append(kept, string(e.Record))
				}
			}
			require.Equal(t, numbered(4, 6), kept)
			_, err := Verify(dir, testKeys())
			var fault *Fault
			require.ErrorAs(t, err, &fault)
		})
	}
}

// What was written to a folder while it was elsewhere is no fault once it is back.
func TestFolderIsMovedAwayAndBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, Config{Dir: dir})
	add(t, l, numbered(1, 3)...)
	require.NoError(t, os.Rename(dir, dir+".1"))
	written := make(chan error, 1)
	go func() { written <- appendTo(context.Background(), l, []byte(numbered(4, 4)[0])) }()
	waitFor(t, "the loss is known", func() bool { return l.Status().Failing != nil })
	require.NoError(t, os.Rename(dir+".1", dir))
	require.NoError(t, <-written)
	add(t, l, numbered(5, 5)...)
	closeLog(t, l)
	require.Equal(t, numbered(1, 5), readAll(t, dir))
	verified(t, dir)
}

// Whoever may write to the folder must not have the log write elsewhere, or readers wait for a pipe.
func TestSegmentsAreRegularFiles(t *testing.T) {
	dir, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o600))
	l := open(t, Config{Dir: dir, MaxSegment: 500, Full: Deny})
	next := filepath.Join(dir, segmentName(2, false))
	require.NoError(t, os.Symlink(precious, next))
	var err error
	for err == nil {
		err = appendTo(t.Context(), l, []byte("{}"))
	}
	require.ErrorContains(t, err, "decisions-00000002.ndjson exists")
	_, err = Verify(dir, testKeys())
	require.ErrorContains(t, err, "decisions-00000002.ndjson is not a regular file")
	require.NoError(t, os.Remove(next))
	waitFor(t, "the log recovers", func() bool { return l.Status().Failing == nil })
	closeLog(t, l)
	content, err := os.ReadFile(precious)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))

	require.NoError(t, os.Symlink(precious, filepath.Join(dir, segmentName(9, false))))
	_, err = Open(Config{Dir: dir})
	require.ErrorContains(t, err, "decisions-00000009.ndjson is not a regular file")
}

func TestFolderThatEverybodyMayWriteToIsReported(t *testing.T) {
	dir, out := t.TempDir(), &lines{}
	closeLog(t, open(t, Config{Dir: dir, Logger: out.logger()}))
	require.NotContains(t, out.String(), "Every user")
	require.NoError(t, os.Chmod(dir, 0o777))
	closeLog(t, open(t, Config{Dir: dir, Logger: out.logger()}))
	require.Contains(t, out.String(), "Every user of this machine can write to the folder of the decision log")
}
