package benchfleet

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// phaseReport is what was measured in one phase.
type phaseReport struct {
	name            string
	connections     samples
	crowd           string // what the connections were for when there were most
	revocations     []time.Duration
	took            time.Duration
	fetches         float64       // questions to the database
	waits, overdue  float64       // for what another sidecar fetched
	processor       time.Duration // of all sidecars
	load            string
	reads, failures int
	vouched         int // of the reads
	terms           float64
}

type samples []int

func (s samples) median() int { return s.at(0.5) }

func (s samples) at(q float64) int {
	if len(s) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(s))[min(int(q*float64(len(s))), len(s)-1)]
}

type report struct{ phases []*phaseReport }

// measure measures what happens meanwhile.
func (f *fleet) measure(began time.Time, name string, revokes bool, do func()) {
	say(began, "%s", name)
	p := &phaseReport{name: name, load: loadAverage()}
	before, term := map[*sidecar]counters{}, f.term()
	for _, s := range f.sidecars {
		before[s] = f.counters(s)
	}
	reads, vouched, failures := f.history.counts()
	ctx, cancel := context.WithCancel(f.t.Context())
	counting, writer := f.counting, f.revoking
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; revokes && ctx.Err() == nil; n++ {
			if took, ok := f.revoke(f.t.Context(), writer, fmt.Sprint("a", n%administrators)); ok {
				p.revocations = append(p.revocations, took)
			}
			wait(ctx, *revoking)
		}
	}()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for wait(ctx, 100*time.Millisecond) {
			var n int
			err := counting.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
				AND backend_type = 'client backend' AND application_name <> 'harness'`).Scan(&n)
			assert.NoError(f.t, err)
			if n > p.connections.at(1) {
				p.crowd = f.crowd()
			}
			p.connections = append(p.connections, n)
		}
	}()
	started := time.Now()
	do()
	cancel()
	<-done
	<-counted
	p.took = time.Since(started)
	for _, s := range f.sidecars {
		if s.away.Load() { // it is not counted at all
			continue
		}
		now, was := f.counters(s), before[s]
		p.fetches, p.waits, p.overdue = p.fetches+now.fetches-was.fetches, p.waits+now.waits-was.waits, p.overdue+now.overdue-was.overdue
		p.processor += now.processor - was.processor
	}
	readsNow, vouchedNow, failuresNow := f.history.counts()
	p.reads, p.vouched, p.failures, p.terms = readsNow-reads, vouchedNow-vouched, failuresNow-failures, f.term()-term
	f.report.phases = append(f.report.phases, p)
	say(began, "   at the most: %s", p.crowd)
	say(began, "   %d connections in the median, %d at most; %.2f processors; %.1f questions to the database a second", p.connections.median(), p.connections.at(1),
		p.processor.Seconds()/p.took.Seconds(), p.fetches/p.took.Seconds())
}

// crowd says what the connections are for: how many have asked last, or are asking, which question, and of how many sidecars.
func (f *fleet) crowd() (all string) {
	err := f.counting.QueryRow(context.Background(), `SELECT coalesce(string_agg(format('%s of %s sidecars: %s', n, sidecars, question), '; ' ORDER BY n DESC), '') FROM (
		SELECT count(*) AS n, count(DISTINCT application_name) AS sidecars, CASE WHEN query ~ '^(LISTEN|NOTIFY|WITH t AS)' THEN 'listening'
			WHEN query LIKE '%up(start, %' THEN 'parts of an organization' WHEN query LIKE '%up(id, %' THEN 'an organization'
			WHEN query LIKE 'SELECT l.id%' THEN 'readiness' WHEN query LIKE 'SELECT CASE WHEN octet_length%' THEN 'a user' ELSE left(query, 60) END AS question
		FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'harness' GROUP BY 3) one`).Scan(&all)
	assert.NoError(f.t, err)
	return all
}

// counters count what one sidecar has done.
type counters struct {
	fetches, waits, overdue float64
	processor               time.Duration
}

func (f *fleet) counters(s *sidecar) counters {
	if s.away.Load() {
		return counters{}
	}
	return counters{
		s.metric(`wardkeeper_membership_facts_total{tier="origin"}`), s.metric(`wardkeeper_membership_fetch_waits_total{outcome="shared"}`),
		s.metric(`wardkeeper_membership_fetch_waits_total{outcome="overdue"}`), servertest.ProcessorTime(f.t, s.Process.Pid),
	}
}

// term returns how often a sidecar has begun to lead.
func (f *fleet) term() (most float64) {
	for _, s := range f.sidecars {
		if !s.away.Load() {
			most = max(most, s.metric("wardkeeper_membership_leader_term"))
		}
	}
	return most
}

// calculated returns how many connections n sidecars need where so many were needed in the mean by those that were measured. A
// connection is opened by a fetch, and kept a while. With few sidecars two fetches often use the same one.
func calculated(mean float64, measured, n int) (expected, seldomMore float64) {
	one := 1 - (mean-1)/float64(measured) // but the one that listens
	busy := -float64(measured) * math.Log(max(one, 1/float64(10*measured)))
	expected = float64(n)*(1-math.Exp(-busy/float64(n))) + 1
	return expected, expected + 3.1*math.Sqrt(expected-1)
}

func (s samples) mean() (sum float64) {
	for _, n := range s {
		sum += float64(n) / float64(len(s))
	}
	return sum
}

func (r *report) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	row := func(name string, value func(p *phaseReport) string) {
		cells := []string{name}
		for _, p := range r.phases {
			cells = append(cells, value(p))
		}
		fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| "))
	}
	row("", func(p *phaseReport) string { return p.name })
	row("---", func(*phaseReport) string { return "---:" })
	row("connections: median", func(p *phaseReport) string { return fmt.Sprint(p.connections.median()) })
	row("connections: 99 %, most", func(p *phaseReport) string {
		return fmt.Sprintf("%d, %d of %d looks", p.connections.at(0.99), p.connections.at(1), len(p.connections))
	})
	row("the same for 1,000, calculated: mean, 99.9 %", func(p *phaseReport) string {
		expected, most := calculated(p.connections.mean(), *size, 1000)
		return fmt.Sprintf("%.0f, %.0f", expected, most)
	})
	row("questions to the database, 1/s", func(p *phaseReport) string { return fmt.Sprintf("%.1f", p.fetches/p.took.Seconds()) })
	row("waited for another's fetch, 1/s; in vain", func(p *phaseReport) string {
		return fmt.Sprintf("%.1f; %.0f", p.waits/p.took.Seconds(), p.overdue)
	})
	row("revocation at the last: p50, p99, most, ms", func(p *phaseReport) string {
		all := slices.Sorted(slices.Values(p.revocations))
		at := func(q float64) int64 {
			if len(all) == 0 {
				return 0
			}
			return all[min(int(q*float64(len(all))), len(all)-1)].Milliseconds()
		}
		return fmt.Sprintf("%d, %d, %d of %d", at(0.5), at(0.99), at(1), len(all))
	})
	row("times that another sidecar began to lead", func(p *phaseReport) string { return fmt.Sprint(p.terms) })
	row("facts read, 1/s; confirmed, %; answers that failed", func(p *phaseReport) string {
		return fmt.Sprintf("%.0f; %.1f; %d", float64(p.reads)/p.took.Seconds(), 100*float64(p.vouched)/float64(max(p.reads, 1)), p.failures)
	})
	row("processors that the sidecars use; load average", func(p *phaseReport) string {
		return fmt.Sprintf("%.2f; %s", p.processor.Seconds()/p.took.Seconds(), p.load)
	})
	_ = w.Flush()
	return b.String()
}

// loadAverage says how busy the machine is with everything.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	return strings.Fields(string(data))[0]
}
