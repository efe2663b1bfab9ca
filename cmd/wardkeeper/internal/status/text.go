package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// advice says what it means that something is missing, by the names of /ready.
var advice = map[string]string{
	"policy":         "no valid policy, or it is older than max_age",
	"directory":      "the source of facts cannot be reached, or has no locations",
	"decision_log":   "records of decisions cannot be written",
	"decision_sinks": "records of decisions cannot be sent",
	"capacity":       "evaluations that nothing can stop take all places",
}

// page is a text of lines with labels. Lines about what is wrong begin with "!".
type page struct{ strings.Builder }

func (p *page) line(wrong bool, label, format string, args ...any) {
	mark := " "
	if wrong {
		mark = "!"
	}
	fmt.Fprintf(p, "%s %-13s %s\n", mark, label, terminal.Printable(fmt.Sprintf(format, args...)))
}

// Text formats the report for people.
func (r *Report) Text() string {
	var p page
	head := strings.ToUpper(r.State) + "  " + r.Server
	if r.Version != "" {
		head += ", wardkeeper " + r.Version
	}
	if r.Uptime > 0 {
		head += ", up " + lasted(r.Uptime)
	}
	p.WriteString(terminal.Printable(head) + "\n")
	if r.Error != "" {
		p.line(true, "error", "%s", r.Error)
	}
	for _, name := range r.Missing {
		p.line(true, "missing", "%s: %s", name, advice[name])
	}
	if r.State == Stopping {
		p.line(true, "stopping", "it was told to stop, and answers until it does")
	}
	r.policyLines(&p)
	r.factLines(&p)
	r.workLines(&p)
	r.storageLines(&p)
	for _, why := range r.Hidden {
		p.line(false, "not known", "%s", why)
	}
	return p.String()
}

// builtIn is the source of the built-in policy.
const builtIn = "built-in"

func (r *Report) policyLines(p *page) {
	s := r.Policy
	if s == nil {
		return
	}
	if s.ID != "" {
		text := fmt.Sprintf("%.12s", s.ID)
		if s.Label != "" {
			text += " " + s.Label
		}
		if s.Sequence > 0 {
			text += fmt.Sprintf(", release %d", s.Sequence)
		}
		if s.Source == builtIn {
			text += ", " + builtIn
		}
		text += ", " + s.Evaluator
		if !s.Activated.IsZero() {
			text += ", active for " + r.since(s.Activated)
		}
		if !s.Confirmed.IsZero() {
			text += ", confirmed " + r.since(s.Confirmed) + " ago"
		}
		p.line(false, "policy", "%s", text)
		if s.Source != builtIn {
			p.line(false, "", "from %s%s", s.Source, prefixed(", signed by ", s.SignedBy))
		}
	}
	if s.Because != "" {
		p.line(true, "policy", "interpreted, which is slower: %s", s.Because)
	}
	if s.Stale {
		p.line(true, "policy", "stale: its source has not confirmed it for max_age, and nothing is decided")
	}
	if s.FromDisk {
		p.line(true, "policy", "from disk: its source has not confirmed it since the start")
	}
	r.attemptLine(p, "the newest bundle is refused", s.Refused)
	if s.Attempt != nil && s.Attempt.Reason != "" && (s.Refused == nil || *s.Refused != *s.Attempt) {
		r.attemptLine(p, "the last attempt to get another came to nothing", s.Attempt)
	}
}

func (r *Report) attemptLine(p *page, what string, a *httpapi.PolicyAttempt) {
	if a == nil {
		return
	}
	text := fmt.Sprintf("%s: %s, %s ago", what, a.Reason, r.since(a.At))
	if a.Message != "" {
		text += ": " + a.Message
	}
	p.line(true, "policy", "%s", text)
}

// feeds say by which channel changes are heard.
var feeds = map[string]string{"stream": "Redis", "listen": "PostgreSQL"}

// tiers say where facts were found.
var tiers = []struct{ label, name string }{{"memory", "memory"}, {"shared", "Redis"}, {"origin", "the source"}}

