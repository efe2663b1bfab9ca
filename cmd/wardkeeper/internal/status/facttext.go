package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// feeds say by which channel changes are heard.
var feeds = map[string]string{"stream": "Redis", "listen": "PostgreSQL"}

// listens say for whom a sidecar listens to the database.
var listens = map[string]string{
	"all":     "this sidecar listens to the database for all",
	"standby": "this sidecar listens to the database too, ready to do so for all",
	"itself":  "this sidecar listens to the database for itself alone",
	"nobody":  "this sidecar leaves it to another one to listen to the database",
}

// tiers say where facts were found.
var tiers = []struct{ label, name string }{{"memory", "memory"}, {"shared", "Redis"}, {"origin", "the source"}}

func (r *Report) factLines(p *page) {
	switch f := r.Facts; {
	case f == nil:
	case f.File:
		r.fileLines(p)
	default:
		r.tierLine(p)
		r.newsLines(p)
		r.faultLines(p)
	}
}

func (r *Report) fileLines(p *page) {
	f := r.Facts
	p.line(false, "facts", "a directory file with %s users, loaded %s ago", count(f.Users), lasted(f.Age))
	if f.ReloadFailures > 0 {
		p.line(true, "facts", "%s changes of the file were refused%s: wardkeeper directory check", count(f.ReloadFailures), r.window())
	}
}

// tierLine tells where facts were found.
func (r *Report) tierLine(p *page) {
	f := r.Facts
	if f.ByTier == nil {
		return
	}
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

// newsLines tell whether changes are heard of.
func (r *Report) newsLines(p *page) {
	f := r.Facts
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
	if text := listens[f.ListensFor]; text != "" {
		p.line(f.ListensFor == "itself", "listener", "%s (term %s; %s takeovers by this one%s)", text, count(f.Term), count(f.Takeovers), r.window())
	}
}

// faultLines tell what has failed between the sidecar and its source.
func (r *Report) faultLines(p *page) {
	f := r.Facts
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
