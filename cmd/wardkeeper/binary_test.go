package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

const testToken = "a-token-of-the-tests"

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := binaries(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// binaries creates the folder for the programs that tests build. TestMain removes it.
var binaries = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "wardkeeper") })

// goBuild builds a program of the module, or of a module that it requires, without what only debuggers read.
func goBuild(name, pkg string) (path string, err error) {
	dir, err := binaries()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-ldflags=-w", "-o", path, pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

var builtBinary = sync.OnceValues(func() (string, error) { return goBuild("wardkeeper", ".") })

// binary returns the path of the program. The first test that needs it builds it. Under -short, binary skips the test.
func binary(t testing.TB) string {
	t.Helper()
	skipIfShort(t)
	path, err := builtBinary()
	require.NoError(t, err)
	return path
}

// skipIfShort skips a test that starts a server or takes seconds if -short is set. Only `make test-fast` sets it.
func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped by -short")
	}
}

func command(t testing.TB, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Env = append(outerEnviron(), environ...)
	return cmd
}

// outerEnviron returns the environment without Wardkeeper's settings, and without those of the garbage collector: they are the
// tests' own, and a server sets others.
func outerEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "WARDKEEPER_") || strings.HasPrefix(e, "GOGC=") || strings.HasPrefix(e, "GOMEMLIMIT=")
	})
}

// result is what a command has written, without its progress, which it reports only if it takes long.
type result struct {
	out, err string
	status   int
}

var progressLine = regexp.MustCompile(`(?m)^wardkeeper: \d+ of \d+ [a-z]+\n`)

func resultOf(stdout, stderr *bytes.Buffer, status int) result {
	return result{stdout.String(), progressLine.ReplaceAllString(stderr.String(), ""), status}
}

// run runs a command until it exits: the binary, or under -short the same code in the test's process. A server is always a
// process.
func run(t testing.TB, environ []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if serves := len(args) > 0 && args[0] == "serve" && !slices.Contains(args, "--help"); testing.Short() && !serves {
		p := process{stdout: &stdout, stderr: &stderr, environ: append(outerEnviron(), environ...)}
		status := p.run(t.Context(), args)
		return resultOf(&stdout, &stderr, status)
	}
	cmd := command(t, environ, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return resultOf(&stdout, &stderr, cmd.ProcessState.ExitCode())
}

// daemon is a running `wardkeeper serve`.
type daemon struct {
	cmd    *exec.Cmd
	start  map[string]any // the line logged at startup
	url    string
	log    *fixture.LogBuffer // everything logged so far
	logged chan struct{}      // closed when the log has ended
}

// startServer starts the binary on a free port and waits until it logs its address.
func startServer(t testing.TB, args ...string) *daemon {
	t.Helper()
	return startServerAt(t, "127.0.0.1:0", args...)
}

// startServerAt is like startServer, but at the given address.
func startServerAt(t testing.TB, addr string, args ...string) *daemon {
	t.Helper()
	return startServerBy(t, func(cmd *exec.Cmd) *exec.Cmd { return cmd }, addr, args...)
}

// startServerBy is like startServerAt, but runs another command, which runs the given one.
func startServerBy(t testing.TB, by func(*exec.Cmd) *exec.Cmd, addr string, args ...string) *daemon {
	t.Helper()
	d := &daemon{
		cmd: by(command(t, nil, append([]string{"serve", "--addr", addr, "--log-format", "json"}, args...)...)),
		log: &fixture.LogBuffer{}, logged: make(chan struct{}),
	}
	stderr, err := d.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, d.cmd.Start())
	t.Cleanup(func() {
		if t.Failed() {
			d.report(t)
		}
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait() // so that it writes nothing while the folder is removed
	})
	in := bufio.NewReader(stderr)
	for d.url == "" {
		line, err := in.ReadString('\n')
		require.NoError(t, err, "it ended: %s%s", d.log, line)
		_, _ = io.WriteString(d.log, line)
		entry := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if url, ok := entry["url"].(string); ok {
			d.start, d.url = entry, url
		}
	}
	go func() {
		defer close(d.logged)
		_, _ = io.Copy(d.log, in)
	}()
	return d
}

// report logs the state of a server and the end of its log.
func (d *daemon) report(t testing.TB) {
	client := &http.Client{Timeout: 10 * time.Second}
	for _, path := range []string{"/ready", "/v1/revision", "/metrics"} {
		w, err := client.Get(d.url + path)
		if err != nil {
			t.Logf("%s: %v", path, err)
			continue
		}
		body, _ := io.ReadAll(w.Body)
		_ = w.Body.Close()
		if path == "/metrics" {
			body = bytes.Join(metricLine.FindAll(body, -1), nil)
		}
		t.Logf("%s: %s\n%s", path, w.Status, body)
	}
	lines := strings.Split(strings.TrimSpace(d.log.String()), "\n")
	t.Logf("the end of the log of the server:\n%s", strings.Join(lines[max(0, len(lines)-50):], "\n"))
}

// metricLine finds the metrics of wardkeeper that are not zero.
var metricLine = regexp.MustCompile(`(?m)^wardkeeper_[a-z_]*(\{.*\})? .*[1-9].*\n`)

func (d *daemon) addr() string { return strings.TrimPrefix(d.url, "http://") }

// signal sends a signal.
func (d *daemon) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	require.NoError(t, d.cmd.Process.Signal(s))
}

// waitForLog waits until the log contains a text at least the given number of times.
func (d *daemon) waitForLog(t testing.TB, text string, times int) {
	t.Helper()
	waitUntil(t, fmt.Sprintf("%q is logged %d times", text, times), func() bool { return strings.Count(d.log.String(), text) >= times })
}

// waitClosed waits until the server accepts no more connections.
func (d *daemon) waitClosed(t testing.TB) {
	t.Helper()
	waitUntil(t, "the server accepts no connections", func() bool {
		c, err := net.Dial("tcp", d.addr())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

// end waits until the process exits.
func (d *daemon) end() (status int, logs string) {
	<-d.logged
	_ = d.cmd.Wait() // the exit status is in ProcessState
	return d.cmd.ProcessState.ExitCode(), d.log.String()
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
