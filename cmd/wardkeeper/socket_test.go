package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
)

// socketPath returns a free path that is short enough for a socket. Those of t.TempDir are too long in tests with long names.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wardkeeper")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "pdp.sock")
}

// socketClient returns a client that sends every request to a socket.
func socketClient(t *testing.T, path string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsocket.Dial(ctx, path) }}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// requireServes requires that a server answers over a socket.
func requireServes(t *testing.T, path string) {
	t.Helper()
	got := run(t, nil, "ask", "alice", "user.view", "jane", "--server", "unix:"+path)
	require.Equal(t, result{out: "ALLOWED  alice may user.view on jane\n"}, got)
}

func requireStops(t *testing.T, d *daemon) (logs string) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	return logs
}

func TestServeOnTCPAndUnixSocketsAtOnce(t *testing.T) {
	t.Parallel()
	one, two := socketPath(t), socketPath(t)
	d := startServer(t, "--addr", "unix:"+one, "--addr", "unix:"+two, "--directory", testDirectory)
	urls := []any{d.url, "unix:" + one, "unix:" + two}
	require.Equal(t, urls, d.start["urls"])
	require.Contains(t, d.start["msg"], fmt.Sprintf("wardkeeper serves %s and %s and %s, policy ", urls...))
	_, body := post(t, d.url, "", viewJane)
	require.Equal(t, `{"decision":true}`, body)
	metadata := get(t, http.DefaultClient, d.url+"/.well-known/authzen-configuration")
	for _, path := range []string{one, two} {
		info, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, fs.ModeSocket|0o660, info.Mode())
		requireServes(t, path)
		client := socketClient(t, path)
		w, body := postWith(t, client, "http://pdp"+evaluationPath, "", viewJane)
		require.Equal(t, http.StatusOK, w.StatusCode)
		require.Equal(t, `{"decision":true}`, body)
		w, body = postWith(t, client, "http://pdp/v1/data/authz/decision", "", `{"input": `+viewJane+`}`)
		require.Equal(t, http.StatusOK, w.StatusCode)
		require.JSONEq(t, `{"result": {"allow": true}}`, body)
		w, body = postWith(t, client, "http://pdp/", "", viewJane)
		require.Equal(t, http.StatusOK, w.StatusCode)
		require.JSONEq(t, `{"allow": true}`, body)
		require.JSONEq(t, `{"alive": true}`, get(t, client, "http://pdp/health"))
		require.JSONEq(t, `{"ready": true}`, get(t, client, "http://pdp/ready"))
		require.Contains(t, get(t, client, "http://pdp/metrics"), "wardkeeper_decisions_total")
		require.Contains(t, get(t, client, "http://pdp/v1/revision"), `"built-in"`)
		require.Equal(t, metadata, get(t, client, "http://pdp/.well-known/authzen-configuration"))
	}
	logs := requireStops(t, d)
	require.Contains(t, logs, fmt.Sprintf(`"peer":"unix:uid=%d,pid=%d"`, os.Getuid(), os.Getpid()))
	require.Contains(t, logs, `"peer":"127.0.0.1:`)
	require.NoFileExists(t, one)
	require.NoFileExists(t, two)
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	w, err := client.Get(url)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, w.StatusCode, "%s", body)
	return string(body)
}

func TestServeOnAUnixSocketAlone(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	token := writeFile(t, "token", testToken+"\n")
	d := startServerAt(t, "unix:"+path, "--socket-mode", "600", "--token-file", token, "--directory", testDirectory)
	require.Equal(t, "unix:"+path, d.url)
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
	client := socketClient(t, path)
	require.Contains(t, get(t, client, "http://pdp/.well-known/authzen-configuration"), `"http://localhost`+evaluationPath+`"`)
	for sent, want := range map[string]int{testToken: http.StatusOK, "": http.StatusUnauthorized, "another-token-of-16": http.StatusUnauthorized} {
		w, _ := postWith(t, client, "http://pdp"+evaluationPath, sent, viewJane)
		require.Equal(t, want, w.StatusCode, "token %q", sent)
	}
	ask := []string{"ask", "alice", "user.view", "jane"}
	got := run(t, []string{"WARDKEEPER_SERVER=unix:" + path, "WARDKEEPER_TOKEN_FILE=" + token}, ask...)
	require.Equal(t, result{out: "ALLOWED  alice may user.view on jane\n"}, got)
	got = run(t, nil, append(ask, "--server", "unix:"+path)...)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "the server answered 401 Unauthorized: ")
	require.NotContains(t, requireStops(t, d), `"level":"WARN"`)
}

func TestKilledServerLeavesASocketThatTheNextOneReplaces(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	d := startServerAt(t, "unix:"+path, "--directory", testDirectory)
	requireServes(t, path)
	d.signal(t, syscall.SIGKILL)
	d.end()
	got := run(t, nil, "ask", "alice", "user.view", "jane", "--server", "unix:"+path)
	require.Equal(t, result{
		err:    "wardkeeper: cannot reach the server: no server listens at the socket " + path + ": start the server again\n",
		status: statusFailed,
	}, got)
	d = startServerAt(t, "unix:"+path, "--directory", testDirectory)
	requireServes(t, path)
	requireStops(t, d)
	got = run(t, nil, "ask", "alice", "user.view", "jane", "--server", "unix:"+path)
	require.Equal(t, result{
		err:    "wardkeeper: cannot reach the server: there is no socket " + path + ": start the server, with --addr unix:" + path + "\n",
		status: statusFailed,
	}, got)
}

