package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// fault is something that breaks while a server answers. All faults are checked in the same way: no wrong answer, none that is
// late, and recovery within recoveryTime.
type fault struct {
	// begin breaks something. It may call revoke, which otherwise is called once the fault shows.
	begin func(f *faultTest)
	// What shows the fault while it lasts: patterns of what /ready answers, of the metrics and of the log. An empty one means
	// that this is as always.
	ready, metrics, log string
	// end mends what is broken; nil if the server must recover although it lasts.
	end         func(f *faultTest)
	ownDatabase bool               // others who use the same PostgreSQL would be disturbed
	announced   bool               // facts are confirmed by announcements over Redis, instead of by the database
	polling     int                // seconds between looks for another policy, instead of one
	resets      bool               // new connections may be reset, and clients have to try again
	stops       bool               // nothing is decided until the server has recovered
	args        []string           // of the server, beside those of all
	setUp       func(f *faultTest) // before the server is started
	unprotected []removal          // of what protects against it: without any of them the test must fail
}

// faults lists the faults by name. OPERATIONS.md has the same, with what to do.
func faults() map[string]fault {
	all := map[string]fault{}
	for _, some := range []map[string]fault{factsFaults, policyFaults, machineFaults} {
		for name, one := range some {
			all[name] = one
		}
	}
	return all
}

// recoveryTime is how long a server may take until everything is as before the fault. It is counted in probes of /health,
// probePause apart, which take longer on a machine that has too much to do.
const (
	recoveryTime = 5 * time.Second
	probePause   = 50 * time.Millisecond
)

const (
	faultsMaxAge  = time.Second // of facts that are not confirmed
	faultsTimeout = time.Second // of a question
)

func TestFaults(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	shared := servertest.StartPostgres(t)
	for name, one := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaultTest(t, one, shared)
			f.run(one)
		})
	}
}

// faultTest is a server with a database, a Redis, a bundle server and a log of decisions of its own, under load.
type faultTest struct {
	t        *testing.T
	postgres *servertest.Postgres
	url      string // of the database
	admin    *pgx.Conn
	redis    *servertest.Redis
	redisURL string
	bundles  *lyingBundleServer
	d        *daemon
	load     *faultLoad
	sound    string // what /ready answers when nothing is wrong
	revoked  time.Time
	started  time.Duration             // how long the server took to start: to activate a policy takes no longer
	announce func(adminChange)         // nil if the database does
	slow     func(time.Duration)       // makes Redis slow
	by       func(*exec.Cmd) *exec.Cmd // the command that starts the server by the given one
	records  string                    // the folder of the log of decisions

	disconnect func() // closes the connections that the fault consists of
}

func newFaultTest(t *testing.T, one fault, shared *servertest.Postgres) *faultTest {
	t.Helper()
	f := &faultTest{t: t, postgres: shared, redis: servertest.StartRedis(t), bundles: newLyingBundleServer(t), records: t.TempDir(),
		by: func(cmd *exec.Cmd) *exec.Cmd { return cmd }}
	if one.ownDatabase {
		f.postgres = servertest.StartPostgres(t)
	}
	f.url, f.redisURL = f.postgres.Database(), f.redis.URL()
	imported := run(t, nil, "directory", "import", writeFile(t, "directory.json", faultsDirectory), "--to", f.url)
	require.Zero(t, imported.status, imported.err)
	f.admin = servertest.Connect(t, f.url)
	servertest.Exec(t, f.admin, "SET synchronous_commit = on") // the servers of tests lose the last commits in a crash
	if one.setUp != nil {
		one.setUp(f)
	}
	membership := "{}"
	if one.announced {
		membership, f.announce = `{announced: all, postgres: {listen: ""}}`, f.announceUntilTaken
	}
	polling := max(one.polling, 1)
	began := time.Now()
	f.d = startServerBy(t, f.by, "127.0.0.1:0", append([]string{
		"--directory", f.url, "--redis", f.redisURL, "--max-age-change", faultsMaxAge.String(), "--max-age-use", faultsMaxAge.String(),
		"--evaluation-timeout", faultsTimeout.String(), "--state-dir", t.TempDir(), "--verification-key", writeFile(t, "public.pem", f.bundles.signer.public),
		"--decision-log", f.records, "--decision-log-durability", "sync",
		"--changes-token-file", writeFile(t, "changes", changesToken), "--config", writeFile(t, "sidecar.yaml", fmt.Sprintf(`
membership: %s
decision_log: {on_failure: deny}
policy: {bundle: {service: {url: %q}, resource: authz.tar.gz, max_age: 4m, polling: {min_delay_seconds: %d, max_delay_seconds: %d}}}
`, membership, f.bundles.url, polling, polling)),
	}, one.args...)...)
	waitUntil(t, "it is ready, and facts are confirmed", func() bool {
		vouched := f.d.metric(t, "wardkeeper_membership_vouched") == 1
		var status int
		status, f.sound = f.d.get(t, "/ready")
		return status == http.StatusOK && vouched
	})
	f.started = time.Since(began)
	require.Equal(t, `{"ready":true}`, f.sound)
	f.load = startFaultLoad(t, f.d.url, one)
	f.load.waitForAnswers(50)
	return f
}

