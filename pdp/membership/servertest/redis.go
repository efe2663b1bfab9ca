package servertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Redis is a Redis server of one test. It keeps nothing on disk unless its arguments say so. Its methods must be called from the
// goroutine of the test.
type Redis struct {
	t       testing.TB
	program string
	args    []string
	dir     string
	port    int
	process *exec.Cmd
	paused  bool
	log     bytes.Buffer
}

// StartRedis starts a server on a free port of 127.0.0.1, with additional arguments such as "--maxmemory", "2mb", and
// kills it at the end of the test.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r := newRedis(t, "redis-server", args...)
	r.Start()
	return r
}

func newRedis(t testing.TB, program string, args ...string) *Redis {
	t.Helper()
	skipIfShort(t)
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: apt-get install %s", program, program)
	}
	redis.SetLogger(&logging.VoidLogger{})
	r := &Redis{t: t, program: program, dir: t.TempDir(), port: FreePort(t)}
	if program == "redis-server" {
		r.args = []string{
			"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no",
			"--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes",
		}
	}
	r.args = append(r.args, args...)
	t.Cleanup(r.end)
	return r
}

// Addr returns host:port.
func (r *Redis) Addr() string { return "127.0.0.1:" + strconv.Itoa(r.port) }

// URL returns the URL of the server, with the password if its arguments set one.
func (r *Redis) URL() string {
	if password := r.password(); password != "" {
		return "redis://:" + password + "@" + r.Addr()
	}
	return "redis://" + r.Addr()
}

func (r *Redis) password() string {
	if i := slices.Index(r.args, "--requirepass"); i >= 0 {
		return r.args[i+1]
	}
	return ""
}

// Client returns a client of this server. It is closed at the end of the test.
func (r *Redis) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr: r.Addr(), Password: r.password(), Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		DialTimeout: Timeout, ReadTimeout: Timeout,
	})
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Start starts a stopped server on the same port, and returns when it answers.
func (r *Redis) Start() {
	r.t.Helper()
	if r.process != nil {
		return
	}
	r.log.Reset()
	r.process = exec.Command(r.program, r.args...)
	r.process.Dir, r.process.Stdout, r.process.Stderr = r.dir, &r.log, &r.log
	if err := r.process.Start(); err != nil {
		r.process = nil
		r.t.Fatal(err)
	}
	c := r.Client()
	r.waitUntil("answers", func(ctx context.Context) bool { return c.Ping(ctx).Err() == nil })
}

// waitUntil waits until a condition holds, and fails the test after Timeout.
func (r *Redis) waitUntil(what string, done func(context.Context) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	for !done(ctx) {
		if ctx.Err() != nil {
			r.Stop()
			r.t.Fatalf("%s: timed out waiting until it %s:\n%s", r.program, what, r.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop kills the server, even if it is paused.
func (r *Redis) Stop() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
	r.process, r.paused = nil, false
}

// end stops the server at the end of the test, and shows its log if the test has failed.
func (r *Redis) end() {
	r.Stop()
	if r.t.Failed() {
		r.t.Logf("the end of the log of %s on port %d:\n%s", r.program, r.port, tail(r.log.String()))
	}
}

// Pause suspends the server. Connections stay open but get no answers.
func (r *Redis) Pause() {
	r.t.Helper()
	r.signal(syscall.SIGSTOP)
	r.paused = true
}

// Resume continues a paused server.
func (r *Redis) Resume() {
	r.t.Helper()
	r.signal(syscall.SIGCONT)
	r.paused = false
}

func (r *Redis) signal(s os.Signal) {
	r.t.Helper()
	if r.process == nil {
		r.t.Fatal("the server is not running")
	}
	if err := r.process.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// FlushAll deletes all keys.
func (r *Redis) FlushAll() {
	r.t.Helper()
	if err := r.Client().FlushAll(context.Background()).Err(); err != nil {
		r.t.Fatal(fmt.Errorf("FLUSHALL: %w", err))
	}
}
