package pgorigin

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// countedOrigin counts the organizations that are fetched, whole and in part.
type countedOrigin struct {
	*Origin
	whole, parts atomic.Int64
}

func (o *countedOrigin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	o.whole.Add(1)
	return o.Origin.Organization(ctx, location)
}

func (o *countedOrigin) Branches(ctx context.Context, root string, locations, alone []string) (*membership.RawRecord, error) {
	o.parts.Add(1)
	return o.Origin.Branches(ctx, root, locations, alone)
}

var regions = []string{"metro", "far"}

// changeLocations commits a transaction of one to three random changes in two regions. Now and then the divisions that it moves
// change while they are in the other region, and are moved back.
func changeLocations(t *testing.T, conn *pgx.Conn, r *rand.Rand, name string) {
	one := func(all ...string) string { return all[r.IntN(len(all))] }
	region, division := func() string { return one(regions...) }, func() string { return "d" + fmt.Sprint(r.IntN(6)) }
	facility := func() string { return "f" + fmt.Sprint(r.IntN(20)) }
	var sql []string
	for range 1 + r.IntN(3) {
		switch r.IntN(9) {
		case 0:
			sql = append(sql, fmt.Sprintf(`UPDATE locations SET name = '%s' WHERE id = '%s'`, name, facility()))
		case 1:
			sql = append(sql, fmt.Sprintf(`UPDATE locations SET name = '%s' WHERE id IN ('%s', '%s')`, name, one(facility(), division(), region()), facility()))
		case 2:
			sql = append(sql, fmt.Sprintf(`UPDATE locations SET parent = '%s' WHERE id = '%s'`, division(), facility()))
		case 3:
			sql = append(sql, fmt.Sprintf(`UPDATE locations SET parent = '%s' WHERE id = '%s'`, region(), division()))
		case 4:
			sql = append(sql, fmt.Sprintf(`DELETE FROM locations WHERE id = '%s'`, facility()))
		case 5:
			sql = append(sql, fmt.Sprintf(`INSERT INTO locations (id, kind, parent) VALUES ('%s', 'facility', '%s') ON CONFLICT DO NOTHING`, facility(), division()))
		case 6:
			at := division()
			sql = append(sql, fmt.Sprintf(`DELETE FROM locations WHERE parent = '%s'`, at),
				fmt.Sprintf(`INSERT INTO locations (id, kind, parent) VALUES ('%s', 'facility', '%s') ON CONFLICT (id) DO UPDATE SET parent = EXCLUDED.parent`, facility(), at))
		case 7:
			at, to := division(), regions
			sql = append(sql, fmt.Sprintf(`UPDATE locations SET parent = '%s' WHERE id = '%s'`, to[0], at),
				fmt.Sprintf(`INSERT INTO locations (id, kind, parent) VALUES ('%s', 'facility', '%s') ON CONFLICT (id) DO UPDATE SET name = '%s'`, facility(), at, name),
				fmt.Sprintf(`UPDATE locations SET parent = '%s' WHERE id = '%s'`, to[1], at))
		case 8:
			sql = append(sql, fmt.Sprintf(`UPDATE locations SET id = '%s' WHERE id = '%s' AND NOT EXISTS (SELECT FROM locations WHERE id = '%[1]s')`, facility(), facility()))
		}
	}
	err := conn.PgConn().Exec(context.Background(), "BEGIN; "+strings.Join(sql, ";")+"; COMMIT").Close()
	if err != nil { // only by the other writers
		assert.Regexp(t, "deadlock detected|duplicate key", err.Error(), sql)
		assert.NoError(t, conn.PgConn().Exec(context.Background(), "ROLLBACK").Close())
	}
}

