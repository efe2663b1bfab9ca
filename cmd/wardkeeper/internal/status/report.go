package status

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// States of a server. They are those of wardkeeper_readiness_state.
const (
	Ready    = "ready"    // every question is answered
	Degraded = "degraded" // some questions are answered
	Useless  = "useless"  // none is
	Stopping = "stopping" // questions are answered, but the server is about to stop

	Unreachable = "unreachable" // not a state of the server: it did not say
)

// Report tells how a server is doing. What is not known is nil.
type Report struct {
	Server      string                `json:"server"`
	At          time.Time             `json:"at"`
	State       string                `json:"state"`
	Missing     []string              `json:"missing,omitempty"`
	Error       string                `json:"error,omitempty"`  // why it is unreachable
	Hidden      []string              `json:"hidden,omitempty"` // why something is not known
	Version     string                `json:"version,omitempty"`
	Uptime      float64               `json:"uptime_seconds,omitempty"`
	Policy      *httpapi.PolicyStatus `json:"policy,omitempty"`
	Facts       *Facts                `json:"facts,omitempty"`
	Interval    float64               `json:"interval_seconds,omitempty"` // what is counted was counted in; 0: since the start
	Requests    *Requests             `json:"requests,omitempty"`
	Decisions   *Decisions            `json:"decisions,omitempty"`
	Admission   *Admission            `json:"admission,omitempty"`
	FleetKey    *FleetKey             `json:"fleet_key,omitempty"`
	DecisionLog *DecisionLog          `json:"decision_log,omitempty"`
	Sinks       []Sink                `json:"decision_sinks,omitempty"`
	LogDropped  float64               `json:"log_lines_dropped,omitempty"`
	Process     *Process              `json:"process,omitempty"`
	Certificate *Certificate          `json:"certificate,omitempty"`
}

// Facts tells where facts come from. A directory file has Users, all other sources have records that are fetched one by one.
type Facts struct {
	File           bool               `json:"file"`
	Users          float64            `json:"users,omitempty"`
	Age            float64            `json:"age_seconds,omitempty"` // of the directory file
	ReloadFailures float64            `json:"reload_failures,omitempty"`
	Records        float64            `json:"memory_records,omitempty"`
	Bytes          float64            `json:"memory_bytes,omitempty"`
	ByTier         map[string]float64 `json:"by_tier,omitempty"` // served facts: memory, shared, origin
	Vouched        *bool              `json:"vouched,omitempty"` // nil: nothing promises news of changes
	Heard          float64            `json:"heard_seconds,omitempty"`
	Unproven       []string           `json:"unproven,omitempty"`
	Feeds          map[string]bool    `json:"feeds,omitempty"` // live: stream, listen
	FeedBreaks     float64            `json:"feed_breaks,omitempty"`
	SharedLost     float64            `json:"shared_lost,omitempty"`
	SharedRefused  float64            `json:"shared_refused,omitempty"`
	OriginFailures float64            `json:"origin_failures,omitempty"`
	OriginLagging  float64            `json:"origin_lagging,omitempty"`
	Fallbacks      float64            `json:"fallbacks,omitempty"`
	Quarantined    float64            `json:"quarantined,omitempty"`
	QuarantinedIDs []string           `json:"quarantined_ids,omitempty"` // up to 100
}

// Requests counts requests but probes and those of operators. Median and P99 are the bounds in seconds that half and 99 % of them
// kept; [Beyond] if there is no such bound.
type Requests struct {
	Count  float64            `json:"count"`
	Median float64            `json:"median_seconds"`
	P99    float64            `json:"p99_seconds"`
	Failed map[string]float64 `json:"failed,omitempty"` // by status, if it is not 200
}

// Beyond is what took longer than the greatest bound of a histogram: JSON has no infinity.
const Beyond = -1

// Decisions counts evaluations.
type Decisions struct {
	Allowed float64 `json:"allowed"`
	Denied  float64 `json:"denied"`
	Errors  float64 `json:"errors"`
}

// Admission counts what was turned away.
type Admission struct {
	Refused     map[string]float64 `json:"refused,omitempty"` // requests by reason
	Overdue     float64            `json:"overdue,omitempty"`
	Connections float64            `json:"connections_dropped,omitempty"`
}

