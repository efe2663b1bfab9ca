package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// askLogged asks questions one after another over one connection. When it returns, all of them have been logged.
func askLogged(t *testing.T, url string, questions int) {
	t.Helper()
	client := &http.Client{Timeout: servertest.Timeout}
	for range questions {
		w, _ := postWith(t, client, url+evaluationPath, "", viewJane)
		require.Equal(t, http.StatusOK, w.StatusCode)
	}
	get(t, client, url+"/health")
}

func TestEveryRequestIsLoggedBeforeExit(t *testing.T) {
	for signal, status := range map[syscall.Signal]int{syscall.SIGTERM: 0, syscall.SIGQUIT: 2} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			d := startServer(t, "--directory", testDirectory)
			askLogged(t, d.url, 50)
			d.signal(t, signal)
			got, log := d.end()
			require.Equal(t, status, got, log)
			log, stacks, quit := strings.Cut(log, "SIGQUIT: quit\n")
			require.Equal(t, signal == syscall.SIGQUIT, quit, log)
			requests := 0
			for line := range strings.Lines(log) {
				var entry struct{ Msg string }
				require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
				if entry.Msg == "request" {
					requests++
				}
			}
			require.Equal(t, 50, requests)
			if quit {
				require.Contains(t, stacks, "\ngoroutine 1 ")
				require.Contains(t, stacks, "net.(*TCPListener).Accept", "the stacks of all goroutines are printed")
			}
		})
	}
}

func TestLinesLostOnAFullDiskAreCountedAndTheServerGoesOn(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer func() { require.NoError(t, full.Close()) }()
	addr := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	s := &unreadServer{url: "http://" + addr}
	s.cmd = command(t, nil, "serve", "--addr", addr, "--directory", testDirectory)
	s.cmd.Stderr = full
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	waitUntil(t, "the server answers", func() bool {
		w, err := http.Get(s.url + "/health")
		return err == nil && w.Body.Close() == nil
	})
	askLogged(t, s.url, 20)
	waitUntil(t, "the lines are counted", func() bool { return s.metric(t, "wardkeeper_log_dropped_total") >= 20 })
	askLogged(t, s.url, 1)
	s.stop(t, 0)
}