func (f *faultTest) run(one fault) {
	t := f.t
	one.begin(f)
	f.load.faulty.Store(true)
	f.waitVisible(one)
	if f.revoked.IsZero() {
		f.revoke()
	}
	f.waitUntil("facts that are not confirmed are too old", func() bool { return time.Since(f.revoked) > faultsMaxAge+tolerance+time.Second/2 })
	f.load.waitForAnswers(50)
	f.waitVisible(one) // as long as it lasts
	f.load.faulty.Store(false)
	if one.end != nil {
		one.end(f)
	}
	f.checkRecovery()
	f.load.stop()
	f.load.check(t)
	f.checkRecords()
}

// waitUntil is like the function of this name, but fails as soon as an answer is wrong.
func (f *faultTest) waitUntil(what string, condition func() bool) {
	f.t.Helper()
	waitUntil(f.t, what, func() bool {
		wrong := f.load.wrongAnswers()
		require.Empty(f.t, wrong[:min(len(wrong), 5)], "of %d, while waiting until %s", len(wrong), what)
		return condition()
	})
}

// checkRecords checks that each answer has its record.
func (f *faultTest) checkRecords() {
	f.t.Helper()
	shown := run(f.t, nil, "log", "show", f.records, "--json")
	require.Zero(f.t, shown.status, shown.err)
	kept := strings.Count(shown.out, `"outcome":"allowed"`) + strings.Count(shown.out, `"outcome":"denied"`)
	assert.GreaterOrEqual(f.t, int64(kept), f.load.answered.Load(), "answers have records")
}

// revoke deactivates the administrator whom the load asks about.
func (f *faultTest) revoke() {
	f.t.Helper()
	w := adminChange{id: revokedAdmin}
	require.NoError(f.t, f.admin.QueryRow(f.t.Context(),
		"UPDATE users SET status = 'deactivated' WHERE id = $1 RETURNING version", revokedAdmin).Scan(&w.version))
	f.revoked = time.Now()
	w.committed = f.revoked
	f.load.log.addWrite(w)
	if f.announce != nil {
		f.announce(w)
	}
}

// announceUntilTaken announces a change, as often as it takes.
func (f *faultTest) announceUntilTaken(w adminChange) {
	f.load.workers.Go(func() {
		for f.load.wait(20 * time.Millisecond) {
			if _, err := announceTo(f.load.client, f.d.url, fmt.Sprintf(`{"users":[{"id":%q,"version":%d}]}`, w.id, w.version)); err == nil {
				return
			}
		}
	})
}

// waitVisible waits until a fault shows wherever it should.
func (f *faultTest) waitVisible(one fault) {
	f.t.Helper()
	f.waitUntil(fmt.Sprintf("the fault shows as %q, %q, %q", one.ready, one.metrics, one.log), func() bool { return f.visible(one) })
}

func (f *faultTest) visible(one fault) bool {
	f.t.Helper()
	for pattern, look := range map[string]func() string{
		one.ready:   func() string { return f.page("/ready") },
		one.metrics: func() string { return f.page("/metrics") },
		one.log:     f.d.log.String,
	} {
		if pattern != "" && !regexp.MustCompile("(?m)"+pattern).MatchString(look()) {
			return false
		}
	}
	return one.ready != "" || f.page("/ready") == f.sound
}

// page returns what a page answers, or nothing if it cannot be had now.
func (f *faultTest) page(path string) string {
	_, body, _ := f.load.get(path)
	return body
}

// checkRecovery checks that everything is as before within recoveryTime, and the revocation is in force.
func (f *faultTest) checkRecovery() {
	f.t.Helper()
	began, from := time.Now(), f.load.probes.Load()
	for {
		missing := f.missing()
		if missing == "" {
			break
		}
		late := f.load.probes.Load()-from > int64(recoveryTime/probePause)
		if missing == newestRelease { // compiling it takes the processor, which probes do not
			late = late && time.Since(began) > recoveryTime+2*f.started
		}
		if late {
			require.Fail(f.t, "it has not recovered", "after %v: %s", time.Since(began), missing)
		}
		time.Sleep(probePause)
	}
	f.t.Logf("recovered within %v", time.Since(began).Round(10*time.Millisecond))
}

const newestRelease = "the newest release"

// missing returns what is not yet as it should be.
func (f *faultTest) missing() string {
	switch body := f.page("/ready"); {
	case body != f.sound:
		return "/ready: " + body
	case f.bundles.released.Load() != int64(f.metric("wardkeeper_bundle_sequence")):
		return newestRelease
	case f.metric("wardkeeper_membership_vouched") != 1:
		return "confirmed facts"
	}
	for id, right := range map[string]bool{stableAdmin: true, revokedAdmin: false, nobodysAdmin: false} {
		a, status, err := askAbout(f.load.client, f.d.url, id, "")
		if err != nil || status != http.StatusOK {
			return fmt.Sprintf("an answer about %s: status %d, %v", id, status, err)
		}
		f.load.answered.Add(1)
		if a.allowed != right {
			return fmt.Sprintf("the right answer about %s: %t", id, a.allowed)
		}
	}
	return ""
}

func (f *faultTest) metric(name string) (value float64) {
	for line := range strings.Lines(f.page("/metrics")) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(text, &value)
			assert.NoError(f.t, err)
		}
	}
	return value
}