// FleetKey tells about the keys that sidecars share.
type FleetKey struct {
	Signs    []string           `json:"signs"`              // the id of the key
	Verifies []string           `json:"verifies,omitempty"` // ids of other keys
	Refused  map[string]float64 `json:"refused,omitempty"`  // what they do not verify, by kind
}

// DecisionLog tells about the log of decisions.
type DecisionLog struct {
	Failing bool    `json:"failing"`
	Records float64 `json:"records"`
	Lost    float64 `json:"lost"`
	Queued  float64 `json:"queued"`
	Lag     float64 `json:"lag_seconds"`
	Bytes   float64 `json:"bytes"`
}

// Sink tells about a sink of the log of decisions.
type Sink struct {
	Name    string  `json:"name"`
	Failing bool    `json:"failing"`
	Records float64 `json:"records"`
	Lost    float64 `json:"lost"`
	Behind  float64 `json:"behind"`
	Lag     float64 `json:"lag_seconds"`
}

// Process tells what the process uses.
type Process struct {
	CPU        float64 `json:"cpu_seconds"`
	Resident   float64 `json:"resident_bytes"`
	Goroutines float64 `json:"goroutines"`
	Files      float64 `json:"open_files"`
	MaxFiles   float64 `json:"max_open_files"`
}

// Certificate is the one that the server presented.
type Certificate struct {
	Subject  string    `json:"subject"`
	Names    []string  `json:"names,omitempty"`
	NotAfter time.Time `json:"not_after"`
}

// quiet are the paths of probes and operators.
var quiet = []string{"/health", "/ready", "/metrics", "/v1/revision", "/debug/pprof/*", "/.well-known/authzen-configuration"}