func fillRegions(t *testing.T, server *servertest.Postgres) (*countedOrigin, *pgx.Conn) {
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers("")))
	servertest.Exec(t, conn, `INSERT INTO locations (id, kind, model) VALUES ('far', 'region', 'regional')`)
	servertest.Exec(t, conn, `INSERT INTO locations (id, kind, parent) SELECT 'd' || i, 'division', CASE WHEN i % 2 = 0 THEN 'metro' ELSE 'far' END FROM generate_series(0, 5) i`)
	servertest.Exec(t, conn, `INSERT INTO locations (id, kind, parent) SELECT 'f' || i, 'facility', 'd' || i % 6 FROM generate_series(0, 14) i`)
	return &countedOrigin{Origin: p}, conn
}

func openConfirmed(t *testing.T, o membership.Origin) *cache.Cache {
	c := openCache(t, cache.Config{Origin: o, FetchTimeout: fixture.Timeout, TTL: time.Hour})
	require.Eventually(t, func() bool { return c.Status().Confirmed }, fixture.Timeout, 5*time.Millisecond)
	return c
}

// cachedTree returns the locations of an organization, and the version of all of them.
func cachedTree(t *testing.T, c *cache.Cache, root string) (string, uint64) {
	v, err := c.View(context.Background(), facts.Requirement{})
	require.NoError(t, err)
	all, err := v.Locations(context.Background(), facts.LocationQuery{Beneath: root, Limit: 1 << 20})
	require.NoError(t, err)
	var records []facts.LocationRecord
	for _, l := range all {
		records = append(records, l.Record())
		found, err := v.Location(context.Background(), l.ID())
		require.NoError(t, err)
		require.Same(t, l, found)
		require.Equal(t, root, l.Organization())
	}
	return fmt.Sprint(records), v.OrganizationFreshness(all[0].Root()).Version
}

// fetchedTree returns what cachedTree should return.
func fetchedTree(t *testing.T, p *Origin, root string) (string, uint64) {
	raw, err := p.Organization(context.Background(), root)
	require.NoError(t, err)
	var records []facts.LocationRecord
	require.NoError(t, json.Unmarshal(raw.Record, &records))
	return fmt.Sprint(records), raw.Version
}

// After any changes, what is made of the parts that have changed is what is fetched as a whole.
func postgresBranches(t *testing.T, server *servertest.Postgres) {
	o, conn := fillRegions(t, server)
	c := openConfirmed(t, o)
	for _, root := range regions {
		cachedTree(t, c, root)
	}
	r := rand.New(rand.NewPCG(5, 5))
	before := o.whole.Load()
	for i := range 200 {
		for range 1 + r.IntN(3) {
			changeLocations(t, conn, r, fmt.Sprint("name ", i))
		}
		for _, root := range regions {
			want, version := fetchedTree(t, o.Origin, root)
			require.Eventually(t, func() bool {
				got, is := cachedTree(t, c, root)
				if is == version {
					require.Equal(t, want, got, "in version %d", version)
				}
				return is == version
			}, fixture.Timeout, time.Millisecond)
		}
	}
	assert.Greater(t, o.parts.Load(), int64(100))
	assert.Less(t, o.whole.Load()-before, o.parts.Load()/10, "on a busy machine what is announced can arrive too late")
}

// openFleet opens sidecars that share a Redis. One of them listens for all, and any may fetch what the others use.
func openFleet(t *testing.T, size int, o *countedOrigin) (sidecars []*cache.Cache) {
	redis := servertest.StartRedis(t)
	for range size {
		one := &countedOrigin{Origin: openOrigin(t, Config{URL: o.listenAt.url, Listen: DefaultChannel, Heartbeat: o.heartbeat, Silence: fixture.Timeout})}
		store, err := redisstore.Open(redisstore.Config{URL: redis.URL(), Timeout: time.Second, Lease: fleetLease})
		require.NoError(t, err)
		var opened atomic.Pointer[cache.Cache]
		r := relay.New(relay.Config{Watcher: one, Stream: store, Election: store, Lease: fleetLease, Announcing: func(changes []pdp.Change) {
			if c := opened.Load(); c != nil {
				c.Announcing(changes)
			}
		}})
		opened.Store(openCache(t, cache.Config{Origin: relayed{one, r}, Store: store, Stream: r, Lease: fleetLease,
			FetchTimeout: fixture.Timeout, TTL: time.Hour, Leads: func() bool { return r.Status().Leading }}))
		sidecars = append(sidecars, opened.Load())
	}
	for _, c := range sidecars {
		require.Eventually(t, func() bool { return c.Status().Confirmed }, fixture.Timeout, 5*time.Millisecond)
	}
	return sidecars
}

