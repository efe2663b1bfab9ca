package servertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Postgres is a PostgreSQL server of one test, with an empty database.
type Postgres struct {
	t        testing.TB
	binaries string // folder of the programs
	data     string
	port     int
	settings []string            // NAME=VALUE
	as       *syscall.Credential // the user that runs the server; nil means the user of the test

	databases atomic.Int32

	mu      sync.Mutex
	process *exec.Cmd
	log     bytes.Buffer
}

const (
	postgresUser     = "wardkeeper"
	postgresPassword = "s3cr3t-of-the-test" // required, so that tests can check that it is not revealed
)

// StartPostgres starts a server on a free port of 127.0.0.1, and stops it at the end of the test. The data survive Stop
// and Start, but are not synced to disk. Settings are NAME=VALUE, such as "max_connections=600"; the default of that is 60.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	skipIfShort(t)
	p := &Postgres{t: t, binaries: postgresBinaries(t), as: postgresCredential(t), settings: settings}
	// Other users cannot enter the parents of t.TempDir().
	dir, err := os.MkdirTemp("", "postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if p.as != nil {
		if err := os.Chown(dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	p.data = filepath.Join(dir, "data")
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(postgresPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	p.run("initdb", "--pgdata", p.data, "--username", postgresUser, "--pwfile", password, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	p.port = FreePort(t)
	t.Cleanup(p.end)
	p.Start()
	return p
}

// URL returns the URL of the first database, with user and password.
func (p *Postgres) URL() string { return p.url("postgres") }

// Database creates an empty database and returns its URL. It is safe for concurrent use.
func (p *Postgres) Database() string {
	p.t.Helper()
	name := fmt.Sprintf("database_%d", p.databases.Add(1))
	cmd := p.command("createdb", "--maintenance-db", p.URL(), name)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("createdb: %v\n%s", err, out)
	}
	return p.url(name)
}

func (p *Postgres) url(database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", postgresUser, postgresPassword, p.port, database)
}

// Password returns the password in the URLs, which must not be revealed.
func (p *Postgres) Password() string { return postgresPassword }

// Of returns the URL of the database on this server that has the same name as another server's database.
func (p *Postgres) Of(url string) string {
	return p.url(strings.TrimSuffix(url[strings.LastIndex(url, "/")+1:], "?sslmode=disable"))
}

// Login creates a role that may log in, executes SQL in a database to grant it rights, and returns the URL of the
// database for that role.
func (p *Postgres) Login(url, role, sql string) string {
	p.t.Helper()
	p.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", url, "-c", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", role, postgresPassword), "-c", sql)
	return strings.Replace(url, "//"+postgresUser+":", "//"+role+":", 1)
}

// Dump returns a backup of a database made by pg_dump, with additional arguments.
func (p *Postgres) Dump(url string, args ...string) []byte {
	p.t.Helper()
	out, err := p.command("pg_dump", append([]string{"-Fc", url}, args...)...).Output()
	if err != nil {
		p.t.Fatalf("pg_dump: %v", err)
	}
	return out
}

// Restore restores a backup with pg_restore, in one transaction, with additional arguments.
func (p *Postgres) Restore(url string, dump []byte, args ...string) {
	p.t.Helper()
	cmd := p.command("pg_restore", append([]string{"-1", "-d", url}, args...)...)
	cmd.Stdin = bytes.NewReader(dump)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("pg_restore: %v\n%s", err, out)
	}
}

// Copy creates a copy of a database and returns its URL. It ends the connections to the original.
func (p *Postgres) Copy(url string) string {
	p.t.Helper()
	from := strings.TrimSuffix(url[strings.LastIndex(url, "/")+1:], "?sslmode=disable")
	p.run("psql", "-qX", p.URL(), "-c", fmt.Sprintf("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '%s'", from),
		"-c", fmt.Sprintf("CREATE DATABASE %s_copy TEMPLATE %s", from, from))
	return p.url(from + "_copy")
}

