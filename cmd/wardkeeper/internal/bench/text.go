package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

const barWidth = 40 // characters of the longest bar

// Text formats the result for people.
func (r *Result) Text() string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", label, terminal.Printable(fmt.Sprintf(format, args...)))
	}
	number := func(n int) string { return terminal.Number(int64(n)) }
	line("requests", "%s answered in %.1f s, %s a second", number(r.Requests), r.Seconds, terminal.Number(int64(r.PerSecond+0.5)))
	if r.NotSent > 0 {
		line("NOT SENT", "%s were due and could not begin: the server does not keep up, or --concurrency is too low", number(r.NotSent))
	}
	for _, failure := range slices.Sorted(maps.Keys(r.Failed)) {
		line("FAILED", "%s: %s, such as: %s", number(r.Failed[failure].Requests), failure, r.Failed[failure].Example)
	}
	line("decisions", "%s allowed, %s denied, %s errors; %s found by searches", number(r.Allowed), number(r.Denied), number(r.Errors), number(r.Found))
	b.WriteString("\n")
	rows := [][]string{latencyRow("all", r.Latency)}
	for _, kind := range Kinds() {
		if l, ok := r.ByKind[kind]; ok && len(r.ByKind) > 1 {
			rows = append(rows, latencyRow(kind, l))
		}
	}
	b.WriteString(terminal.Table([]string{"latency", "requests", "mean", "p50", "p90", "p99", "p99.9", "max"}, rows))
	b.WriteString("\n" + r.picture())
	return b.String()
}

func latencyRow(name string, l Latency) []string {
	row := []string{name, terminal.Number(l.Requests)}
	for _, seconds := range []float64{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
		row = append(row, milliseconds(seconds))
	}
	return row
}

func milliseconds(seconds float64) string {
	switch ms := seconds * 1000; {
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.0f ms", ms)
	}
}

// picture draws a bar for each range of latencies.
func (r *Result) picture() string {
	var greatest int64
	for _, bar := range r.Histogram {
		greatest = max(greatest, bar.Requests)
	}
	var b strings.Builder
	for _, bar := range r.Histogram {
		width := int(bar.Requests * barWidth / max(1, greatest))
		drawn := strings.Repeat("█", width)
		if width == 0 && bar.Requests > 0 {
			drawn = "▏"
		}
		upTo := time.Duration(bar.UpTo*1e6) * time.Microsecond
		share := 100 * float64(bar.Requests) / float64(max(1, r.Latency.Requests))
		fmt.Fprintf(&b, "%12s  %-*s  %5.1f %%\n", "up to "+upTo.String(), barWidth, drawn, share)
	}
	return b.String()
}
