package benchfleet

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

var (
	size         = flag.Int("sidecars", 8, "number of sidecars")
	users        = flag.Int("users", 60, "number of users that they are asked about")
	pause        = flag.Duration("pause", 200*time.Millisecond, "of each sidecar's caller between two questions")
	writing      = flag.Duration("writing", 300*time.Millisecond, "between two changes of users; one in ten is of a location")
	revoking     = flag.Duration("revoking", 200*time.Millisecond, "between two revocations")
	phase        = flag.Duration("phase", 2*time.Second, "how long each phase is measured")
	most         = flag.Int("connections", 6, "fail if the database has more connections in the median, without faults")
	maximum      = flag.Int("max-connections", 0, "that the database takes, the harness's three among them; 0: ten for each sidecar")
	lease        = flag.Duration("lease", 2*time.Second, "of the sidecars: longer than by default, for a busy machine")
	fetchTimeout = flag.Duration("fetch-timeout", 6*time.Second, "of the sidecars: an eighth is how long one waits for what another one fetches")
)

const administrators = 20

func say(began time.Time, format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}

// fleet is all that is measured.
type fleet struct {
	t        *testing.T
	database string
	settings string // a file
	sidecars []*sidecar
	history  history
	report   report

	counting, revoking *pgx.Conn
}

// Whatever becomes of the sidecar that listens for all, no answer is older than allowed, others learn of each change, and the
// database has few connections.
func TestFleet(t *testing.T) {
	began := time.Now()
	binary := servertest.BuildWardkeeper(t)
	postgres, redis := servertest.StartPostgres(t, fmt.Sprint("max_connections=", cmp.Or(*maximum, 10*(*size)+20))), servertest.StartRedis(t)
	f := &fleet{t: t, database: postgres.Database(), history: history{committed: map[string][]write{}, reasons: map[string]int{}}}
	f.fill(binary)
	f.counting, f.revoking = f.connect(), f.connect()
	f.settings = t.TempDir() + "/settings.yaml"
	require.NoError(t, os.WriteFile(f.settings, fmt.Appendf(nil, "membership: {fetch_timeout: %s}\n", *fetchTimeout), 0o600))

	say(began, "starting %d sidecars", *size)
	toDatabase, toRedis := through(t, f.database), through(t, redis.URL())
	f.sidecars = append(f.sidecars, f.start(binary, toDatabase.url, toRedis.url)) // this one leads
	require.Eventually(t, func() bool { return f.leader() == f.sidecars[0] }, servertest.Timeout, servertest.PollInterval)
	for range *size - 1 {
		f.sidecars = append(f.sidecars, f.start(binary, f.database, redis.URL()))
	}
	f.awaitVouched()

	time.Sleep(time.Second) // the connections of the start are closed
	f.measure(began, "nobody asks", false, func() { time.Sleep(*phase / 2) })
	ctx, cancel := context.WithCancel(t.Context())
	var acting sync.WaitGroup
	defer acting.Wait()
	defer cancel()
	f.act(ctx, &acting)
	time.Sleep(maxAge) // until everybody has asked about most users, and what was fetched at the start has been fetched again
	f.measure(began, "without faults", true, func() { time.Sleep(*phase) })
	f.measure(began, "the leader is cut off", true, func() {
		toDatabase.cut.Store(true)
		toRedis.cut.Store(true)
		f.sidecars[0].away.Store(true)
		time.Sleep(*phase)
		toDatabase.cut.Store(false)
		toRedis.cut.Store(false)
		f.sidecars[0].away.Store(false)
		f.awaitVouched()
	})
	f.measure(began, "the leader is stopped", true, func() {
		s := f.awaitLeader()
		s.away.Store(true)
		assert.NoError(t, s.Process.Signal(syscall.SIGSTOP))
		time.Sleep(*phase)
		assert.NoError(t, s.Process.Signal(syscall.SIGCONT))
		s.away.Store(false)
		f.awaitVouched()
	})
	f.measure(began, "the leader is killed", true, func() {
		s := f.awaitLeader()
		s.away.Store(true)
		assert.NoError(t, s.Process.Kill())
		time.Sleep(*phase)
		f.awaitVouched()
	})
	cancel()
	acting.Wait()
	fmt.Fprint(os.Stderr, f.report.table())
	f.judge()
}

// judge fails the test if something is not as it must be.
func (f *fleet) judge() {
	reads, vouched, failures := f.history.counts()
	violations := f.history.violations()
	fmt.Fprintf(os.Stderr, "%d facts read, %d of them vouched for; %d answers failed; %d were older than allowed\n", reads, vouched, failures, len(violations))
	for reason, n := range f.history.reasons {
		fmt.Fprintf(os.Stderr, "%6d failed: %s\n", n, reason)
	}
	assert.Empty(f.t, violations[:min(len(violations), 5)])
	assert.Greater(f.t, vouched, reads/10, "those are what is tested")
	assert.LessOrEqual(f.t, f.report.phases[1].connections.median(), *most, "connections to the database in the median")
	for _, p := range f.report.phases[1:] {
		assert.NotEmpty(f.t, p.revocations, p.name)
	}
}

// end is where something can be reached, through a wire.
type end struct {
	*wire
	url string
}

func through(t *testing.T, address string) end {
	u, err := url.Parse(address)
	require.NoError(t, err)
	w := lay(t, u.Host)
	u.Host = w.addr
	return end{w, u.String()}
}

func (f *fleet) start(binary, database, redis string) *sidecar {
	number := len(f.sidecars)
	return serve(f.t, binary, number, "--directory", fmt.Sprint(database, "&application_name=sidecar", number), "--redis", redis, "--lease", lease.String(), "--config", f.settings)
}