// Standby starts a hot standby of the server.
func (p *Postgres) Standby() *Postgres {
	p.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(p.data), "standby-")
	if err == nil && p.as != nil {
		err = os.Chown(dir, int(p.as.Uid), int(p.as.Gid))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	s := &Postgres{t: p.t, binaries: p.binaries, as: p.as, data: filepath.Join(dir, "data"), port: FreePort(p.t)}
	p.run("pg_basebackup", "-d", p.URL(), "-D", s.data, "-R", "-c", "fast", "--no-sync", "-X", "stream")
	p.t.Cleanup(s.end)
	s.Start()
	return s
}

// Promote makes a standby the primary.
func (p *Postgres) Promote() {
	p.t.Helper()
	p.run("psql", "-qX", p.URL(), "-c", "SELECT pg_promote()")
}

// Start starts a stopped server, and returns when it accepts connections.
func (p *Postgres) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		return
	}
	p.log.Reset()
	cmd := p.command("postgres", "-D", p.data, "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "shared_buffers=64MB", "-c", "max_connections=60", "-c", "logging_collector=off", "-c", "wal_level=logical")
	for _, one := range p.settings {
		cmd.Args = append(cmd.Args, "-c", one)
	}
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.process = cmd
	for deadline := time.Now().Add(Timeout); ; time.Sleep(20 * time.Millisecond) {
		if p.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port)).Run() == nil {
			return
		}
		if time.Now().After(deadline) || p.ended() {
			p.stop()
			p.t.Fatalf("PostgreSQL did not start:\n%s", p.log.String())
		}
	}
}

// Stop stops the server without waiting for its clients, even if it is paused.
func (p *Postgres) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
}

// Kill ends the server at once, as a crash does: the next start recovers its data.
func (p *Postgres) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		p.signalAll(syscall.SIGQUIT) // first, so that those that are paused do nothing more
		p.signalAll(syscall.SIGCONT)
		_ = p.process.Wait()
		p.process = nil
	}
}

// end stops the server at the end of the test, and shows its log if the test has failed.
func (p *Postgres) end() {
	p.Stop()
	if p.t.Failed() {
		p.t.Logf("the end of the log of PostgreSQL on port %d:\n%s", p.port, tail(p.log.String()))
	}
}

func (p *Postgres) stop() {
	if p.process == nil {
		return
	}
	p.signalAll(syscall.SIGCONT)
	_ = p.process.Process.Signal(syscall.SIGINT) // fast shutdown
	ended := make(chan struct{})
	go func() { _ = p.process.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(Timeout):
		_ = p.process.Process.Signal(syscall.SIGQUIT)
		<-ended
	}
	p.process = nil
}

// Pause suspends all processes of the server. Connections stay open but get no answers.
func (p *Postgres) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signalAll(syscall.SIGSTOP)
}

// Resume continues a paused server.
func (p *Postgres) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signalAll(syscall.SIGCONT)
}

// signalAll signals the server and its children, which have their own process groups. It signals the parent first, so
// that a stopped server starts no more children.
func (p *Postgres) signalAll(s syscall.Signal) {
	if p.process == nil {
		return
	}
	parent := p.process.Process.Pid
	_ = syscall.Kill(parent, s)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if err != nil {
		p.t.Errorf("list the processes of the server: %v", err)
	}
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, s)
		}
	}
}

// ended reports whether the process has ended.
func (p *Postgres) ended() bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(p.process.Process.Pid, &status, syscall.WNOHANG, nil)
	return err != nil || pid != 0
}

func (p *Postgres) run(program string, args ...string) {
	p.t.Helper()
	if out, err := p.command(program, args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.binaries, program), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setpgid: true}
	return cmd
}

// postgresBinaries returns the folder of the newest version installed as on Debian, or else of the version in PATH.
func postgresBinaries(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return versionOf(a) - versionOf(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatal("PostgreSQL is missing: apt-get install postgresql (initdb is neither in /usr/lib/postgresql/*/bin nor in PATH)")
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(initdb)
}

func versionOf(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// postgresCredential returns the user to run the server as if the test runs as root, because PostgreSQL refuses to run
// as root.
func postgresCredential(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(found.Uid, 10, 32)
		gid, _ := strconv.ParseUint(found.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Fatal("no user to run PostgreSQL: it refuses to run as root, and neither postgres nor nobody exists")
	return nil
}