func (r *Report) factLines(p *page) {
	f := r.Facts
	switch {
	case f == nil:
		return
	case f.File:
		p.line(false, "facts", "a directory file with %s users, loaded %s ago", count(f.Users), lasted(f.Age))
		if f.ReloadFailures > 0 {
			p.line(true, "facts", "%s changes of the file were refused%s: wardkeeper directory check", count(f.ReloadFailures), r.window())
		}
		return
	case f.ByTier != nil:
		var parts []string
		total := 0.0
		for _, n := range f.ByTier {
			total += n
		}
		for _, tier := range tiers {
			if n := f.ByTier[tier.label]; n > 0 {
				parts = append(parts, fmt.Sprintf("%.1f %% from %s", 100*n/total, tier.name))
			}
		}
		p.line(false, "facts", "%s records in memory (%s)%s%s", count(f.Records), size(f.Bytes), prefixed("; ", strings.Join(parts, ", ")), r.windowIf(len(parts) > 0))
	}
	switch {
	case f.Vouched == nil:
	case *f.Vouched:
		p.line(false, "", "vouched: changes are heard of, last %s ago", lasted(f.Heard))
	default:
		p.line(true, "facts", "not vouched: changes are not heard of, and facts are fetched more often%s", prefixed("; missing: ", strings.Join(f.Unproven, ", ")))
	}
	for _, feed := range slices.Sorted(maps.Keys(f.Feeds)) {
		if !f.Feeds[feed] {
			p.line(true, feeds[feed], "changes are not heard of (%s)", feed)
		} else {
			p.line(false, feeds[feed], "changes are heard of (%s)", feed)
		}
	}
	if f.OriginFailures+f.OriginLagging+f.Fallbacks > 0 {
		p.line(r.Interval > 0, "source", "%s questions not answered, %s answers too old, %s facts served nevertheless by their age%s",
			count(f.OriginFailures), count(f.OriginLagging), count(f.Fallbacks), r.window())
	}
	if f.SharedLost+f.SharedRefused+f.FeedBreaks > 0 {
		p.line(r.Interval > 0, "channels", "broken %s times, %s values not taken by Redis, %s of Redis dropped%s",
			count(f.FeedBreaks), count(f.SharedLost), count(f.SharedRefused), r.window())
	}
	if f.Quarantined > 0 {
		ids := f.QuarantinedIDs[:min(5, len(f.QuarantinedIDs))]
		p.line(true, "quarantine", "%s records break a rule of the directory%s", count(f.Quarantined), prefixed(": ", strings.Join(ids, ", ")))
	}
}

func (r *Report) workLines(p *page) {
	if q := r.Requests; q != nil {
		text := r.rate(q.Count)
		if q.Count > 0 {
			text += fmt.Sprintf("; half within %s, 99 %% within %s", bound(q.Median), bound(q.P99))
		}
		p.line(false, "requests", "%s%s", text, r.window())
		var failed []string
		for _, status := range slices.Sorted(maps.Keys(q.Failed)) {
			failed = append(failed, status+": "+r.rate(q.Failed[status]))
		}
		if len(failed) > 0 {
			p.line(r.Interval > 0, "", "not 200: %s", strings.Join(failed, ", "))
		}
	}
	if d := r.Decisions; d != nil {
		p.line(r.Interval > 0 && d.Errors > 0, "decisions", "allowed %s, denied %s, errors %s", r.rate(d.Allowed), r.rate(d.Denied), r.rate(d.Errors))
	}
	if a := r.Admission; a != nil {
		var parts []string
		for _, reason := range slices.Sorted(maps.Keys(a.Refused)) {
			parts = append(parts, reason+": "+r.rate(a.Refused[reason]))
		}
		if a.Overdue > 0 {
			parts = append(parts, "overdue: "+r.rate(a.Overdue))
		}
		if a.Connections > 0 {
			parts = append(parts, "connections dropped: "+r.rate(a.Connections))
		}
		if len(parts) == 0 {
			parts = []string{"nothing was turned away"}
		}
		p.line(r.Interval > 0 && len(a.Refused) > 0, "admission", "%s", strings.Join(parts, ", "))
	}
}

