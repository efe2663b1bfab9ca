package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// source is a bundle server that can go away.
type source struct {
	data atomic.Pointer[[]byte] // nil: gone
	url  string
}

func newSource(t *testing.T) *source {
	t.Helper()
	s := &source{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		data := s.data.Load()
		if data == nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(*data)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + "/authz.tar.gz"
	return s
}

func (s *source) has(data []byte) { s.data.Store(&data) }
func (s *source) goes()           { s.data.Store(nil) }

// keeping is a wardkeeper with a state directory.
type keeping struct {
	*source
	signer signer
	state  string
	args   []string
}

func newKeeping(t *testing.T) *keeping {
	t.Helper()
	k := &keeping{source: newSource(t), signer: newSigner(t, "ES256"), state: t.TempDir()}
	k.args = []string{"--bundle", k.url, "--decision", "app/decision", "--state-dir", k.state,
		"--verification-key", writeFile(t, "public.pem", k.signer.public)}
	return k
}

func (k *keeping) release(t *testing.T, n int64) { k.has(numbered(n).signed(t, k.signer)) }

// kept is a file of the state directory.
func (k *keeping) kept(name string) string { return filepath.Join(k.state, name) }

// active serves until a release is active, and is killed.
func (k *keeping) active(t *testing.T, n int64) {
	t.Helper()
	d := serving(t, k.args...)
	d.untilRelease(t, n)
	d.kill(t)
}

func (d *daemon) kill(t *testing.T) (logs string) {
	t.Helper()
	d.signal(t, syscall.SIGKILL)
	_, logs = d.end()
	return logs
}

// The source is asked instead.
func TestDamagedSavedBundleIsNotServed(t *testing.T) {
	t.Parallel()
	other := newSigner(t, "ES256")
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, whole []byte) []byte
		reason string
	}{
		"cut off":        {func(_ *testing.T, whole []byte) []byte { return whole[:len(whole)/2] }, "malformed"},
		"empty":          {func(*testing.T, []byte) []byte { return nil }, "malformed"},
		"garbled":        {func(_ *testing.T, whole []byte) []byte { whole[len(whole)/2] ^= 0xff; return whole }, "malformed"},
		"of another key": {func(t *testing.T, _ []byte) []byte { return numbered(2).signed(t, other) }, "signature"},
		"unsigned":       {func(t *testing.T, _ []byte) []byte { return packed(t, numbered(2).archive(t)) }, "unsigned"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeping(t)
			k.release(t, 2)
			k.active(t, 2)
			whole, err := os.ReadFile(k.kept("bundle.tar.gz"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(k.kept("bundle.tar.gz"), c.spoil(t, whole), 0o600))

			k.goes()
			d := serving(t, k.args...)
			w, body := post(t, d.url, "", viewJane)
			require.Equal(t, http.StatusServiceUnavailable, w.StatusCode, body)
			ready, _ := d.notes(t)
			require.False(t, ready)
			k.release(t, 2)
			d.untilRelease(t, 2)
			require.False(t, d.revision(t).FromDisk)
			logs := d.kill(t)
			require.Contains(t, logs, `"msg":"the policy saved on disk is not used","reason":"`+c.reason+`"`)
			require.Contains(t, logs, "there is none to decide by yet")

			k.goes()
			d = serving(t, k.args...)
			d.untilRelease(t, 2)
			require.True(t, d.revision(t).FromDisk, "it was kept anew")
		})
	}
}

