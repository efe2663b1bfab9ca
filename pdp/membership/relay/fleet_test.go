package relay_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// make bench-fleet sets them.
var (
	followers = flag.Int("followers", 50, "number of sidecars that only follow the stream")
	following = flag.Duration("following", 3*time.Second, "how long they are measured")
	fleetSize = flag.Int("sidecars", defaultFleetSize, "number of sidecars of a fleet")
	fleetUser = flag.Int("users", 100, "number of users that a fleet is asked about")
)

const (
	fleetLease = 2 * time.Second // longer than by default, for a busy machine
	maxAge     = 5 * time.Second
	tolerance  = time.Second // of a busy machine, for facts that are not confirmed
)

// server is where the sidecars of one fleet meet.
type server struct{ database, redis, prefix string }

// relayed is an origin that another sidecar may listen to.
type relayed struct {
	*pgorigin.Origin
	relay *relay.Relay
}

func (o relayed) Watch(ctx context.Context, h membership.ChangeHandler) { o.relay.Watch(ctx, h) }

// sidecar is everything of a sidecar that has to do with facts.
type sidecar struct {
	*cache.Cache
	relay *relay.Relay
}

func openSidecar(at server) (*sidecar, error) {
	quiet := slog.New(slog.DiscardHandler)
	origin, err := pgorigin.Open(context.Background(), pgorigin.Config{URL: at.database, Listen: pgorigin.DefaultChannel, Heartbeat: fleetLease / 5, Idle: time.Second, Logger: quiet})
	if err != nil {
		return nil, err
	}
	store, err := redisstore.Open(redisstore.Config{URL: at.redis, Prefix: at.prefix, Lease: fleetLease})
	if err != nil {
		return nil, err
	}
	r := relay.New(relay.Config{Watcher: origin, Stream: store, Election: store, Lease: fleetLease})
	c, err := cache.Open(cache.Config{Origin: relayed{origin, r}, Store: store, Stream: r, Lease: fleetLease, MaxAgeChange: maxAge, Vocabulary: fixture.Vocabulary(), Logger: quiet})
	return &sidecar{c, r}, err
}

// read returns the number of the write that a user's record is of.
func (s *sidecar) read(ctx context.Context, id string) (number int, confirmed bool, err error) {
	v, err := s.View(ctx, facts.Requirement{})
	if err != nil {
		return 0, false, err
	}
	u, err := v.User(ctx, id)
	if err != nil {
		return 0, false, err
	}
	number, err = strconv.Atoi(u.Record().Name.Family)
	return number, v.UserFreshness(u).Confirmed, err
}

const sidecarOf = "WARDKEEPER_TEST_SIDECAR_OF"

// TestMain is the sidecar that tests stop and kill, if they start it.
func TestMain(m *testing.M) {
	if at := strings.Fields(os.Getenv(sidecarOf)); len(at) == 3 {
		if _, err := openSidecar(server{at[0], at[1], at[2]}); err != nil {
			panic(err)
		}
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

// startLeader starts a sidecar in a process of its own, which leads.
func startLeader(t *testing.T, at server) *os.Process {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), sidecarOf+"="+strings.Join([]string{at.database, at.redis, at.prefix}, " "))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	conn := servertest.Connect(t, at.database)
	require.Eventually(t, func() bool { return connections(t, conn) == 1 }, servertest.Timeout, servertest.PollInterval)
	return cmd.Process
}

// connections returns how many connections to the database there are besides this one.
func connections(t *testing.T, conn *pgx.Conn) (n int) {
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&n))
	return n
}

// journal records the writes and what the sidecars read.
type journal struct {
	mu        sync.Mutex
	committed map[string][]time.Time // by user, by the number of the write
	reads     []fleetRead
	failures  int
}

type fleetRead struct {
	sidecar, number int
	user            string
	confirmed       bool
	at              time.Time
}

