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

// bundleServer is a bundle server that can be taken down.
type bundleServer struct {
	data atomic.Pointer[[]byte] // nil while it is down
	url  string
}

func newBundleServer(t *testing.T) *bundleServer {
	t.Helper()
	s := &bundleServer{}
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

func (s *bundleServer) publish(data []byte) { s.data.Store(&data) }
func (s *bundleServer) takeDown()           { s.data.Store(nil) }

// statefulServer is a bundle server, and the arguments of a server that follows it with a state directory.
type statefulServer struct {
	*bundleServer
	signer signer
	state  string
	args   []string
}

func newStatefulServer(t *testing.T) *statefulServer {
	t.Helper()
	k := &statefulServer{bundleServer: newBundleServer(t), signer: newSigner(t, "ES256"), state: t.TempDir()}
	k.args = []string{"--bundle", k.url, "--decision", "app/decision", "--state-dir", k.state,
		"--verification-key", writeFile(t, "public.pem", k.signer.public)}
	return k
}

func (k *statefulServer) release(t *testing.T, n int64) {
	k.publish(smallRelease(n).signed(t, k.signer))
}

// stateFile returns the path of a file of the state directory.
func (k *statefulServer) stateFile(name string) string { return filepath.Join(k.state, name) }

// activateAndKill runs a server until release n is active, and kills it.
func (k *statefulServer) activateAndKill(t *testing.T, n int64) {
	t.Helper()
	d := startServer(t, k.args...)
	d.waitForRelease(t, n)
	d.kill(t)
}

func (d *daemon) kill(t *testing.T) (logs string) {
	t.Helper()
	d.signal(t, syscall.SIGKILL)
	_, logs = d.end()
	return logs
}

// The server fetches a bundle from the source instead.
func TestDamagedSavedBundleIsNotServed(t *testing.T) {
	t.Parallel()
	other := newSigner(t, "ES256")
	for name, c := range map[string]struct {
		damage func(t *testing.T, whole []byte) []byte
		reason string
	}{
		"cut off":        {func(_ *testing.T, whole []byte) []byte { return whole[:len(whole)/2] }, "malformed"},
		"empty":          {func(*testing.T, []byte) []byte { return nil }, "malformed"},
		"garbled":        {func(_ *testing.T, whole []byte) []byte { whole[len(whole)/2] ^= 0xff; return whole }, "malformed"},
		"of another key": {func(t *testing.T, _ []byte) []byte { return smallRelease(2).signed(t, other) }, "signature"},
		"unsigned":       {func(t *testing.T, _ []byte) []byte { return archiveBytes(t, smallRelease(2).archive(t)) }, "unsigned"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newStatefulServer(t)
			k.release(t, 2)
			k.activateAndKill(t, 2)
			whole, err := os.ReadFile(k.stateFile("bundle.tar.gz"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(k.stateFile("bundle.tar.gz"), c.damage(t, whole), 0o600))

			k.takeDown()
			d := startServer(t, k.args...)
			w, body := post(t, d.url, "", viewJane)
			require.Equal(t, http.StatusServiceUnavailable, w.StatusCode, body)
			ready, _ := d.readiness(t)
			require.False(t, ready)
			k.release(t, 2)
			d.waitForRelease(t, 2)
			require.False(t, d.revision(t).FromDisk)
			logs := d.kill(t)
			require.Contains(t, logs, `"msg":"the policy saved on disk is not used","reason":"`+c.reason+`"`)
			require.Contains(t, logs, "there is none to decide by yet")

			k.takeDown()
			d = startServer(t, k.args...)
			d.waitForRelease(t, 2)
			require.True(t, d.revision(t).FromDisk, "it was kept anew")
		})
	}
}

// The process was killed between writing the two files. The bundle is served, and older releases are refused although the state
// file does not mention the bundle.
func TestSavedBundleNewerThanItsRecord(t *testing.T) {
	t.Parallel()
	k := newStatefulServer(t)
	k.release(t, 5)
	k.activateAndKill(t, 5)
	record, err := os.ReadFile(k.stateFile("state.json"))
	require.NoError(t, err)
	k.release(t, 6)
	k.activateAndKill(t, 6)
	require.NoError(t, os.WriteFile(k.stateFile("state.json"), record, 0o600))

	k.takeDown()
	d := startServer(t, k.args...)
	d.waitForRelease(t, 6)
	k.release(t, 5)
	waitUntil(t, "the old release is refused", func() bool {
		a := d.revision(t).Attempt
		return a != nil && a.Reason == "replayed"
	})
	require.EqualValues(t, 6, d.decidingRelease(t))
	d.kill(t)
	require.NoError(t, os.Remove(k.stateFile("bundle.tar.gz")))
	d = startServer(t, k.args...)
	waitUntil(t, "it is known without the bundle, too", func() bool {
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
	replaceFile(t, path, smallRelease(3).signed(t, signer))
	d := startServer(t, args...)
	d.waitForRelease(t, 3)
	d.kill(t)
	require.NoError(t, os.Remove(path))
	d = startServer(t, args...)
	d.waitForRelease(t, 3)
	require.True(t, d.revision(t).FromDisk)
	replaceFile(t, path, smallRelease(4).signed(t, signer))
	d.waitForRelease(t, 4)

	got := run(t, nil, "serve", "--bundle", path+".none", "--decision", "app/decision", "--state-dir", t.TempDir())
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, path+".none")
}

// An archive that was put into the state directory is not used as the saved bundle.
func TestBundleFolderIsSaved(t *testing.T) {
	t.Parallel()
	state, archive, tree := t.TempDir(), writeFile(t, "authz.tar.gz", ""), t.TempDir()
	replaceFile(t, archive, archiveBytes(t, smallRelease(0).archive(t)))
	args := []string{"--decision", "app/decision", "--state-dir", state}
	d := startServer(t, append(args, "--bundle", archive)...)
	d.waitForRelease(t, 0)
	d.kill(t)
	require.NoError(t, os.CopyFS(tree, os.DirFS(testPolicies)))
	for range 2 { // the source is down the second time
		d = startServer(t, append(args, "--bundle", tree)...)
		_, body := post(t, d.url, "", viewJane)
		require.Contains(t, body, "Only readers may.")
		d.kill(t)
		require.NoError(t, os.RemoveAll(tree))
	}
}

// This works even while a server uses the state directory.
func TestCheckAsksTheSourceAndWritesNothing(t *testing.T) {
	t.Parallel()
	k := newStatefulServer(t)
	check := func() result { return run(t, nil, append([]string{"serve", "--check"}, k.args...)...) }
	k.release(t, 5)
	require.Equal(t, statusOK, check().status)
	require.NoFileExists(t, k.stateFile("lock"))
	require.NoFileExists(t, k.stateFile("bundle.tar.gz"))
	require.NoFileExists(t, k.stateFile("state.json"))

	d := startServer(t, k.args...)
	d.waitForRelease(t, 5)
	before, err := os.ReadFile(k.stateFile("state.json"))
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
		"unsigned": {func() { k.publish(archiveBytes(t, smallRelease(6).archive(t))) }, "it is not signed"},
		"gone":     {func() { k.takeDown() }, k.url},
	} {
		c.change()
		got := check()
		require.Equal(t, statusFailed, got.status, "%s: %v", name, got)
		require.Contains(t, got.err, c.wanted)
	}
	k.release(t, 6)
	require.Equal(t, statusOK, check().status)
	after, err := os.ReadFile(k.stateFile("state.json"))
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}
