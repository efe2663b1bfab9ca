//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// collector names a setting of the collector.
func collector(gogc int) string {
	if gogc == ownDefault {
		return "its own default"
	}
	return fmt.Sprintf("GOGC=%d", gogc)
}

// heading is the heading of the servers with a setting of the collector.
func heading(gogc int) string {
	switch gogc {
	case ownDefault:
		return "Each with its own default"
	case 100:
		return collector(gogc) + ", the default of Go and of OPA"
	}
	return collector(gogc)
}

// table returns a Markdown document: a table for each setting of the collector, so that only servers with the same setting are
// compared.
func table(setting string, all []*server) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Decision points side by side\n\n%s\n", setting)
	for _, group := range byCollector(all) {
		fmt.Fprintf(&out, "\n## %s\n\n", heading(group[0].gogc))
		rows := tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)
		writeRow(rows, "server", "CPU µs/request", "least to most", "of echo", "of OPA", "requests/s", "p50 ms", "p99 ms", "resident MiB")
		writeRow(rows, "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:")
		for _, s := range group {
			writeRow(rows, s.title, fmt.Sprintf("%.1f", s.cpu.median()), fmt.Sprintf("%.1f to %.1f", s.cpu.least(), s.cpu.most()),
				ratio(s, group, "echo"), ratio(s, group, "opa"), count(s.rate.median()),
				fmt.Sprintf("%.2f", s.p50.median()), fmt.Sprintf("%.2f", s.p99.median()), fmt.Sprintf("%.0f", s.memory.median()))
		}
		_ = rows.Flush() // a strings.Builder does not fail
	}
	var client measured
	for _, s := range all {
		client = append(client, s.client.median())
	}
	fmt.Fprintf(&out, notes, client.least(), client.most())
	return out.String()
}

const notes = `
Figures are medians of the rounds; "of echo" and "of OPA" compare the processor time with theirs. Every server decides every question
as the golden decisions say, half of them allows, and every answer is checked. OPA gets the facts in its input, while Wardkeeper has
them; OPA writes no log. The echo handler decodes the question and encodes the prepared answer.

Processor time is that of the server's process, as the system accounts for it, while the server gets as many requests as it answers.
Sending them takes %.0f to %.0f µs more per request, on the same processors. Latencies are measured at a fixed rate, half of requests/s,
and count from the time at which a request was due.
`

// byCollector splits servers by the setting of their collector.
func byCollector(all []*server) (groups [][]*server) {
	for _, s := range all {
		i := slices.IndexFunc(groups, func(g []*server) bool { return g[0].gogc == s.gogc })
		if i < 0 {
			i = len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// writeRow writes a row of a table that is aligned for those who read the Markdown.
func writeRow(w io.Writer, cells ...string) { fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| ")) }

// ratio returns the processor time of a server in that of the named one, if that was measured.
func ratio(s *server, group []*server, name string) string {
	i := slices.IndexFunc(group, func(other *server) bool { return other.name == name })
	if i < 0 || group[i].cpu.median() == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", s.cpu.median()/group[i].cpu.median())
}

// count formats a large number: 7,310.
func count(n float64) string { return message.NewPrinter(language.English).Sprintf("%.0f", n) }
