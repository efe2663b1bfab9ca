package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const testToken = "a-token-of-the-tests"

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

// buildAndRun builds the binary that tests find at binary().
func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wardkeeper")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "wardkeeper")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("TEST_WARDKEEPER", path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// skipIfShort skips a test that starts a server or takes many seconds, under -short. Only `make test-fast` sets that.
func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped by -short")
	}
}

func command(environ []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Getenv("TEST_WARDKEEPER"), args...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "WARDKEEPER_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, environ...)
	return cmd
}

type finished struct {
	out, err string
	status   int
}

// run runs the binary to its end.
func run(t testing.TB, environ []string, args ...string) finished {
	t.Helper()
	cmd := command(environ, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return finished{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// daemon is a running `wardkeeper serve`.
type daemon struct {
	cmd   *exec.Cmd
	start map[string]any // the line logged at the start
	url   string
	logs  chan string // everything logged, at the end
}

// serving starts the binary and waits until it says where it listens.
func serving(t testing.TB, args ...string) *daemon {
	t.Helper()
	d := &daemon{
		cmd:  command(nil, append([]string{"serve", "--addr", "127.0.0.1:0", "--log-format", "json"}, args...)...),
		logs: make(chan string, 1),
	}
	stderr, err := d.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, d.cmd.Start())
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait() // or else it could still write what is removed next
	})
	in := bufio.NewReader(stderr)
	var logs strings.Builder
	for d.url == "" {
		line, err := in.ReadString('\n')
		require.NoError(t, err, "it ended: %s%s", &logs, line)
		logs.WriteString(line)
		entry := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if url, ok := entry["url"].(string); ok {
			d.start, d.url = entry, url
		}
	}
	go func() {
		_, _ = io.Copy(&logs, in)
		d.logs <- logs.String()
	}()
	return d
}

func (d *daemon) addr() string { return strings.TrimPrefix(d.url, "http://") }

// signal sends a signal.
func (d *daemon) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	require.NoError(t, d.cmd.Process.Signal(s))
}

// closed waits until nobody can connect any more.
func (d *daemon) closed() {
	for {
		c, err := net.Dial("tcp", d.addr())
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

// end waits for the end of the process.
func (d *daemon) end() (status int, logs string) {
	logs = <-d.logs
	_ = d.cmd.Wait() // the status says it
	return d.cmd.ProcessState.ExitCode(), logs
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