const fleetLease = 2 * time.Second // longer than by default, for a busy machine

// relayed is an origin that another sidecar may listen to.
type relayed struct {
	*countedOrigin
	relay *relay.Relay
}

func (o relayed) Watch(ctx context.Context, h membership.ChangeHandler) { o.relay.Watch(ctx, h) }

// While others write, each version that a sidecar gives is what the tables had in that version, whichever sidecar fetched the parts.
func postgresBranchesOfManyWriters(t *testing.T, server *servertest.Postgres) {
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			o, _ := fillRegions(t, server)
			if size == 1 {
				compareBranches(t, o, openConfirmed(t, o))
				assert.Greater(t, o.parts.Load(), o.whole.Load())
				return
			}
			sidecars := openFleet(t, size, o)
			compareBranches(t, o, sidecars...)
			var found uint64
			for _, c := range sidecars {
				found += c.Status().FromShared
			}
			assert.Greater(t, found, uint64(50), "that others fetched")
		})
	}
}

func compareBranches(t *testing.T, o *countedOrigin, sidecars ...*cache.Cache) {
	var written sync.WaitGroup
	var enough atomic.Bool
	defer written.Wait() // also if the test fails
	for w := range 3 {
		conn, r := servertest.Connect(t, o.listenAt.url), rand.New(rand.NewPCG(uint64(w), 7))
		servertest.Exec(t, conn, "SET deadlock_timeout = '20ms'")
		written.Go(func() {
			for i := 0; i < 150 || !enough.Load() && i < 5000; i++ {
				changeLocations(t, conn, r, fmt.Sprintf("name %d of %d", i, w))
				time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond)
			}
		})
	}
	done := make(chan struct{})
	go func() { written.Wait(); close(done) }()
	type state struct {
		root    string
		version uint64
	}
	fetched, cached, read := map[state]string{}, map[state]string{}, 0
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		for _, root := range regions {
			for _, c := range sidecars {
				got, version := cachedTree(t, c, root)
				if before, known := cached[state{root, version}]; known {
					require.Equal(t, before, got, "%s in version %d", root, version)
				}
				cached[state{root, version}] = got
			}
			want, version := fetchedTree(t, o.Origin, root)
			if at := (state{root, version}); fetched[at] == "" && cached[at] != "" {
				read++
			}
			fetched[state{root, version}] = want
			enough.Store(read > 60)
		}
	}
	compared := 0
	for at, want := range fetched {
		if got, known := cached[at]; known {
			require.Equal(t, want, got, "%v", at)
			compared++
		}
	}
	t.Logf("%d versions fetched, %d cached, %d compared", len(fetched), len(cached), compared)
	assert.Greater(t, compared, 50)
}