func (j *journal) do(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// violations lists the reads that are older than they may be.
func (j *journal) violations() (all []string) {
	for _, r := range j.reads {
		writes := j.committed[r.user]
		if r.number+1 >= len(writes) {
			continue
		}
		late := r.at.Sub(writes[r.number+1])
		if r.confirmed && late > fleetLease || late > maxAge+tolerance {
			all = append(all, fmt.Sprintf("sidecar %d gave write %d of %s %v after the next one, confirmed: %t", r.sidecar, r.number, r.user, late, r.confirmed))
		}
	}
	return all
}

// Fifty sidecars over real servers, one of which leads in a process of its own. Whatever becomes of it, nobody reads what is
// older than allowed, and others learn of each write soon.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	postgres, redis := servertest.StartPostgres(t, "max_connections=600"), servertest.StartRedis(t)
	for name, fault := range map[string]func(t *testing.T, leader *os.Process, at server){
		"stopped": func(t *testing.T, leader *os.Process, _ server) {
			require.NoError(t, leader.Signal(syscall.SIGSTOP))
			time.Sleep(6 * time.Second)
			require.NoError(t, leader.Signal(syscall.SIGCONT))
			time.Sleep(time.Second)
			require.NoError(t, leader.Kill())
		},
		"killed": func(t *testing.T, leader *os.Process, _ server) {
			require.NoError(t, leader.Kill())
			time.Sleep(6 * time.Second)
		},
		"cut off": func(t *testing.T, _ *os.Process, at server) {
			servertest.Exec(t, servertest.Connect(t, at.database), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^(WITH t AS|NOTIFY)' AND datname = current_database() AND pid <> pg_backend_pid()")
			time.Sleep(3 * time.Second)
			redis.Pause()
			time.Sleep(3 * time.Second)
			redis.Resume()
			time.Sleep(2 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := server{postgres.Database(), redis.URL(), "t" + strconv.FormatUint(rand.Uint64(), 36)}
			testFleet(t, at, func(leader *os.Process) { fault(t, leader, at) })
		})
	}
}

func testFleet(t *testing.T, at server, fault func(leader *os.Process)) {
	var users []string
	for i := range *fleetUser {
		users = append(users, strings.Replace(fixture.Nurse(fmt.Sprint("u", i), "ed_normal", "ghi"), `"username"`, `"name":{"family":"0"},"username"`, 1))
	}
	directory := origintest.ParseDirectory(t, fixture.WithUsers(strings.Join(users, ",")))
	require.NoError(t, pgorigin.Import(t.Context(), pgorigin.Target{URL: at.database, Schema: true}, directory, nil))
	leader := startLeader(t, at)
	fleet := make([]*sidecar, *fleetSize-1)
	for i := range fleet {
		s, err := openSidecar(at)
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		fleet[i] = s
	}
	waitConfirmed := func() {
		for _, s := range fleet {
			require.Eventually(t, func() bool { return s.Status().Confirmed }, servertest.Timeout, servertest.PollInterval)
		}
	}
	waitConfirmed()
	for _, s := range fleet {
		require.False(t, s.relay.Status().Leading, "the first one leads")
	}

	j := &journal{committed: map[string][]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	var acting sync.WaitGroup
	defer acting.Wait() // also if the test fails
	defer cancel()
	for i, s := range fleet {
		acting.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for ctx.Err() == nil {
				id, began := fmt.Sprint("u", random.IntN(len(users))), time.Now()
				within, end := context.WithTimeout(ctx, 2*time.Second)
				number, confirmed, err := s.read(within, id)
				end()
				j.do(func() {
					if err != nil {
						j.failures++
						return
					}
					j.reads = append(j.reads, fleetRead{i, number, id, confirmed, began})
				})
				time.Sleep(30 * time.Millisecond)
			}
		})
	}
	conn, counting := servertest.Connect(t, at.database), servertest.Connect(t, at.database)
	acting.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			id := fmt.Sprint("u", n%len(users))
			number := n/len(users) + 1
			_, err := conn.Exec(context.Background(), "UPDATE users SET family = $1 WHERE id = $2", strconv.Itoa(number), id)
			if !assert.NoError(t, err) {
				return
			}
			j.do(func() {
				if j.committed[id] == nil {
					j.committed[id] = []time.Time{{}}
				}
				j.committed[id] = append(j.committed[id], time.Now())
			})
			time.Sleep(100 * time.Millisecond)
		}
	})
	time.Sleep(3 * time.Second)
	var counts []int
	for range 10 {
		counts = append(counts, connections(t, counting)-1)
		time.Sleep(100 * time.Millisecond)
	}
	slices.Sort(counts)
	t.Logf("%d connections to the database in the median, %d at most, one of them to listen", counts[5], counts[9])
	fault(leader)
	waitConfirmed()
	time.Sleep(time.Second)
	cancel()
	acting.Wait()
	violations := j.violations()
	confirmed, takeovers := 0, uint64(0)
	for _, r := range j.reads {
		if r.confirmed {
			confirmed++
		}
	}
	leaders := 0
	for _, s := range fleet {
		status := s.relay.Status()
		takeovers += status.Takeovers
		if status.Leading {
			leaders++
		}
	}
	t.Logf("%d reads, %d of them confirmed, %d failed; %d takeovers", len(j.reads), confirmed, j.failures, takeovers)
	assert.Empty(t, violations[:min(len(violations), 5)], "of %d", len(violations))
	assert.Greater(t, confirmed, len(j.reads)/10, "confirmed reads are what is tested")
	assert.LessOrEqual(t, leaders, 1)
	took := fleetLatency(t, fleet, at)
	t.Logf("a write is seen by the last of %d after %v in the median, %v at most of %d", len(fleet), took[len(took)/2], took[len(took)-1], len(took))
}

// fleetLatency measures how long it takes from a commit until the last sidecar gives the new record.
func fleetLatency(t *testing.T, fleet []*sidecar, at server) (took []time.Duration) {
	conn := servertest.Connect(t, at.database)
	number := 1_000_000
	for range 20 {
		number++
		id := fmt.Sprint("u", number%*fleetUser)
		for _, s := range fleet {
			_, _, _ = s.read(t.Context(), id) // so that most have it
		}
		_, err := conn.Exec(t.Context(), "UPDATE users SET family = $1 WHERE id = $2", strconv.Itoa(number), id)
		require.NoError(t, err)
		committed := time.Now()
		var asking sync.WaitGroup
		for _, s := range fleet {
			asking.Go(func() {
				for {
					got, _, err := s.read(context.Background(), id)
					if err == nil && got == number {
						return
					}
					if !assert.Less(t, time.Since(committed), servertest.Timeout) {
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		asking.Wait()
		took = append(took, time.Since(committed))
	}
	slices.Sort(took)
	return took
}
