package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

const nginxToken = "of-the-bundle-server"

// nginxConf serves the published bundle to clients with the token. The files down, slow and labelled in its folder switch on
// failures.
const nginxConf = `
daemon off;
pid nginx.pid;
worker_processes 1;
%[1]s
events {}
http {
	log_format attempts '$status $request_time';
	access_log access.log attempts;
	client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
	types { application/gzip gz; }
	map $http_authorization $known { default 0; "Bearer ` + nginxToken + `" 1; }
	server {
		listen 127.0.0.1:%[2]d %[3]s;
		root published;
		if ($known = 0) { return 401; }
		if (-f %[4]s/down) { return 500; }
		if (-f %[4]s/slow) { set $limit_rate 1k; }
		set $label "";
		if (-f %[4]s/labelled) { set $label br; }
		add_header Content-Encoding $label;
		location = /state { stub_status; access_log off; }
	}
}
`

// nginx is a real bundle server.
type nginx struct {
	dir string
	url string
	cmd *exec.Cmd
	tls bool
}

// newNginx starts nginx, with TLS if certificate (in PEM, with its key) is not empty.
func newNginx(t *testing.T, certificate string) *nginx {
	t.Helper()
	n := &nginx{dir: t.TempDir(), tls: certificate != ""}
	port := servertest.FreePort(t)
	user, tls, scheme := "", "", "http"
	if os.Getuid() == 0 {
		user = "user root;" // only root can read the folder
	}
	if n.tls {
		n.write(t, "tls.pem", certificate)
		tls, scheme = "ssl; ssl_certificate tls.pem; ssl_certificate_key tls.pem", "https"
	}
	n.write(t, "nginx.conf", fmt.Sprintf(nginxConf, user, port, tls, n.dir))
	require.NoError(t, os.Mkdir(filepath.Join(n.dir, "published"), 0o755))
	n.url = fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
	n.start(t)
	return n
}

func (n *nginx) start(t *testing.T) {
	t.Helper()
	n.cmd = exec.Command(tool(t, "nginx"), "-p", n.dir, "-c", filepath.Join(n.dir, "nginx.conf"), "-e", filepath.Join(n.dir, "error.log"))
	out, err := os.Create(filepath.Join(n.dir, "out.log"))
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close()) }()
	n.cmd.Stderr = out
	require.NoError(t, n.cmd.Start())
	started := n.cmd
	t.Cleanup(func() {
		endNginx(started)
		if t.Failed() {
			t.Log(n.read("out.log"), n.read("error.log"), n.read("access.log"))
		}
	})
	waitUntil(t, "nginx listens", func() bool {
		c, err := net.Dial("tcp", n.addr())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (n *nginx) addr() string { return n.url[strings.LastIndex(n.url, "/")+1:] }

// stop ends nginx at once, even in the middle of a response.
func (n *nginx) stop(*testing.T) { endNginx(n.cmd) }

func endNginx(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have been stopped before
	_ = cmd.Wait()
}

func (n *nginx) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o644))
}

func (n *nginx) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(n.dir, name)) // "" if there is no such file
	return string(data)
}

// answers counts the answers with a status. nginx logs an answer some time after it has sent it.
func (n *nginx) answers(status string) int {
	return strings.Count("\n"+n.read("access.log"), "\n"+status+" ")
}

func (n *nginx) remove(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(n.dir, name)))
}

// publish replaces the bundle. nginx derives the ETag from length and time in seconds, so each bundle gets a second of its own.
func (n *nginx) publish(t *testing.T, data []byte) {
	t.Helper()
	path := filepath.Join(n.dir, "published", "authz.tar.gz")
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	if before, err := os.Stat(path); err == nil {
		at = before.ModTime().Add(time.Second)
	}
	next := filepath.Join(n.dir, "published", "next")
	require.NoError(t, os.WriteFile(next, data, 0o644))
	require.NoError(t, os.Chtimes(next, at, at))
	require.NoError(t, os.Rename(next, path))
}

// republish replaces the bundle with one of the same length and modification time.
func (n *nginx) republish(t *testing.T, data []byte) {
	t.Helper()
	path := filepath.Join(n.dir, "published", "authz.tar.gz")
	before, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, before.Size(), len(data))
	next := filepath.Join(n.dir, "published", "next")
	require.NoError(t, os.WriteFile(next, data, 0o644))
	require.NoError(t, os.Chtimes(next, before.ModTime(), before.ModTime()))
	require.NoError(t, os.Rename(next, path))
}

// isSending reports whether nginx is answering another client.
func (n *nginx) isSending(t *testing.T) bool {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, n.url+"/state", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+nginxToken)
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	var a [3]int
	var reading, writing int
	_, err = fmt.Fscanf(w.Body, "Active connections: %d \nserver accepts handled requests\n %d %d %d \nReading: %d Writing: %d",
		&a[0], &a[1], &a[2], new(int), &reading, &writing)
	require.NoError(t, err)
	return writing > 1
}

