package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// passing returns a function that has a command started as systemd starts a service with sockets: names are those of the files.
func passing(notify, names string, files ...*os.File) func(*exec.Cmd) *exec.Cmd {
	return func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
		cmd.Env = append(cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+names, "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=2000000")
		cmd.ExtraFiles = files
		return cmd
	}
}

// listening returns a socket that listens, as a file. Like systemd, the test keeps it open.
func listening(t *testing.T, network, addr string) (l net.Listener, file *os.File) {
	t.Helper()
	l, err := net.Listen(network, addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	file, err = l.(interface{ File() (*os.File, error) }).File()
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return l, file
}

func TestServeOnSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	path, notifyPath := socketPath(t), socketPath(t)
	_, api := listening(t, "unix", path)
	tcp, operations := listening(t, "tcp", "127.0.0.1:0")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifyPath, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = notify.Close() })
	messages := make(chan string, 1000)
	go func() { // always, as systemd does: a socket keeps ten messages
		defer close(messages)
		for buf := make([]byte, 100); ; {
			n, err := notify.Read(buf)
			if err != nil {
				return
			}
			messages <- string(buf[:n])
		}
	}()
	told := func(want string) {
		for late := time.After(servertest.Timeout); ; {
			select {
			case got := <-messages:
				if got == want {
					return
				}
			case <-late:
				require.Fail(t, "systemd is not told "+want)
			}
		}
	}

	// Who connects before the server runs, and between one server and the next, only waits.
	client := socketClient(t, path)
	for range 2 {
		early := make(chan string)
		go func() {
			defer close(early)
			if w, err := client.Get("http://pdp/ready"); err == nil {
				early <- w.Status
				_ = w.Body.Close()
			}
		}()
		d := startServerBy(t, passing(notifyPath, "pdp:operations", api, operations), "systemd:pdp", "--operations-addr", "systemd:operations",
			"--directory", testDirectory)
		require.Equal(t, "unix:"+path, d.url)
		told("READY=1")
		told("WATCHDOG=1")
		require.Equal(t, "200 OK", <-early)
		requireServes(t, path)
		require.Contains(t, get(t, http.DefaultClient, "http://"+tcp.Addr().String()+"/metrics"), "wardkeeper_decisions_total")
		logs := requireStops(t, d)
		told("STOPPING=1")
		require.Contains(t, logs, fmt.Sprintf(`"peer":"unix:uid=%d,pid=`, os.Getuid()))
		require.NotContains(t, logs, `"level":"WARN"`)
		require.FileExists(t, path)
		client.CloseIdleConnections()
	}
}

func TestSocketsOfSystemdThatCannotBeUsedFailTheStart(t *testing.T) {
	t.Parallel()
	_, local := listening(t, "tcp", "127.0.0.1:0")
	_, reachable := listening(t, "tcp4", "0.0.0.0:0")
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for _, c := range []struct {
		names string
		files []*os.File
		want  string
	}{
		{"", nil, "cannot listen at systemd:pdp: systemd passed no socket of this name: start the socket unit that has FileDescriptorName=pdp"},
		{"pdp:other", []*os.File{local, local}, "systemd passed sockets that no address names: add --addr systemd:other"},
		{"pdp", []*os.File{reachable}, "which other machines can reach: set --token-file"},
		{"pdp", []*os.File{file}, "cannot listen at systemd:pdp: "},
	} {
		var log strings.Builder
		cmd := passing("", c.names, c.files...)(command(t, nil, "serve", "--addr", "systemd:pdp", "--directory", testDirectory))
		cmd.Stderr = &log
		require.Error(t, cmd.Run())
		require.Equal(t, statusNo, cmd.ProcessState.ExitCode(), log.String())
		require.Contains(t, log.String(), c.want)
	}
}

func TestOpenSocketsOfSystemdAreToldOfUnlessCallersAreNamed(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	_, api := listening(t, "unix", path)
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o755))
	require.NoError(t, os.Chmod(path, 0o666))
	for _, c := range []struct {
		args  []string
		times int
	}{{nil, 1}, {[]string{"--insecure"}, 0}, {[]string{"--token-file", writeFile(t, "token", firstToken)}, 0}} {
		d := startServerBy(t, passing("", "pdp", api), "systemd:pdp", append([]string{"--directory", testDirectory}, c.args...)...)
		require.Equal(t, c.times, strings.Count(requireStops(t, d), "Every user of this machine can ask at the socket"), c.args)
	}
}