func (r *Report) storageLines(p *page) {
	if k := r.FleetKey; k != nil {
		text := strings.Join(k.Signs, ", ") + " signs" + prefixed(", also verified: ", strings.Join(k.Verifies, ", "))
		var parts []string
		for _, what := range slices.Sorted(maps.Keys(k.Refused)) {
			parts = append(parts, what+": "+r.rate(k.Refused[what]))
		}
		p.line(r.Interval > 0 && len(parts) > 0, "fleet key", "%s%s", text, prefixed("; not verified: ", strings.Join(parts, ", ")))
	}
	if d := r.DecisionLog; d != nil {
		if d.Failing {
			p.line(true, "decision log", "records cannot be written")
		}
		lag := time.Duration(d.Lag * float64(time.Second)).Round(time.Millisecond)
		p.line(r.Interval > 0 && d.Lost > 0, "decision log", "%s written, %s lost; %s records wait, the oldest for %s; files of %s",
			r.rate(d.Records), count(d.Lost), count(d.Queued), lag, size(d.Bytes))
	}
	for _, s := range r.Sinks {
		text := fmt.Sprintf("%s: %s sent, %s lost; %s records behind", s.Name, r.rate(s.Records), count(s.Lost), count(s.Behind))
		if s.Failing {
			text += ", the oldest for " + lasted(s.Lag) + ": it takes none, the log says why"
		}
		p.line(s.Failing || r.Interval > 0 && s.Lost > 0, "sink", "%s", text)
	}
	if r.LogDropped > 0 {
		p.line(r.Interval > 0, "log", "%s lines dropped%s", count(r.LogDropped), r.window())
	}
	if u := r.Process; u != nil {
		text := size(u.Resident) + " resident"
		if r.Interval > 0 {
			text += fmt.Sprintf(", %.0f %% of a processor", 100*u.CPU/r.Interval)
		}
		text += fmt.Sprintf(", %s goroutines", count(u.Goroutines))
		if u.MaxFiles > 0 {
			text += fmt.Sprintf(", %s of %s files open", count(u.Files), count(u.MaxFiles))
		}
		p.line(u.MaxFiles > 0 && u.Files > 0.9*u.MaxFiles, "process", "%s", text)
	}
	if c := r.Certificate; c != nil {
		left := c.NotAfter.Sub(r.At)
		text := fmt.Sprintf("expires in %s: %s", lasted(left.Seconds()), strings.Join(append([]string{c.Subject}, c.Names...), ", "))
		p.line(left < 7*24*time.Hour, "certificate", "%s", text)
	}
}

// rate formats what was counted: per second of the interval, or the number since the start.
func (r *Report) rate(n float64) string {
	if r.Interval <= 0 {
		return count(n)
	}
	return perSecond(n / r.Interval)
}

func perSecond(n float64) string {
	if n >= 10 || n == 0 {
		return count(n) + "/s"
	}
	return fmt.Sprintf("%.1f/s", n)
}

// window says in which time something was counted.
func (r *Report) window() string {
	if r.Interval <= 0 {
		return ", since the start"
	}
	return fmt.Sprintf(", in %.0f s", r.Interval)
}

func (r *Report) windowIf(counted bool) string {
	if !counted {
		return ""
	}
	return r.window()
}

func (r *Report) since(t time.Time) string { return lasted(r.At.Sub(t).Seconds()) }

// lasted formats a duration by its two largest units.
func lasted(seconds float64) string {
	n := int64(max(0, seconds))
	switch {
	case n >= 86400:
		return fmt.Sprintf("%d d %d h", n/86400, n%86400/3600)
	case n >= 3600:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	case n >= 60:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	}
	return fmt.Sprintf("%d s", n)
}

func bound(seconds float64) string {
	if seconds == Beyond {
		return "more than the greatest bound"
	}
	return time.Duration(seconds * float64(time.Second)).String()
}

// count formats a whole number: 12,034.
func count(n float64) string { return terminal.Number(int64(n + 0.5)) }

func size(bytes float64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.0f KiB", bytes/(1<<10))
	}
	return fmt.Sprintf("%.0f MiB", bytes/(1<<20))
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
