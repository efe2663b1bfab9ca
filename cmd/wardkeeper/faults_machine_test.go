package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// machineFaults are those of the machine that the server runs on.
var machineFaults = map[string]fault{
	// No file can grow, so nothing can be written. Answers are withheld, as on_failure says.
	"disk full": {
		begin: func(f *faultTest) {
			f.limit(unix.RLIMIT_FSIZE, 0)
			f.bundles.release(secondRelease)
		},
		unprotected: []removal{
			without("pdp/decisionlog/queue.go",
				`l.settle(waiting, l.refuse(len(waiting), unwritable(err)))`, `l.settle(waiting, nil)`, "answers have records"),
		},
		ready: `"missing":\["decision_log"\]`, metrics: `^wardkeeper_bundle_refusals_total{reason="not_kept"} [1-9]`, log: "decision log cannot be written",
		end: func(f *faultTest) { f.limit(unix.RLIMIT_FSIZE, unix.RLIM_INFINITY) },
	},
	// Everything looks five minutes older at once, and the policy older than max_age. What is fetched anew is young again.
	"clock five minutes ahead": {
		polling: 150,
		stops:   true,
		unprotected: []removal{ // it logs that the policy is too old, and then waits as ever
			without("bundles/follow/follow.go",
				"f.logStale()\n\t\t\t\treturn true\n", "f.logStale()\n", `/ready: 503.*\n.*"stale":true`),
		},
		begin: func(f *faultTest) { setClock(f.t, f.d.cmd.Process.Pid, 5*time.Minute) },
		log:   "policy stale",
	},
	// Nothing looks younger: facts that nobody confirms, since Redis is down as well, still become too old.
	"clock five minutes back": {
		announced: true,
		unprotected: []removal{
			without("pdp/membership/elapsed.go",
				"return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))",
				"return now.Round(0).Sub(then.Round(0))", revokedIsAllowed),
		},
		begin: func(f *faultTest) {
			f.redis.Stop()
			f.waitUntil("facts are not confirmed", func() bool { return f.metric("wardkeeper_membership_vouched") == 0 })
			f.load.waitForAnswers(50) // by facts that are fetched now, and may be used until they are too old
			setClock(f.t, f.d.cmd.Process.Pid, -5*time.Minute)
		},
		ready: `"not_vouched":true`, metrics: "^wardkeeper_membership_vouched 0$",
		end: func(f *faultTest) { f.redis.Start() },
	},
	// The limit of open files is that of a few connections. Meanwhile connections to everything else have to be made anew.
	"descriptors exhausted": {
		setUp:  limited("-n 160"),
		args:   []string{"--max-connections", "2000", "--read-header-timeout", "10m"},
		resets: true,
		unprotected: []removal{
			without("cmd/wardkeeper/serve.go",
				"\t}\n\treturn limit\n", "\t}\n\treturn s.MaxConnections\n", "accept.*too many open files"),
		},
		begin: func(f *faultTest) {
			f.connect(1000, 20*time.Millisecond)
			terminateBackends(f)
			f.redis.Stop()
			f.redis.Start()
			f.bundles.release(secondRelease)
		},
		metrics: `^wardkeeper_http_connections_dropped_total{reason="closed"} [1-9]`, log: "The limit of open files allows fewer connections than max_connections",
		end: func(f *faultTest) { f.disconnect() },
	},
	"10,000 connections": {
		args: []string{"--read-header-timeout", "10m"}, // or the first ones have ended before the last ones come
		unprotected: []removal{
			without("pdp/httpapi/connlimit/listener.go",
				"evicted = l.evictionCandidate(c.phaseStart.Load()); evicted == nil", "true", "/health: status 503"),
		},
		begin: func(f *faultTest) {
			var files unix.Rlimit
			require.NoError(f.t, unix.Getrlimit(unix.RLIMIT_NOFILE, &files))
			if files.Cur < 11_000 {
				f.t.Skipf("the test may have %d open files, and needs 11,000 (ulimit -n)", files.Cur)
			}
			f.connect(10_000, time.Second)
		},
		metrics: `^wardkeeper_http_connections_dropped_total{reason="closed"} [1-9]`,
		end:     func(f *faultTest) { f.disconnect() },
	},
	// More than the memory would be taken by requests that are never finished. A container's limit ends the process.
	"memory limited": {
		setUp: func(f *faultTest) {
			f.by = func(cmd *exec.Cmd) *exec.Cmd {
				cmd.Env = append(cmd.Env, fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit*9/10)) // as the limit of a container does
				return cmd
			}
		},
		resets: true,
		unprotected: []removal{ // it counts what is too much, and takes it
			without("pdp/httpapi/admission.go",
				"return a.bodyBytes.Add(int64(bytes)) <= a.maxBodyBytes", `if a.bodyBytes.Add(int64(bytes)) > a.maxBodyBytes {
		rc.server.metrics.refused.WithLabelValues("bodies").Inc()
	}
	return true`, "is not less than"),
		},
		begin: func(f *faultTest) {
			f.sendUnfinished(1200)
		},
		metrics: `^wardkeeper_http_refused_total{.*reason="bodies".*} [1-9]`,
		end: func(f *faultTest) {
			f.disconnect()
			f.t.Logf("the resident set was %d MiB at most", f.peakMemory()>>20)
			require.Less(f.t, f.peakMemory(), memoryLimit)
		},
	},
}

