package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// unreadServer is a running server whose log is read only up to the line with its address.
type unreadServer struct {
	cmd *exec.Cmd
	log io.Closer
	url string
}

func startUnread(t *testing.T, args ...string) *unreadServer {
	t.Helper()
	s := &unreadServer{cmd: command(t, nil, append([]string{"serve", "--addr", "127.0.0.1:0", "--log-format", "json"}, args...)...)}
	s.start(t)
	return s
}

func (s *unreadServer) start(t *testing.T) {
	t.Helper()
	stderr, err := s.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	s.log = stderr
	for in := bufio.NewReader(stderr); s.url == ""; {
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		var entry struct{ URL string }
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		s.url = entry.URL
	}
}

// ask asks many questions, each of which writes a line of the log.
func (s *unreadServer) ask(t *testing.T, questions int) {
	t.Helper()
	client := &http.Client{Timeout: servertest.Timeout}
	for range questions {
		w, err := client.Post(s.url+"/access/v1/evaluation", "application/json", strings.NewReader(
			`{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane"},"context":{"current_location":"metro"}}`))
		require.NoError(t, err)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		require.Contains(t, string(body), `"decision":true`)
	}
}

func (s *unreadServer) metric(t *testing.T, name string) float64 {
	t.Helper()
	w, err := http.Get(s.url + "/metrics")
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	for in := bufio.NewScanner(w.Body); in.Scan(); {
		if value, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			return n
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// stop stops the server, and checks its exit status.
func (s *unreadServer) stop(t *testing.T, status int) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan int, 1)
	go func() {
		state, err := s.cmd.Process.Wait()
		if assert.NoError(t, err) {
			ended <- state.ExitCode()
		}
	}()
	select {
	case got := <-ended:
		require.Equal(t, status, got)
	case <-time.After(servertest.Timeout):
		require.Fail(t, "the server does not stop")
	}
}

// The log is longer than a pipe holds, which is about 250 lines.
func TestStalledLogReaderBlocksNothing(t *testing.T) {
	s := startUnread(t, "--directory", testDirectory, "--shutdown-timeout", "8s")
	s.ask(t, 1000)
	s.stop(t, 0)
}

func TestEndedLogReaderDoesNotEndTheServer(t *testing.T) {
	s := startUnread(t, "--directory", testDirectory)
	require.NoError(t, s.log.Close())
	s.ask(t, 50)
	waitUntil(t, "the lines are counted as dropped", func() bool { return s.metric(t, "wardkeeper_log_dropped_total") >= 50 })
	s.ask(t, 50)
	s.stop(t, 0)
}

// The limit of open files is lower than the number of connections.
func TestIdleConnectionsDoNotExcludeOthers(t *testing.T) {
	s := &unreadServer{cmd: command(t, nil)}
	s.cmd = exec.Command("sh", "-c", `ulimit -n 100 && exec "$0" "$@"`, s.cmd.Path, "serve", "--addr", "127.0.0.1:0", "--directory", testDirectory, "--log-format", "json")
	s.start(t)
	for range 400 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	s.ask(t, 20)
	s.stop(t, 0)
}

// slowPolicy returns a folder with a policy. One of its questions takes half a minute in one built-in, which cannot be
// interrupted.
func slowPolicy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.rego"), []byte(`package app

default allow := false

allow if {
	input.action.name == "slow"
	bits.lsh(1, 60000000) > 0
}

allow if input.action.name == "quick"
`), 0o600))
	return dir
}

// The server can still be stopped while the evaluation continues.
func TestUnstoppableEvaluationIsAnsweredInTime(t *testing.T) {
	s := startUnread(t, "--bundle", slowPolicy(t), "--decision", "app/allow", "--evaluation-timeout", "2s", "--request-timeout", "10m",
		"--shutdown-timeout", "2s")
	ask := func(name string) (int, string) {
		w, err := (&http.Client{Timeout: servertest.Timeout}).Post(s.url+"/access/v1/evaluation", "application/json", strings.NewReader(
			`{"subject":{"type":"user","id":"alice"},"action":{"name":"`+name+`"},"resource":{"type":"doc","id":"1"}}`))
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Body.Close()) }()
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return w.StatusCode, string(body)
	}
	status, body := ask("slow")
	require.Equal(t, http.StatusServiceUnavailable, status, body)
	waitUntil(t, "a quick question is answered", func() bool { // the slow one uses a processor
		status, body = ask("quick")
		return status == http.StatusOK
	})
	require.JSONEq(t, `{"decision":true}`, body)
	s.stop(t, statusNo)
}
