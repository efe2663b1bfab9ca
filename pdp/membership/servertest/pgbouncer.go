package servertest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// StartPgBouncer starts a PgBouncer in front of the server, and returns the URL of a database through it. The mode is "session",
// "transaction" or "statement"; in the last two, clients share few connections. PgBouncer is killed when the test ends.
func (p *Postgres) StartPgBouncer(mode, database string) string {
	p.t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			p.t.Fatal("pgbouncer is missing: apt-get install pgbouncer")
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(p.data), "pgbouncer-")
	if err != nil {
		p.t.Fatal(err)
	}
	port, size := FreePort(p.t), 3
	if mode == "session" {
		size = 20
	}
	settings := filepath.Join(dir, "pgbouncer.ini")
	for path, text := range map[string]string{
		filepath.Join(dir, "users"): fmt.Sprintf("%q %q\n", postgresUser, postgresPassword),
		settings: fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\n"+
			"unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = %s\npool_mode = %s\ndefault_pool_size = %d\nmax_client_conn = 100\n",
			p.port, port, filepath.Join(dir, "users"), mode, size),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, settings)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(Timeout); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			_ = conn.Close()
			break
		}
		failed := time.Now().After(deadline)
		select {
		case <-ended:
			failed = true
		default:
		}
		if failed {
			_ = cmd.Process.Kill()
			<-ended
			p.t.Fatalf("PgBouncer did not start:\n%s", log.String())
		}
	}
	return strings.Replace(database, ":"+strconv.Itoa(p.port)+"/", ":"+strconv.Itoa(port)+"/", 1)
}