// subscriber is a server configured by a YAML file to follow a bundle.
type subscriber struct {
	config string
	signer signer
}

func newSubscriber(t *testing.T, n *nginx, ca string) subscriber {
	t.Helper()
	s := subscriber{signer: newSigner(t, "ES256")}
	service := map[string]any{"url": n.url, "credentials": map[string]any{"bearer": map[string]any{"token": nginxToken}}}
	if ca != "" {
		service["tls"] = map[string]any{"ca_cert": writeFile(t, "ca.pem", ca)}
	}
	bundle, err := json.Marshal(map[string]any{
		"service": service, "resource": "authz.tar.gz", "polling": map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1},
		"keys":      map[string]any{"tests": map[string]any{"algorithm": "ES256", "key": s.signer.public}},
		"state_dir": filepath.Join(t.TempDir(), "state"),
	})
	require.NoError(t, err)
	s.config = writeFile(t, "wardkeeper.yaml", fmt.Sprintf("decision: app/decision\npolicy: {\"bundle\": %s}\n", bundle))
	return s
}

func (s subscriber) startServer(t *testing.T) *daemon {
	t.Helper()
	return startServer(t, "--config", s.config)
}

func TestBundleFromNginxIsUpdated(t *testing.T) {
	t.Parallel()
	n := newNginx(t, "")
	s := newSubscriber(t, n, "")
	n.publish(t, smallRelease(1).signed(t, s.signer))
	d := s.startServer(t)
	first := d.waitForRelease(t, 1)
	require.Equal(t, "r1", first.Label)
	require.Equal(t, n.url+"/authz.tar.gz", first.Source)
	require.Equal(t, "tests", first.SignedBy)
	require.True(t, first.Verified)
	require.False(t, first.FromDisk)
	waitUntil(t, "nginx answers 304", func() bool { return n.answers("304") > 0 })
	require.Equal(t, first.Activated, d.revision(t).Activated)

	n.publish(t, smallRelease(2).signed(t, s.signer))
	second := d.waitForRelease(t, 2)
	require.NotEqual(t, first.ID, second.ID)
	unchanged := n.answers("304") // nginx logs an answer after it has sent it
	require.Equal(t, 2., d.metric(t, "wardkeeper_bundle_activations_total"))
	ready, notes := d.readiness(t)
	require.True(t, ready)
	require.Empty(t, notes, "there is nothing to say where all is well")
	waitUntil(t, "nginx has logged another 304", func() bool { return n.answers("304") > unchanged })
	require.Equal(t, 2, n.answers("200"), "an unchanged bundle is not sent again: %s", n.read("access.log"))
	require.NotContains(t, n.read("access.log"), "401 ")
	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.NotContains(t, logs, nginxToken)
}

// The reason is reported, and the next good bundle is activated.
func TestFailuresOfNginxKeepTheActivePolicy(t *testing.T) {
	for name, c := range map[string]struct {
		spoil           func(*testing.T, *nginx, signer)
		mend            func(*testing.T, *nginx)
		outcome, reason string
		message         string
	}{
		"500": {
			func(t *testing.T, n *nginx, _ signer) { n.write(t, "down", "") },
			func(t *testing.T, n *nginx) { n.remove(t, "down") }, "unavailable", "unavailable", "the server answered 500",
		},
		"absent": {
			func(t *testing.T, n *nginx, _ signer) { n.remove(t, "published/authz.tar.gz") },
			nil, "unavailable", "unavailable", "the server answered 404",
		},
		"gone": {
			func(t *testing.T, n *nginx, _ signer) { n.stop(t) },
			func(t *testing.T, n *nginx) { n.start(t) }, "unavailable", "unavailable", "connection refused",
		},
		"gone while it sends": {
			func(t *testing.T, n *nginx, by signer) {
				n.write(t, "slow", "")
				n.publish(t, bulky(t, 2, 200_000).signed(t, by))
				waitUntil(t, "nginx sends the bundle", func() bool { return n.isSending(t) })
				n.stop(t)
			},
			func(t *testing.T, n *nginx) { n.remove(t, "slow"); n.start(t) }, "unavailable", "unavailable", "",
		},
		"truncated": {
			func(t *testing.T, n *nginx, by signer) {
				whole := smallRelease(2).signed(t, by)
				n.publish(t, whole[:len(whole)/2])
			}, nil, "refused", "malformed", "it is truncated",
		},
		"unsigned": {
			func(t *testing.T, n *nginx, _ signer) { n.publish(t, archiveBytes(t, smallRelease(2).archive(t))) },
			nil, "refused", "unsigned", "it is not signed",
		},
		"empty": {
			func(t *testing.T, n *nginx, _ signer) { n.publish(t, nil) }, nil, "refused", "malformed", "it is empty",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNginx(t, "")
			s := newSubscriber(t, n, "")
			n.publish(t, smallRelease(1).signed(t, s.signer))
			d := s.startServer(t)
			first := d.waitForRelease(t, 1)
			c.spoil(t, n, s.signer)
			waitUntil(t, "the attempt fails with the message", func() bool { // a truncated answer may come before it
				attempt := d.revision(t).Attempt
				return attempt.Reason == c.reason && strings.Contains(attempt.Message, c.message)
			})
			now := d.revision(t)
			require.Equal(t, c.outcome, now.Attempt.Outcome)
			require.Equal(t, first.ID, now.ID)
			require.Equal(t, first.Activated, now.Activated)
			require.EqualValues(t, 1, d.decidingRelease(t))
			ready, notes := d.readiness(t)
			require.True(t, ready)
			require.Equal(t, first.ID, notes.ID)
			require.Equal(t, c.outcome, notes.Attempt.Outcome)
			require.Equal(t, c.reason, notes.Attempt.Reason)
			require.Empty(t, notes.Attempt.Message, "causes are for those who hold the token")
			require.Positive(t, d.metric(t, fmt.Sprintf("wardkeeper_bundle_refusals_total{reason=%q}", c.reason)))

			n.publish(t, smallRelease(3).signed(t, s.signer))
			if c.mend != nil {
				c.mend(t, n)
			}
			d.waitForRelease(t, 3)
			_, notes = d.readiness(t)
			require.Empty(t, notes)
		})
	}
}

