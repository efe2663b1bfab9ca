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
	for _, name := range slices.Sorted(maps.Keys(r.Causes)) {
		p.line(true, "cause", "%s: %s", name, r.Causes[name])
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
	if s.Attempt != nil && s.Attempt.Reason != "" && !sameFault(s.Attempt, s.Refused) {
		r.attemptLine(p, "the last attempt to get another came to nothing", s.Attempt)
	}
}

// sameFault reports whether an attempt has found what another one was refused for, be it at another time.
func sameFault(a, refused *httpapi.PolicyAttempt) bool {
	return refused != nil && a.Outcome == refused.Outcome && a.Reason == refused.Reason && a.Message == refused.Message
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

func (r *Report) workLines(p *page) {
	if q := r.Requests; q != nil {
		text := r.rate(q.Count)
		if q.Count > 0 {
			text += fmt.Sprintf("; half within %s, 99 %% within %s", bound(q.Median), bound(q.P99))
		}
		p.line(false, "requests", "%s%s", text, r.window())
		if len(q.Failed) > 0 {
			p.line(r.Interval > 0, "", "not 200: %s", r.listed(q.Failed))
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

func (r *Report) fleetKeyLines(p *page) {
	k := r.FleetKey
	if k == nil {
		return
	}
	text := strings.Join(k.Signs, ", ") + " signs" + prefixed(", also verified: ", strings.Join(k.Verifies, ", "))
	p.line(r.Interval > 0 && len(k.Refused) > 0, "fleet key", "%s%s", text, prefixed("; not verified: ", r.listed(k.Refused)))
	if len(k.Reasons) == 0 {
		return
	}
	advice := "another sidecar has another key or none: give all the same file"
	if k.Reasons["forged"] > 0 {
		advice = "find out who writes to Redis"
	}
	p.line(true, "", "values and entries in Redis are ignored, %s%s: %s", r.listed(k.Reasons), r.window(), advice)
}

// listed formats what was counted by names.
func (r *Report) listed(counts map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, name+": "+r.rate(counts[name]))
	}
	return strings.Join(parts, ", ")
}

func (r *Report) storageLines(p *page) {
	r.fleetKeyLines(p)
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
			text += ", the oldest for " + lasted(s.Lag) + ": it takes none"
			if len(r.Causes) == 0 {
				text += ", the log says why"
			}
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
	if r.CertificateRefused {
		p.line(true, "certificate", "a new one is refused: it is not valid now, or cannot be read; the log says why")
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
	n := int64(min(max(0, seconds), 1<<62))
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
func count(n float64) string { return terminal.Number(int64(min(n+0.5, 1<<62))) }

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