// Since reports a snapshot. What is counted is what was counted since the earlier one; since the server's start if that is nil, or
// of another process.
func (s *Snapshot) Since(earlier *Snapshot, server string) *Report {
	r := &Report{Server: server, At: s.at, Missing: s.ready.Missing, Hidden: s.hidden, Policy: s.policy, Certificate: s.certificate}
	switch {
	case s.ready.Stopping:
		r.State = Stopping
	case !s.ready.Ready:
		r.State = Useless
	case s.ready.Degraded:
		r.State = Degraded
	default:
		r.State = Ready
	}
	if s.policy == nil { // what everybody may know
		p := s.ready.Policy
		if p.FromDisk || p.Stale || p.Attempt != nil || p.Refused != nil {
			r.Policy = &httpapi.PolicyStatus{FromDisk: p.FromDisk, Stale: p.Stale, Attempt: p.Attempt, Refused: p.Refused}
		}
	}
	if s.metrics == nil {
		r.Facts = s.publicFacts()
		return r
	}
	m := s.metrics
	start := m.sum("process_start_time_seconds")
	var before families
	if earlier != nil && earlier.metrics != nil && earlier.metrics.sum("process_start_time_seconds") == start {
		before, r.Interval = earlier.metrics, s.at.Sub(earlier.at).Seconds()
	}
	count := func(name string, labels ...string) float64 {
		return m.sum(name, labels...) - before.sum(name, labels...)
	}
	if start > 0 {
		r.Uptime = seconds(s.at, start)
	}
	for version := range m.by("wardkeeper_build_info", "version") {
		r.Version = version
	}
	r.Facts = s.facts(count)
	r.Requests = requests(m, before)
	r.Decisions = &Decisions{
		Allowed: count("wardkeeper_decisions_total", "outcome", "allowed"),
		Denied:  count("wardkeeper_decisions_total", "outcome", "denied"),
		Errors:  count("wardkeeper_decisions_total", "outcome", "error"),
	}
	r.Admission = &Admission{
		Refused: grown(m, before, "wardkeeper_http_refused_total", "reason"),
		Overdue: count("wardkeeper_http_overdue_total"), Connections: count("wardkeeper_http_connections_dropped_total"),
	}
	if info := "wardkeeper_fleet_key_info"; m.has(info) {
		r.FleetKey = &FleetKey{
			Signs: slices.Sorted(maps.Keys(m.by(info, "key", "role", "signs"))), Verifies: slices.Sorted(maps.Keys(m.by(info, "key", "role", "verifies"))),
			Refused: grown(m, before, "wardkeeper_fleet_key_refused_total", "what"),
		}
	}
	if m.has("wardkeeper_decision_log_records_total") {
		r.DecisionLog = &DecisionLog{
			Failing: m.sum("wardkeeper_decision_log_failing") > 0, Records: count("wardkeeper_decision_log_records_total"),
			Lost: count("wardkeeper_decision_log_lost_total"), Queued: m.sum("wardkeeper_decision_log_queued"),
			Lag: m.sum("wardkeeper_decision_log_lag_seconds"), Bytes: m.sum("wardkeeper_decision_log_bytes"),
		}
	}
	const failing = "wardkeeper_decision_sink_failing"
	for _, name := range slices.Sorted(maps.Keys(m.by(failing, "sink"))) {
		r.Sinks = append(r.Sinks, Sink{
			Name: name, Failing: m.sum(failing, "sink", name) > 0, Records: count("wardkeeper_decision_sink_records_total", "sink", name),
			Lost: count("wardkeeper_decision_sink_lost_total", "sink", name), Behind: m.sum("wardkeeper_decision_sink_behind", "sink", name),
			Lag: m.sum("wardkeeper_decision_sink_lag_seconds", "sink", name),
		})
	}
	r.LogDropped = count("wardkeeper_log_dropped_total")
	r.Process = &Process{
		CPU: count("process_cpu_seconds_total"), Resident: m.sum("process_resident_memory_bytes"), Goroutines: m.sum("go_goroutines"),
		Files: m.sum("process_open_fds"), MaxFiles: m.sum("process_max_fds"),
	}
	return r
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

func (s *Snapshot) facts(count func(string, ...string) float64) *Facts {
	m := s.metrics
	if m.has("wardkeeper_directory_users") {
		f := &Facts{File: true, Users: m.sum("wardkeeper_directory_users"), ReloadFailures: count("wardkeeper_directory_reload_failures_total")}
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
		Heard: m.sum("wardkeeper_membership_heard_seconds"), FeedBreaks: count("wardkeeper_membership_feed_breaks_total"),
		SharedLost: count("wardkeeper_membership_shared_lost_total"), SharedRefused: count("wardkeeper_membership_shared_refused_total"),
		OriginFailures: count("wardkeeper_membership_origin_failures_total"), OriginLagging: count("wardkeeper_membership_origin_lagging_total"),
		Fallbacks: count("wardkeeper_membership_fallbacks_total"), Quarantined: m.sum("wardkeeper_membership_quarantined_records"),
		ByTier: map[string]float64{}, Feeds: map[string]bool{},
	}
	for tier := range m.by("wardkeeper_membership_facts_total", "tier") {
		f.ByTier[tier] = count("wardkeeper_membership_facts_total", "tier", tier)
	}
	if m.has("wardkeeper_membership_vouched") {
		vouched := m.sum("wardkeeper_membership_vouched") > 0
		f.Vouched = &vouched
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

func requests(m, before families) *Requests {
	const duration = "wardkeeper_http_request_duration_seconds"
	counts := m.buckets(duration, quiet)
	for bound, n := range before.buckets(duration, quiet) {
		counts[bound] -= n
	}
	r := &Requests{Count: counts[math.Inf(1)], Median: bounded(quantile(0.5, counts)), P99: bounded(quantile(0.99, counts)), Failed: map[string]float64{}}
	const total = "wardkeeper_http_requests_total"
	for path := range m.by(total, "path") {
		if slices.Contains(quiet, path) {
			continue
		}
		for status, n := range grown(m, before, total, "status", "path", path) {
			if status != "200" {
				r.Failed[status] += n
			}
		}
	}
	return r
}

func bounded(seconds float64) float64 {
	if math.IsInf(seconds, 1) {
		return Beyond
	}
	return seconds
}

// grown returns by how much counters have grown, by the values of a label; without those that have not.
func grown(m, before families, name, label string, labels ...string) map[string]float64 {
	sums, earlier := m.by(name, label, labels...), before.by(name, label, labels...)
	for v := range sums {
		if sums[v] -= earlier[v]; sums[v] <= 0 {
			delete(sums, v)
		}
	}
	return sums
}

// seconds returns how long ago a Unix time was.
func seconds(now time.Time, unix float64) float64 {
	return max(0, float64(now.UnixMilli())/1000-unix)
}
