package benchscale

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

var (
	sizes = flag.String("sizes", "1000", "numbers of users, with commas")
	out   = flag.String("out", "", "write scale.md and scale.svg to this folder")
	asked = flag.Int("asked", 40, "how many users are asked about, and how often each list is asked for")
)

func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL and Redis")
	}
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%6.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	binary := servertest.BuildWardkeeper(t)
	r := &report{folder: *out}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		t.Run(text, func(t *testing.T) { measure(t, r, binary, n, say) })
	}
	fmt.Fprint(os.Stderr, r.table())
	require.NotEmpty(t, r.figures)
}

// measure measures a region of n users: what a sidecar takes for questions whose facts it has, that Redis has and that the database has,
// for pages of the user list, and its memory.
func measure(t *testing.T, r *report, binary string, n int, say func(string, ...any)) {
	redis := servertest.StartRedis(t)
	server := servertest.StartPostgres(t, "shared_buffers=1GB")
	database := server.Database()
	say("%d users: filling PostgreSQL", n)
	w := fill(t, binary, database, n)

	r.add(n, "locations", 0, float64(w.locations))
	first, loaded := serveOver(t, binary, database, redis.URL())
	r.add(n, "the first decision, with all locations, s", 0, loaded.Seconds())
	before, cached := usedMemory(t, redis), first.cached(t)
	say("%d users: asking about %d of them", n, w.asked)
	r.latencies(n, "decision, facts from PostgreSQL", 0, first.ask(t, w, 0))
	r.add(n, "bytes of a cached user", 0, (first.cached(t)-cached)/float64(w.asked))
	r.add(n, "bytes of a user in Redis", 0, float64(usedMemory(t, redis)-before)/float64(w.asked))
	r.latencies(n, "decision, facts in memory", 0, first.ask(t, w, 0))
	r.add(n, "decisions per second, facts in memory", 0, first.saturate(t, w, 8, time.Second))
	first.confirm(t)
	for _, one := range changes {
		took := first.measure(t, server, func() []time.Duration { return first.change(t, database, one.sql...) })
		r.pages(n, "the first decision after "+one.name, 0, took)
	}
	second, _ := serveOver(t, binary, database, redis.URL())
	r.latencies(n, "decision, facts from Redis", 0, second.ask(t, w, 0))

	for _, l := range lists {
		say("%d users: %s", n, l.name)
		r.pages(n, l.name, l.aim, first.measure(t, server, func() []time.Duration { return first.again(t, l.list) }))
	}
	r.add(n, "largest resident set, questions only, MB", 200, second.resident(t))
	require.NoError(t, r.write())
	say("%d users: reading the list from its beginning to its end", n)
	first.walk(t, server, w, r, say)
	r.add(n, "largest resident set, with the lists, MB", 200, first.resident(t))
	if n <= largestFile {
		say("%d users: loading them from a file", n)
		r.add(n, "start with all users in a file, s", 0, load(t, binary, n).Seconds())
	}
	require.NoError(t, r.write())
}

// changes are kinds of changes of a location.
var changes = []struct {
	name string
	sql  []string
}{
	{"a facility was renamed", slices.Collect(func(yield func(string) bool) {
		for i := range 20 {
			yield(fmt.Sprintf(`UPDATE locations SET name = 'Facility, %d' WHERE id = 'f1'`, i))
		}
	})},
	{"a facility was moved", []string{`UPDATE locations SET parent = 'd2' WHERE id = 'f1'`, `UPDATE locations SET parent = 'd1' WHERE id = 'f1'`}},
	{"a facility was added, or deleted", []string{`INSERT INTO locations (id, kind, parent) VALUES ('new', 'facility', 'd1')`, `DELETE FROM locations WHERE id = 'new'`}},
	{"a division was renamed, with one location in 20", []string{`UPDATE locations SET name = 'Division' WHERE id = 'd1'`}},
	{"the region was renamed, with all locations", []string{`UPDATE locations SET name = 'Region' WHERE id = 'metro'`}},
}

// largestFile is the largest directory that is measured as a file.
const largestFile = 200_000

// usedMemory returns how many bytes the keys and values of a Redis take.
func usedMemory(t *testing.T, redis *servertest.Redis) (bytes int64) {
	ctx, client := context.Background(), redis.Client()
	keys := client.Scan(ctx, 0, "", 1000).Iterator()
	for keys.Next(ctx) {
		n, err := client.MemoryUsage(ctx, keys.Val()).Result()
		require.NoError(t, err)
		bytes += n
	}
	require.NoError(t, keys.Err())
	return bytes
}

func TestReportShowsFiguresAndMissedAims(t *testing.T) {
	r := &report{}
	for _, size := range []int{1000, 100000} {
		r.add(size, "pages, ms", 20, float64(size)/2000)
		r.latencies(size, "lists", 0, []time.Duration{time.Millisecond, 3 * time.Millisecond, 2 * time.Millisecond})
	}
	require.Equal(t, strings.TrimLeft(`
| users          | 1000 | 100000 | aim  |
| ---            | ---: | ---:   | ---: |
| pages, ms      | 0.5  | **50** | 20   |
| lists, p50, ms | 2    | 2      |      |
| lists, p99, ms | 3    | 3      |      |
`, "\n"), r.table())
	require.Equal(t, 3, strings.Count(r.picture(), "<polyline"))
	require.Equal(t, 1, strings.Count(r.picture(), "stroke-dasharray"))
}