// A change that is announced again, as by the standby when it begins to lead, is fetched once for all, although it is in what each has.
func postgresBranchesTwice(t *testing.T, server *servertest.Postgres) {
	o, conn := fillRegions(t, server)
	sidecars := openFleet(t, 4, o)
	time.Sleep(fleetLease + fleetLease/4) // until what others fetch, whose clocks may differ by a lease, is of after the beginning
	listening := servertest.Connect(t, o.listenAt.url)
	servertest.Exec(t, listening, "LISTEN "+DefaultChannel)
	servertest.Exec(t, conn, "UPDATE locations SET name = 'again' WHERE id = 'f0'")
	told, err := listening.WaitForNotification(t.Context())
	require.NoError(t, err)
	current := func() {
		want, version := fetchedTree(t, o.Origin, "metro")
		var reading sync.WaitGroup
		defer reading.Wait()
		for _, c := range sidecars {
			reading.Go(func() {
				assert.Eventually(t, func() bool {
					got, is := cachedTree(t, c, "metro")
					return got == want && is == version
				}, fixture.Timeout, time.Millisecond)
			})
		}
	}
	fetches := func() (all uint64) {
		for _, c := range sidecars {
			all += c.Status().FromOrigin
		}
		return all
	}
	current()
	for range 5 {
		before, shared := fetches(), sidecars[0].Status().FromShared
		servertest.Exec(t, conn, "SELECT pg_notify('"+DefaultChannel+"', '"+told.Payload+"')")
		require.Eventually(t, func() bool {
			current()
			return sidecars[0].Status().FromShared > shared || fetches() > before
		}, fixture.Timeout, time.Millisecond)
		time.Sleep(fleetLease / 10)
		current()
		assert.LessOrEqual(t, fetches()-before, uint64(1))
	}
}

// A location that is new, moved or gone is found where it is without fetching any organization as a whole.
func postgresBranchesOfOne(t *testing.T, server *servertest.Postgres) {
	o, conn := fillRegions(t, server)
	c := openConfirmed(t, o)
	for _, root := range regions {
		cachedTree(t, c, root)
	}
	before := o.whole.Load()
	organizationOf := func(id string) string {
		v, err := c.View(context.Background(), facts.Requirement{})
		require.NoError(t, err)
		l, err := v.Location(context.Background(), id)
		require.NoError(t, err)
		if l == nil {
			return ""
		}
		return l.Organization()
	}
	for _, change := range []struct {
		sql, location, organization string
		whole                       int64
	}{
		{`INSERT INTO locations (id, kind, parent) VALUES ('new', 'facility', 'd0')`, "new", "metro", 0},
		{`UPDATE locations SET parent = 'd1' WHERE id = 'new'`, "new", "far", 0},
		{`UPDATE locations SET parent = 'metro' WHERE id = 'd1'`, "new", "metro", 0},
		{`DELETE FROM locations WHERE id = 'new'`, "new", "", 1}, // the tables are asked whether it is anywhere
	} {
		require.NotEqual(t, change.organization, organizationOf(change.location))
		asked := o.whole.Load()
		servertest.Exec(t, conn, change.sql)
		require.Eventually(t, func() bool { return organizationOf(change.location) == change.organization }, fixture.Timeout, time.Millisecond, change.sql)
		assert.LessOrEqual(t, o.whole.Load()-asked, change.whole, change.sql)
	}
	assert.Less(t, o.whole.Load()-before, int64(3))
	servertest.Exec(t, conn, `UPDATE locations SET name = 'Metro 2' WHERE id = 'metro'`)
	raw, err := o.Branches(context.Background(), "metro", []string{"d1", "d4", "nowhere"}, []string{"f4", "metro", "nowhere", "d3"})
	require.NoError(t, err)
	var found []facts.LocationRecord
	require.NoError(t, json.Unmarshal(raw.Record, &found))
	var located []string
	for _, l := range found {
		located = append(located, l.ID)
	}
	require.Equal(t, []string{"d1", "d4", "f1", "f10", "f13", "f4", "f7", "metro"}, located, "d3 is elsewhere")
	ids := []string{"f1", "d0", "nowhere"}
	slices.Sort(ids)
	raw, err = o.Branches(context.Background(), "nowhere", ids, nil)
	require.NoError(t, err)
	require.Nil(t, raw)
	raw, err = o.Branches(context.Background(), "d0", ids, nil)
	require.NoError(t, err)
	require.Nil(t, raw, "no root")
	raw, err = o.Branches(context.Background(), "far", ids, nil)
	require.NoError(t, err)
	require.Equal(t, "[]", string(raw.Record))
}