// fill makes a region with administrators and users.
func (f *fleet) fill(binary string) {
	var all []string
	for i := range *users {
		all = append(all, fixture.Nurse(fmt.Sprint("u", i), "ed_normal", "ghi"))
	}
	for i := range administrators {
		all = append(all, fixture.Nurse(fmt.Sprint("a", i), "regional_admin", "metro"))
	}
	file := f.t.TempDir() + "/directory.json"
	require.NoError(f.t, os.WriteFile(file, []byte(fixture.WithUsers(strings.Join(all, ","))), 0o600))
	output, err := exec.Command(binary, "directory", "import", file, "--to", f.database).CombinedOutput()
	require.NoError(f.t, err, "%s", output)
}

// leader returns the sidecar that listens for all; nil if none does.
func (f *fleet) leader() *sidecar {
	for _, s := range f.sidecars {
		if !s.away.Load() && s.metric(`wardkeeper_membership_listening{for="all"}`) == 1 {
			return s
		}
	}
	return nil
}

func (f *fleet) awaitLeader() (s *sidecar) {
	require.Eventually(f.t, func() bool { s = f.leader(); return s != nil }, servertest.Timeout, servertest.PollInterval)
	return s
}

// awaitVouched waits until one sidecar leads, and its proofs are seen by all that run.
func (f *fleet) awaitVouched() {
	for _, s := range f.sidecars {
		if s.away.Load() {
			continue
		}
		require.Eventually(f.t, func() bool { return s.metric("wardkeeper_membership_vouched") == 1 }, servertest.Timeout, servertest.PollInterval)
	}
}

// connect returns a connection that is not counted.
func (f *fleet) connect() *pgx.Conn {
	conn, err := pgx.Connect(context.Background(), f.database+"&application_name=harness")
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// act starts everybody who asks, probes and writes.
func (f *fleet) act(ctx context.Context, acting *sync.WaitGroup) {
	for _, s := range f.sidecars {
		acting.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(s.number)))
			for wait(ctx, time.Duration((0.5+random.Float64())*float64(*pause))) {
				f.ask(ctx, s, fmt.Sprint("a", random.IntN(administrators)), fmt.Sprint("u", random.IntN(*users)))
			}
		})
		acting.Go(func() {
			for wait(ctx, time.Second) {
				_, _ = s.get("/ready")
			}
		})
	}
	conn := f.connect()
	acting.Go(func() {
		for n := 1; wait(ctx, *writing); n++ {
			if n%10 != 0 {
				f.update(conn, fmt.Sprint("u", n%*users), "family", fmt.Sprint("Family ", n))
				continue
			}
			var version uint64
			_, err := conn.Exec(context.Background(), "UPDATE locations SET name = $1 WHERE id = 'ghi'", fmt.Sprint("Facility ", n))
			if err == nil {
				err = conn.QueryRow(context.Background(), "SELECT version FROM locations WHERE id = 'metro'").Scan(&version)
			}
			assert.NoError(f.t, err)
			f.history.wrote("organization metro", version)
		}
	})
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// update changes a user, and notes the version.
func (f *fleet) update(conn *pgx.Conn, id, column, value string) {
	var version uint64
	err := conn.QueryRow(context.Background(), "UPDATE users SET "+column+" = $1 WHERE id = $2 RETURNING version", value, id).Scan(&version)
	assert.NoError(f.t, err)
	f.history.wrote("user "+id, version)
}

// ask asks a question, and notes the facts of the answer.
func (f *fleet) ask(ctx context.Context, s *sidecar, subject, user string) (allowed bool, err error) {
	at := time.Now()
	a, err := s.ask(ctx, subject, user)
	f.history.do(func() {
		if err != nil {
			if !s.away.Load() && ctx.Err() == nil {
				f.history.failures++
				f.history.reasons[regexp.MustCompile(`\d+`).ReplaceAllString(err.Error(), "N")]++
			}
			return
		}
		for _, r := range a.Context.Freshness.Records {
			f.history.reads = append(f.history.reads, read{s.number, r.Type + " " + r.ID, r.Version, r.Vouched, at})
		}
	})
	return a.Decision, err
}

// revoke takes away an administrator's rights, and returns how long it took from the commit until the last sidecar that runs denied.
func (f *fleet) revoke(ctx context.Context, conn *pgx.Conn, id string) (took time.Duration, ok bool) {
	running := slices.DeleteFunc(slices.Clone(f.sidecars), func(s *sidecar) bool { return s.away.Load() })
	answered := make([]time.Time, len(running))
	until := func(allowed bool) bool {
		var asking sync.WaitGroup
		for i, s := range running {
			asking.Go(func() {
				for again := 4 * time.Millisecond; ctx.Err() == nil && !s.away.Load(); again = min(again*5/4, 50*time.Millisecond) {
					if got, err := f.ask(ctx, s, id, "u1"); err == nil && got == allowed {
						answered[i] = time.Now()
						return
					}
					wait(ctx, again) // what is measured can be too long by this
				}
			})
		}
		asking.Wait()
		return ctx.Err() == nil
	}
	if !until(true) {
		return 0, false
	}
	f.update(conn, id, "status", "deactivated")
	committed := time.Now()
	ok = until(false)
	for i, s := range running {
		if !s.away.Load() { // one that was stopped meanwhile does not answer
			took = max(took, answered[i].Sub(committed))
		}
	}
	f.update(conn, id, "status", "active")
	return took, ok
}
