package status

import (
	"maps"
	"math"
	"slices"
)

// processStart is the metric that tells processes apart.
const processStart = "process_start_time_seconds"

// growth is what metrics say now, and by how much counters have grown since before.
type growth struct{ now, before families }

// count returns by how much a counter has grown.
func (g growth) count(name string, labels ...string) float64 {
	return g.now.sum(name, labels...) - g.before.sum(name, labels...)
}

// by returns by how much counters have grown, by the values of a label; without those that have not.
func (g growth) by(name, label string, labels ...string) map[string]float64 {
	sums, earlier := g.now.by(name, label, labels...), g.before.by(name, label, labels...)
	for v := range sums {
		if sums[v] -= earlier[v]; sums[v] <= 0 {
			delete(sums, v)
		}
	}
	return sums
}

func (g growth) requests() *Requests {
	const duration = "wardkeeper_http_request_duration_seconds"
	counts := g.now.buckets(duration, quiet)
	for bound, n := range g.before.buckets(duration, quiet) {
		counts[bound] -= n
	}
	r := &Requests{Count: counts[math.Inf(1)], Median: bounded(quantile(0.5, counts)), P99: bounded(quantile(0.99, counts)), Failed: map[string]float64{}}
	const total = "wardkeeper_http_requests_total"
	for path := range g.now.by(total, "path") {
		if slices.Contains(quiet, path) {
			continue
		}
		for status, n := range g.by(total, "status", "path", path) {
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

func (g growth) decisions() *Decisions {
	const total = "wardkeeper_decisions_total"
	return &Decisions{
		Allowed: g.count(total, "outcome", "allowed"), Denied: g.count(total, "outcome", "denied"), Errors: g.count(total, "outcome", "error"),
	}
}

func (g growth) admission() *Admission {
	return &Admission{
		Refused: g.by("wardkeeper_http_refused_total", "reason"),
		Overdue: g.count("wardkeeper_http_overdue_total"), Connections: g.count("wardkeeper_http_connections_dropped_total"),
	}
}

// inRedis are the uses of the fleet key that sidecars alone make; callers bring back the others.
var inRedis = []string{"shared_value", "stream_entry"}

func (g growth) fleetKey() *FleetKey {
	const info, refused = "wardkeeper_fleet_key_info", "wardkeeper_fleet_key_refused_total"
	if !g.now.has(info) {
		return nil
	}
	k := &FleetKey{
		Signs: slices.Sorted(maps.Keys(g.now.by(info, "key", "role", "signs"))), Verifies: slices.Sorted(maps.Keys(g.now.by(info, "key", "role", "verifies"))),
		Refused: g.by(refused, "what"), Reasons: map[string]float64{},
	}
	for _, what := range inRedis {
		for reason, n := range g.by(refused, "reason", "what", what) {
			k.Reasons[reason] += n
		}
	}
	return k
}

func (g growth) decisionLog() *DecisionLog {
	if !g.now.has("wardkeeper_decision_log_records_total") {
		return nil
	}
	return &DecisionLog{
		Failing: g.now.sum("wardkeeper_decision_log_failing") > 0, Records: g.count("wardkeeper_decision_log_records_total"),
		Lost: g.count("wardkeeper_decision_log_lost_total"), Queued: g.now.sum("wardkeeper_decision_log_queued"),
		Lag: g.now.sum("wardkeeper_decision_log_lag_seconds"), Bytes: g.now.sum("wardkeeper_decision_log_bytes"),
	}
}

func (g growth) sinks() (sinks []Sink) {
	const failing = "wardkeeper_decision_sink_failing"
	for _, name := range slices.Sorted(maps.Keys(g.now.by(failing, "sink"))) {
		sinks = append(sinks, Sink{
			Name: name, Failing: g.now.sum(failing, "sink", name) > 0, Records: g.count("wardkeeper_decision_sink_records_total", "sink", name),
			Lost: g.count("wardkeeper_decision_sink_lost_total", "sink", name), Behind: g.now.sum("wardkeeper_decision_sink_behind", "sink", name),
			Lag: g.now.sum("wardkeeper_decision_sink_lag_seconds", "sink", name),
		})
	}
	return sinks
}

func (g growth) process() *Process {
	return &Process{
		CPU: g.count("process_cpu_seconds_total"), Resident: g.now.sum("process_resident_memory_bytes"), Goroutines: g.now.sum("go_goroutines"),
		Files: g.now.sum("process_open_fds"), MaxFiles: g.now.sum("process_max_fds"),
	}
}
