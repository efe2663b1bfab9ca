package status

import (
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// quiet are the paths of probes and operators.
var quiet = []string{"/health", "/ready", "/metrics", "/v1/revision", "/debug/pprof/*", "/.well-known/authzen-configuration"}

// Since reports a snapshot. What is counted is what was counted since the earlier one; since the server's start if that is nil, or
// of another process.
func (s *Snapshot) Since(earlier *Snapshot, server string) *Report {
	r := &Report{
		Server: server, At: s.at, State: s.ready.state(), Missing: s.ready.Missing, Causes: s.causes, Hidden: s.hidden,
		Policy: s.knownPolicy(), Certificate: s.certificate,
	}
	if s.metrics == nil {
		r.Facts = s.publicFacts()
		return r
	}
	g := growth{now: s.metrics}
	start := g.now.sum(processStart)
	if earlier != nil && earlier.metrics != nil && earlier.metrics.sum(processStart) == start {
		g.before, r.Interval = earlier.metrics, s.at.Sub(earlier.at).Seconds()
	}
	if start > 0 {
		r.Uptime = seconds(s.at, start)
	}
	for version := range g.now.by("wardkeeper_build_info", "version") {
		r.Version = version
	}
	r.Facts = s.facts(g)
	r.Requests, r.Decisions, r.Admission = g.requests(), g.decisions(), g.admission()
	r.FleetKey, r.DecisionLog, r.Sinks = g.fleetKey(), g.decisionLog(), g.sinks()
	r.LogDropped, r.Process = g.count("wardkeeper_log_dropped_total"), g.process()
	r.CertificateRefused = g.now.sum("wardkeeper_tls_certificate_refused") > 0
	return r
}

func (r readiness) state() string {
	switch {
	case r.Stopping:
		return Stopping
	case !r.Ready:
		return Useless
	case r.Degraded:
		return Degraded
	}
	return Ready
}

// knownPolicy returns what is known of the policy: what everybody may know, if there is no more.
func (s *Snapshot) knownPolicy() *httpapi.PolicyStatus {
	p := s.ready.Policy
	if s.policy != nil || !p.FromDisk && !p.Stale && p.Attempt == nil && p.Refused == nil {
		return s.policy
	}
	return &httpapi.PolicyStatus{FromDisk: p.FromDisk, Stale: p.Stale, Attempt: p.Attempt, Refused: p.Refused}
}

// publicFacts returns what everybody may know of the facts; nil if nothing is wrong.
func (s *Snapshot) publicFacts() *Facts {
	m := s.ready.Membership
	if m.Quarantined == 0 && !m.NotConfirmed && len(m.MissingProofs) == 0 && !m.SharedCacheDown {
		return nil
	}
	f := &Facts{Quarantined: float64(m.Quarantined), Unproven: m.MissingProofs}
	if m.NotConfirmed {
		f.Vouched = new(bool)
	}
	if m.SharedCacheDown {
		f.Feeds = map[string]bool{"stream": false}
	}
	return f
}

func (s *Snapshot) facts(g growth) *Facts {
	m := g.now
	if m.has("wardkeeper_directory_users") {
		f := &Facts{File: true, Users: m.sum("wardkeeper_directory_users"), ReloadFailures: g.count("wardkeeper_directory_reload_failures_total")}
		if loaded := m.sum("wardkeeper_directory_loaded_timestamp_seconds"); loaded > 0 {
			f.Age = seconds(s.at, loaded)
		}
		return f
	}
	if !m.has("wardkeeper_membership_facts_total") {
		return nil
	}
	f := &Facts{
		Records: m.sum("wardkeeper_membership_memory_records"), Bytes: m.sum("wardkeeper_membership_memory_bytes"),
		Heard: m.sum("wardkeeper_membership_heard_seconds"), FeedBreaks: g.count("wardkeeper_membership_feed_breaks_total"),
		SharedLost: g.count("wardkeeper_membership_shared_lost_total"), SharedRefused: g.count("wardkeeper_membership_shared_refused_total"),
		OriginFailures: g.count("wardkeeper_membership_origin_failures_total"), OriginLagging: g.count("wardkeeper_membership_origin_lagging_total"),
		Fallbacks: g.count("wardkeeper_membership_fallbacks_total"), Quarantined: m.sum("wardkeeper_membership_quarantined_records"),
		Term: m.sum("wardkeeper_membership_leader_term"), Takeovers: g.count("wardkeeper_membership_takeovers_total"),
		ByTier: map[string]float64{}, Feeds: map[string]bool{},
	}
	for tier := range m.by("wardkeeper_membership_facts_total", "tier") {
		f.ByTier[tier] = g.count("wardkeeper_membership_facts_total", "tier", tier)
	}
	if m.has("wardkeeper_membership_vouched") {
		vouched := m.sum("wardkeeper_membership_vouched") > 0
		f.Vouched = &vouched
	}
	for whom, is := range m.by("wardkeeper_membership_listening", "for") {
		if is > 0 {
			f.ListensFor = whom
		}
	}
	for proof := range m.by("wardkeeper_membership_unproven", "proof") {
		f.Unproven = append(f.Unproven, proof)
	}
	for feed, live := range m.by("wardkeeper_membership_feed_live", "feed") {
		f.Feeds[feed] = live > 0
	}
	for _, q := range m["wardkeeper_membership_quarantined"].GetMetric() {
		f.QuarantinedIDs = append(f.QuarantinedIDs, strings.TrimSpace(labelOf(q, "kind")+" "+labelOf(q, "id")))
	}
	slices.Sort(f.Unproven)
	slices.Sort(f.QuarantinedIDs)
	return f
}

// seconds returns how long ago a Unix time was.
func seconds(now time.Time, unix float64) float64 {
	return max(0, float64(now.UnixMilli())/1000-unix)
}
