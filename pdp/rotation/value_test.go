package rotation

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *logBuffer) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *logBuffer) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *logBuffer) count(part string) int { return strings.Count(j.String(), part) }

// word opens a value that must be one word.
func word(t *testing.T, path string) (*Value[string], *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	v, err := Open(Config[string]{
		Name: "the word", Paths: []string{path}, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Parse: func(contents [][]byte) (string, error) {
			text := strings.TrimSpace(string(contents[0]))
			if text == "" || strings.Contains(text, " ") {
				return "", errors.New("it holds no word")
			}
			return text, nil
		},
	})
	require.NoError(t, err)
	return v, log
}

func put(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// The file is replaced in every possible way.
func TestValueFollowsItsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "word")
	put(t, path, "first")
	v, log := word(t, path)
	assert.Equal(t, "first", v.Get())

	put(t, path, "second")
	assert.Equal(t, "second", v.Get(), "written in place")
	put(t, path+".new", "third")
	require.NoError(t, os.Rename(path+".new", path))
	assert.Equal(t, "third", v.Get(), "renamed over")
	assert.Equal(t, 2, log.count("the word has changed"))
	assert.NotContains(t, log.String(), "level=WARN")

	// The file keeps its size and modification time.
	before, err := os.Stat(path)
	require.NoError(t, err)
	put(t, path, "fifth")
	require.NoError(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
	assert.Equal(t, "fifth", v.Get())

	// Kubernetes mounts a link to a file behind a link to a folder, and replaces the latter.
	for name, content := range map[string]string{"one": "old", "two": "new"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		put(t, filepath.Join(dir, name, "secret"), content)
	}
	require.NoError(t, os.Symlink("one", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink(filepath.Join("..data", "secret"), filepath.Join(dir, "secret")))
	linked, _ := word(t, filepath.Join(dir, "secret"))
	assert.Equal(t, "old", linked.Get())
	require.NoError(t, os.Symlink("two", filepath.Join(dir, "..next")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data")))
	assert.Equal(t, "new", linked.Get())
}

// The last good value stays while the file is faulty. The fault is logged once, with the path and without the content.
func TestLastGoodValueStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "word")
	put(t, path, "good")
	v, log := word(t, path)
	for _, c := range []struct {
		fault    func()
		reason   string
		warnings int
	}{
		{func() { require.NoError(t, os.Remove(path)) }, "no such file", 1},
		{func() { put(t, path, "") }, "no word", 2},
		{func() { put(t, path, "s3cret s3cret") }, "no word", 2},
		{func() { put(t, path, strings.Repeat("s3cret", 100_000)) }, "larger than", 3},
		{func() { require.NoError(t, os.Remove(path)); require.NoError(t, os.Mkdir(path, 0o700)) }, "not a regular file", 4},
	} {
		c.fault()
		for range 3 {
			assert.Equal(t, "good", v.Get(), c.reason)
			v.Renew()
		}
		assert.Equal(t, c.warnings, log.count("level=WARN"), c.reason+log.String())
		assert.Contains(t, log.String(), c.reason)
	}
	require.NoError(t, os.Remove(path))
	put(t, path, "good")
	assert.Equal(t, "good", v.Get())
	assert.Equal(t, 1, log.count("the word can be used again"))
	put(t, path, "better")
	assert.Equal(t, "better", v.Get())
	assert.NotContains(t, log.String(), "s3cret")
	assert.Contains(t, log.String(), path)
}

// Part of a token or of a list of keys can be valid.
func TestPartlyWrittenFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "word")
	put(t, path, "whole")
	v, log := word(t, path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	require.NoError(t, err)
	_, err = file.WriteString("ha")
	require.NoError(t, err)
	assert.Equal(t, "whole", v.Get())
	_, err = file.WriteString("lf")
	require.NoError(t, err)
	assert.Equal(t, "whole", v.Get())
	require.NoError(t, file.Close())
	assert.Equal(t, "half", v.Get())
	assert.NotContains(t, log.String(), "level=WARN", "writing a file is not a fault")

	// A writer that does not end keeps a secret in force that should be withdrawn.
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	require.NoError(t, err)
	assert.Equal(t, "half", v.Get())
	v.unsettled = v.unsettled.Add(-settleTimeout)
	for range 3 {
		assert.Equal(t, "half", v.Get())
	}
	assert.Equal(t, 1, log.count("the word cannot be used, the last good content stays in force"))
	assert.Contains(t, log.String(), "is being written")
	_, err = file.WriteString("full")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	assert.Equal(t, "full", v.Get())
	assert.Equal(t, 1, log.count("the word can be used again"))

	// Open waits for the writer.
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	require.NoError(t, err)
	time.AfterFunc(20*time.Millisecond, func() {
		_, err := file.WriteString("later")
		assert.NoError(t, err)
		assert.NoError(t, file.Close())
	})
	waited, _ := word(t, path)
	assert.Equal(t, "later", waited.Get())
}

// The error names the file only if its name is certainly not secret.
func TestOpenFailsForFaultyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s3cret")
	parse := func([][]byte) (int, error) { return 0, errors.New("it is not a number") }
	_, err := Open(Config[int]{Name: "the number", Paths: []string{path}, Parse: parse})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(Config[int]{Name: "the number", Paths: []string{path}, Parse: parse, HidePaths: true})
	require.EqualError(t, err, "the number: no such file or directory")
	put(t, path, "x")
	_, err = Open(Config[int]{Name: "the number", Paths: []string{path}, Parse: parse})
	require.EqualError(t, err, "the number: "+path+": it is not a number")
	_, err = Open(Config[int]{Name: "the number", Paths: []string{path}, Parse: parse, HidePaths: true})
	require.EqualError(t, err, "the number: it is not a number")
}

// What Parse cannot read is another file.
func TestOpenTellsWhichFileCannotBeRead(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "word"), filepath.Join(t.TempDir(), "other")
	put(t, path, other)
	_, err := Open(Config[string]{Name: "the word", Paths: []string{path}, Parse: func(contents [][]byte) (string, error) {
		_, err := os.ReadFile(string(contents[0]))
		return "", err
	}})
	require.EqualError(t, err, "the word: "+path+": open "+other+": no such file or directory")
	_, err = Open(Config[string]{Name: "the word", Paths: []string{other}})
	require.EqualError(t, err, "the word cannot be read: stat "+other+": no such file or directory")
}

func TestFilesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "word")
	put(t, path, strings.Repeat("x", maxSize+1))
	size := func(contents [][]byte) (int, error) { return len(contents[0]), nil }
	_, err := Open(Config[int]{Name: "the word", Paths: []string{path}, Parse: size})
	require.ErrorContains(t, err, "is larger than 262144 bytes")
	v, err := Open(Config[int]{Name: "the word", Paths: []string{path}, Parse: size, MaxSize: maxSize + 1})
	require.NoError(t, err)
	require.Equal(t, maxSize+1, v.Get())
}

func TestValueIsSafeForConcurrentUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "word")
	put(t, path, "w0")
	v, _ := word(t, path)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 200 {
				assert.True(t, strings.HasPrefix(v.Get(), "w"))
			}
		})
	}
	for i := range 20 {
		put(t, path+".new", "w"+strings.Repeat("x", i))
		require.NoError(t, os.Rename(path+".new", path))
	}
	asking.Wait()
	assert.Equal(t, "w"+strings.Repeat("x", 19), v.Get())
}
