package servertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
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

// Redis is a redis-server of one test, on a port of the loopback, that keeps nothing on disk unless asked to. Its
// methods are for the test's goroutine.
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

const redisStarts = 30 * time.Second

// StartRedis starts a server with more arguments of its command line, as "--maxmemory", "2mb", and kills it when the
// test ends. A missing program fails the test.
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
	r := &Redis{t: t, program: program, dir: t.TempDir(), port: redisPort(t)}
	if program == "redis-server" {
		r.args = []string{
			"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no",
			"--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes",
		}
	}
	r.args = append(r.args, args...)
	t.Cleanup(r.Stop)
	return r
}

// redisPort is free now. Redis itself can only be told a port.
func redisPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Addr is host:port.
func (r *Redis) Addr() string { return "127.0.0.1:" + strconv.Itoa(r.port) }

// URL is where the server answers, with the password that its arguments have.
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

// Client is a plain client of this server alone, closed when the test ends.
func (r *Redis) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr: r.Addr(), Password: r.password(), Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		DialTimeout: time.Second, ReadTimeout: 10 * time.Second,
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
	r.until("answers", func(ctx context.Context) bool { return c.Ping(ctx).Err() == nil })
}

// until waits for what a server comes to by itself.
func (r *Redis) until(what string, done func(context.Context) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), redisStarts)
	defer cancel()
	for !done(ctx) {
		if ctx.Err() != nil {
			r.Stop()
			r.t.Fatalf("%s: waited in vain until it %s:\n%s", r.program, what, r.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop kills the server, paused or not.
func (r *Redis) Stop() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
	r.process, r.paused = nil, false
}

// Pause stops the server from doing anything; its connections stay open.
func (r *Redis) Pause() {
	r.t.Helper()
	r.signal(syscall.SIGSTOP)
	r.paused = true
}

// Resume lets a paused server go on.
func (r *Redis) Resume() {
	r.t.Helper()
	r.signal(syscall.SIGCONT)
	r.paused = false
}

func (r *Redis) signal(s os.Signal) {
	r.t.Helper()
	if r.process == nil {
		r.t.Fatal("the server does not run")
	}
	if err := r.process.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// FlushAll deletes everything.
func (r *Redis) FlushAll() {
	r.t.Helper()
	if err := r.Client().FlushAll(context.Background()).Err(); err != nil {
		r.t.Fatal(fmt.Errorf("FLUSHALL: %w", err))
	}
}