func TestOfServersThatStartAtOnceOneServes(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	path := socketPath(t)
	killed := startServerAt(t, "unix:"+path, "--directory", testDirectory)
	killed.signal(t, syscall.SIGKILL)
	killed.end()
	type attempt struct {
		cmd *exec.Cmd
		log bytes.Buffer
	}
	var attempts [4]attempt
	ended := make(chan *attempt, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		a.cmd = command(t, nil, "serve", "--addr", "unix:"+path, "--directory", testDirectory)
		a.cmd.Stderr = &a.log
		require.NoError(t, a.cmd.Start())
		t.Cleanup(func() { _ = a.cmd.Process.Kill() })
		go func() {
			_ = a.cmd.Wait() // the exit status is in ProcessState
			ended <- a
		}()
	}
	for range len(attempts) - 1 {
		a := <-ended
		require.Equal(t, statusNo, a.cmd.ProcessState.ExitCode(), a.log.String())
		require.Contains(t, a.log.String(), "cannot listen at unix:"+path+": another server listens at "+path)
	}
	requireServes(t, path)
	for i := range attempts {
		_ = attempts[i].cmd.Process.Signal(syscall.SIGTERM) // all but one have ended
	}
	a := <-ended
	require.Equal(t, statusOK, a.cmd.ProcessState.ExitCode(), a.log.String())
	require.NoFileExists(t, path)
}

func TestAddressThatCannotBeUsedFailsTheStart(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, busy.Close()) }()
	free, file, live := socketPath(t), writeFile(t, "pdp.sock", "theirs"), socketPath(t)
	link := filepath.Join(filepath.Dir(free), "link")
	require.NoError(t, os.Symlink(live, link))
	server, err := net.Listen("unix", live)
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	for _, c := range []struct {
		addr, want string
		status     int
		check      bool // --check finds it too
	}{
		{"unix:" + file, file + " is a file, not a socket, and is left alone", statusNo, true},
		{"unix:" + filepath.Dir(live), "is a folder, not a socket, and is left alone", statusNo, true},
		{"unix:" + link, "is a symbolic link, not a socket, and is left alone", statusNo, true},
		{"unix:" + file + "/pdp.sock", "the folder of the socket cannot be opened", statusNo, true},
		{"unix:" + live, "another server listens at " + live, statusNo, false},
		{busy.Addr().String(), "address already in use", statusNo, false},
		{"unix:@pdp", "any program of this machine can take the name of an abstract socket", statusFailed, true},
		{"unix:pdp.sock", "must be absolute", statusFailed, true},
		{"unix:/run/" + strings.Repeat("long/", 30) + "pdp.sock", "the path has 163 bytes: that of a socket can have", statusFailed, true},
		{"unix:" + free, "it is given twice", statusFailed, true},
	} {
		args := []string{"serve", "--directory", testDirectory, "--addr", "unix:" + free, "--addr", c.addr}
		got := run(t, nil, args...)
		require.Equal(t, c.status, got.status, got)
		require.Contains(t, got.err, c.want)
		require.NoFileExists(t, free, "the other socket is removed")
		got = run(t, nil, append(args, "--check")...)
		if !c.check {
			require.Equal(t, statusOK, got.status, got)
			continue
		}
		require.Equal(t, statusFailed, got.status, got)
		require.Contains(t, got.err, c.want)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "theirs", string(text))
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--socket-mode", "0060", "--addr", "unix:"+file)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, `--socket-mode is "0060": use an octal number`)
	require.Contains(t, got.err, "is a file, not a socket", "all faults are reported at once")
}

func TestRequestsInFlightOverASocketFinish(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	d := startServerAt(t, "unix:"+path, "--directory", testDirectory, "--read-timeout", "1h", "--shutdown-timeout", "1h")
	finish := sendHalfAt(t, "unix", path)
	d.signal(t, syscall.SIGTERM)
	waitUntil(t, "the socket is removed", func() bool {
		_, err := os.Lstat(path)
		return os.IsNotExist(err)
	})
	next := startServerAt(t, "unix:"+path, "--directory", testDirectory)
	require.Equal(t, `{"decision":true}`, finish())
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	requireServes(t, path)
	requireStops(t, next)
}

func TestServerWarnsOfASocketThatOthersCanReplace(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o777))
	d := startServerAt(t, "unix:"+path, "--directory", testDirectory)
	theirs := path + ".theirs"
	require.NoError(t, os.WriteFile(theirs, nil, 0o600))
	require.NoError(t, os.Rename(theirs, path))
	logs := requireStops(t, d)
	require.Contains(t, logs, "Every user of this machine can replace the socket")
	require.FileExists(t, path, "what has taken the place of the socket stays")
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--addr", "unix:"+path+".next")
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.err, "Every user of this machine can replace the socket")
}