func TestActivePolicyDecidesDuringASlowDownload(t *testing.T) {
	t.Parallel()
	n := newNginx(t, "")
	s := newSubscriber(t, n, "")
	n.publish(t, smallRelease(1).signed(t, s.signer))
	d := s.startServer(t)
	d.waitForRelease(t, 1)
	n.write(t, "slow", "")
	n.publish(t, bulky(t, 2, 5_000).signed(t, s.signer))
	waitUntil(t, "a question is decided while nginx sends the bundle", func() bool {
		return n.isSending(t) && d.decidingRelease(t) == 1 && n.isSending(t)
	})
	d.waitForRelease(t, 2)
	slow := regexp.MustCompile(`(?m)^200 [1-9]\d*\.\d+$`)
	waitUntil(t, "nginx has logged that the transfer took its time", func() bool { return slow.MatchString(n.read("access.log")) })
}

func TestSavedBundleServesWhileNginxIsDown(t *testing.T) {
	t.Parallel()
	n := newNginx(t, "")
	s := newSubscriber(t, n, "")
	n.publish(t, smallRelease(1).signed(t, s.signer))
	d := s.startServer(t)
	first := d.waitForRelease(t, 1)
	d.signal(t, syscall.SIGTERM)
	_, _ = d.end()
	n.stop(t)

	d = s.startServer(t)
	require.EqualValues(t, 1, d.decidingRelease(t))
	waitUntil(t, "the server is found to be gone", func() bool { return d.revision(t).Attempt != nil })
	now := d.revision(t)
	require.Equal(t, first.ID, now.ID)
	require.True(t, now.Verified)
	require.True(t, now.FromDisk)
	ready, notes := d.readiness(t)
	require.True(t, ready)
	require.True(t, notes.FromDisk)
	require.Equal(t, "unavailable", notes.Attempt.Reason)

	n.start(t)
	waitUntil(t, "the source has it still", func() bool { return !d.revision(t).FromDisk })
	n.publish(t, smallRelease(2).signed(t, s.signer))
	d.waitForRelease(t, 2)
}

// nginx derives the ETag from time and length alone.
func TestDamagedDownloadIsFetchedAgainDespiteTheSameETag(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, n *nginx, whole []byte)
		reason string
	}{
		"a few bytes": {func(t *testing.T, n *nginx, whole []byte) {
			spoilt := bytes.Clone(whole)
			copy(spoilt[len(spoilt)/2:], "spoilt")
			n.publish(t, spoilt)
		}, "malformed"},
		"zeros at the end": {func(t *testing.T, n *nginx, whole []byte) {
			n.publish(t, append(bytes.Clone(whole[:len(whole)/2]), make([]byte, len(whole)-len(whole)/2)...))
		}, "malformed"},
		"an encoding": {func(t *testing.T, n *nginx, whole []byte) {
			n.write(t, "labelled", "")
			n.publish(t, whole)
		}, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNginx(t, "")
			s := newSubscriber(t, n, "")
			n.publish(t, smallRelease(1).signed(t, s.signer))
			d := s.startServer(t)
			d.waitForRelease(t, 1)
			whole := smallRelease(2).signed(t, s.signer)
			c.spoil(t, n, whole)
			waitUntil(t, "it is refused", func() bool { return d.revision(t).Attempt.Reason == c.reason })
			_ = os.Remove(filepath.Join(n.dir, "labelled"))
			n.republish(t, whole)
			d.waitForRelease(t, 2)
			waitUntil(t, "nginx has logged that the bundle was fetched again, whole or not", func() bool { return n.answers("200") >= 3 })
		})
	}
}
