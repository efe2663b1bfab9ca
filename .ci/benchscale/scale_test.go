package benchscale

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
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
	asked = flag.Int("asked", 200, "how many users are asked about, and how often each list is asked for")
)

func TestScale(t *testing.T) {
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%6.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	binary := build(t)
	r := &report{}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		t.Run(text, func(t *testing.T) { measure(t, r, binary, n, say) })
		if *out == "" {
			continue
		}
		require.NoError(t, os.WriteFile(filepath.Join(*out, "scale.md"), []byte(r.table()), 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(*out, "scale.svg"), []byte(r.picture()), 0o666))
	}
	fmt.Fprint(os.Stderr, r.table())
	require.NotEmpty(t, r.figures)
}

// measure measures a region of n users: what a sidecar takes for questions whose facts it has, that Redis has and that the database has,
// for pages of the user list, and its memory.
func measure(t *testing.T, r *report, binary string, n int, say func(string, ...any)) {
	redis := servertest.StartRedis(t)
	database := servertest.StartPostgres(t).Database()
	say("%d users: filling PostgreSQL", n)
	w := fill(t, binary, database, n)

	r.add(n, "locations", 0, float64(w.locations))
	first := serve(t, binary, "--directory", database, "--redis", redis.URL())
	require.NoError(t, first.decide(1)) // the administrator and the region
	before, cached := usedMemory(t, redis), first.cached(t)
	say("%d users: asking about %d of them", n, w.asked)
	r.latencies(n, "decision, facts from PostgreSQL", 0, first.ask(t, w, 0))
	r.add(n, "bytes of a cached user", 0, (first.cached(t)-cached)/float64(w.asked))
	r.add(n, "bytes of a user in Redis", 0, float64(usedMemory(t, redis)-before)/float64(w.asked))
	r.latencies(n, "decision, facts in memory", 0, first.ask(t, w, 0))
	r.add(n, "decisions per second, facts in memory", 0, first.saturate(t, w, 8, time.Second))
	r.latencies(n, "the first decision after a location has changed", 0, first.change(t, database))
	second := serve(t, binary, "--directory", database, "--redis", redis.URL())
	r.latencies(n, "decision, facts from Redis", 0, second.ask(t, w, 0))

	say("%d users: reading lists", n)
	for _, l := range []struct {
		name string
		aim  float64
		list list
	}{
		{"first page of 100", 20, list{}},
		{"text that nobody has, page of 100", 50, list{query: "nobody has this"}},
		{"text that few have, page of 100", 50, list{query: w.rareName}},
		{"text that one in a hundred has, page of 100", 50, list{query: "given42"}},
		{"who can be reactivated, page of 100", 100, list{action: "user.reactivate"}},
		{"whose assignment at the region can be removed, which is nobody", 100, list{action: "assignment.remove"}},
		{"a facility's users, page of 100", 100, list{location: w.facility}},
	} {
		r.latencies(n, l.name, l.aim, first.lists(t, w, l.list))
	}
	pages := first.walk(t, w)
	r.add(n, "pages of 1,000: the first, ms", 0, milliseconds(pages[0]))
	r.add(n, "pages of 1,000: in the middle, ms", 0, milliseconds(pages[len(pages)/2]))
	r.add(n, "pages of 1,000: the last, ms", 0, milliseconds(pages[len(pages)-1]))
	r.add(n, "largest resident set, questions only, MB", 200, second.resident(t))
	r.add(n, "largest resident set, with the lists, MB", 200, first.resident(t))
	if n <= largestFile {
		say("%d users: loading them from a file", n)
		r.add(n, "start with all users in a file, s", 0, load(t, binary, n).Seconds())
	}
}

// largestFile is the largest directory that is measured as a file.
const largestFile = 200_000

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func usedMemory(t *testing.T, redis *servertest.Redis) int {
	info, err := redis.Client().Info(context.Background(), "memory").Result()
	require.NoError(t, err)
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			n, err := strconv.Atoi(text)
			require.NoError(t, err)
			return n
		}
	}
	t.Fatal("Redis does not say how much memory it uses")
	return 0
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