// The process died between writing the two. The bundle is served, and older releases are refused although the record does not
// know it.
func TestSavedBundleNewerThanItsRecord(t *testing.T) {
	t.Parallel()
	k := newKeeping(t)
	k.release(t, 5)
	k.active(t, 5)
	record, err := os.ReadFile(k.kept("state.json"))
	require.NoError(t, err)
	k.release(t, 6)
	k.active(t, 6)
	require.NoError(t, os.WriteFile(k.kept("state.json"), record, 0o600))

	k.goes()
	d := serving(t, k.args...)
	d.untilRelease(t, 6)
	k.release(t, 5)
	until(t, "the old release is refused", func() bool {
		a := d.revision(t).Attempt
		return a != nil && a.Reason == "replayed"
	})
	require.EqualValues(t, 6, d.decidedBy(t))
	d.kill(t)
	require.NoError(t, os.Remove(k.kept("bundle.tar.gz")))
	d = serving(t, k.args...)
	until(t, "it is known without the bundle, too", func() bool {
		a := d.revision(t).Attempt
		return a != nil && a.Reason == "replayed"
	})
	require.Empty(t, d.revision(t).ID)
}

func TestSavedBundleServesWhileItsFileIsMissing(t *testing.T) {
	t.Parallel()
	signer := newSigner(t, "ES256")
	path := writeFile(t, "authz.tar.gz", "")
	args := []string{"--bundle", path, "--decision", "app/decision", "--state-dir", t.TempDir(),
		"--verification-key", writeFile(t, "public.pem", signer.public)}
	replaceFile(t, path, numbered(3).signed(t, signer))
	d := serving(t, args...)
	d.untilRelease(t, 3)
	d.kill(t)
	require.NoError(t, os.Remove(path))
	d = serving(t, args...)
	d.untilRelease(t, 3)
	require.True(t, d.revision(t).FromDisk)
	replaceFile(t, path, numbered(4).signed(t, signer))
	d.untilRelease(t, 4)

	got := run(t, nil, "serve", "--bundle", path+".none", "--decision", "app/decision", "--state-dir", t.TempDir())
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, path+".none")
}

// An archive left in the state directory is not taken for it.
func TestBundleFolderIsSaved(t *testing.T) {
	t.Parallel()
	state, archive, tree := t.TempDir(), writeFile(t, "authz.tar.gz", ""), t.TempDir()
	replaceFile(t, archive, packed(t, numbered(0).archive(t)))
	args := []string{"--decision", "app/decision", "--state-dir", state}
	d := serving(t, append(args, "--bundle", archive)...)
	d.untilRelease(t, 0)
	d.kill(t)
	require.NoError(t, os.CopyFS(tree, os.DirFS(testPolicies)))
	for range 2 { // the second time it is gone
		d = serving(t, append(args, "--bundle", tree)...)
		_, body := post(t, d.url, "", viewJane)
		require.Contains(t, body, "Only readers may.")
		d.kill(t)
		require.NoError(t, os.RemoveAll(tree))
	}
}

// Also while a server uses the state directory.
func TestCheckAsksTheSourceAndWritesNothing(t *testing.T) {
	t.Parallel()
	k := newKeeping(t)
	check := func() finished { return run(t, nil, append([]string{"serve", "--check"}, k.args...)...) }
	k.release(t, 5)
	require.Equal(t, statusOK, check().status)
	require.NoFileExists(t, k.kept("lock"))
	require.NoFileExists(t, k.kept("bundle.tar.gz"))
	require.NoFileExists(t, k.kept("state.json"))

	d := serving(t, k.args...)
	d.untilRelease(t, 5)
	before, err := os.ReadFile(k.kept("state.json"))
	require.NoError(t, err)
	got := check()
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "release 5")
	d.kill(t)
	for name, c := range map[string]struct {
		change func()
		wanted string
	}{
		"replayed": {func() { k.release(t, 4) }, "it is release 4, and 5 has been active here"},
		"unsigned": {func() { k.has(packed(t, numbered(6).archive(t))) }, "it is not signed"},
		"gone":     {func() { k.goes() }, k.url},
	} {
		c.change()
		got := check()
		require.Equal(t, statusFailed, got.status, "%s: %v", name, got)
		require.Contains(t, got.err, c.wanted)
	}
	k.release(t, 6)
	require.Equal(t, statusOK, check().status)
	after, err := os.ReadFile(k.kept("state.json"))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}