const memoryLimit = 768 << 20

// limited starts the server with a limit of the shell's ulimit.
func limited(limit string) func(*faultTest) {
	return func(f *faultTest) {
		f.by = func(cmd *exec.Cmd) *exec.Cmd {
			shell := exec.Command("bash", append([]string{"-c", `ulimit ` + limit + ` && exec "$0" "$@"`}, cmd.Args...)...)
			shell.Env = cmd.Env
			return shell
		}
	}
}

// limit sets a soft limit of the running server.
func (f *faultTest) limit(resource int, value uint64) {
	f.t.Helper()
	var old unix.Rlimit
	pid := f.d.cmd.Process.Pid
	require.NoError(f.t, unix.Prlimit(pid, resource, nil, &old))
	require.NoError(f.t, unix.Prlimit(pid, resource, &unix.Rlimit{Cur: min(value, old.Max), Max: old.Max}, nil))
}

// connect opens connections that send nothing, and then one more after each pause, until disconnect.
func (f *faultTest) connect(n int, pause time.Duration) {
	stop := make(chan struct{})
	var opening sync.WaitGroup
	f.disconnect = sync.OnceFunc(func() { close(stop); opening.Wait() })
	f.t.Cleanup(f.disconnect)
	var all []net.Conn
	open := func() {
		c, err := net.Dial("tcp", f.d.addr())
		if assert.NoError(f.t, err) {
			all = append(all, c)
		}
	}
	for range n {
		open()
	}
	opening.Go(func() {
		defer func() {
			for _, c := range all {
				_ = c.Close()
			}
		}()
		for {
			select {
			case <-stop:
				return
			case <-time.After(pause):
				_ = all[0].Close()
				all = all[1:]
				open()
			}
		}
	})
}

// sendUnfinished sends requests with bodies of nearly a MiB that do not end, until disconnect.
func (f *faultTest) sendUnfinished(n int) {
	var all []net.Conn
	var sending sync.WaitGroup
	f.disconnect = sync.OnceFunc(func() {
		for _, c := range all {
			_ = c.Close()
		}
		sending.Wait()
	})
	f.t.Cleanup(f.disconnect)
	const size = 1 << 20
	request := fmt.Appendf(nil, "POST /access/v1/evaluations HTTP/1.1\r\nHost: pdp\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat(" ", size-1))
	for range n {
		c, err := net.Dial("tcp", f.d.addr())
		require.NoError(f.t, err)
		all = append(all, c)
		sending.Go(func() { _, _ = c.Write(request) })
	}
}

// peakMemory returns the largest resident set of the server so far, in bytes.
func (f *faultTest) peakMemory() (bytes int) {
	f.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.d.cmd.Process.Pid))
	require.NoError(f.t, err)
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, err := fmt.Sscan(text, &bytes)
			require.NoError(f.t, err)
		}
	}
	require.NotZero(f.t, bytes)
	return bytes << 10
}

// terminateBackends ends all connections to the database but one.
func terminateBackends(f *faultTest) {
	_, err := f.admin.Exec(f.t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
	require.NoError(f.t, err)
}
