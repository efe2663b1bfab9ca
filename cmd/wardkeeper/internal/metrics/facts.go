package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
)

// Facts returns the collector for facts that are fetched record by record.
func Facts(status func() cache.Status) prometheus.Collector { return facts{status} }

type facts struct{ status func() cache.Status }

func factDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("wardkeeper_membership_"+name, help, labels, nil)
}

var (
	factsTotal       = factDesc("facts_total", "Facts by the tier they came from: memory, shared, or origin, which counts requests.", "tier")
	factFailures     = factDesc("origin_failures_total", "Requests that the origin did not answer.")
	factLagging      = factDesc("origin_lagging_total", "Answers of the origin that were older than what was announced or known, and were requested again.")
	factFallbacks    = factDesc("fallbacks_total", "Unconfirmed facts that were used within their maximum age because the origin could not be reached.")
	factRefused      = factDesc("shared_refused_total", "Invalid values of the shared tier that were dropped.")
	factLost         = factDesc("shared_lost_total", "Values that could not be written to the shared tier.")
	factWaits        = factDesc("fetch_waits_total", "Records that another sidecar was fetching, by what came of waiting for it: shared (it was found in the shared tier) or overdue (it was not, and was fetched here too).", "outcome")
	factBytes        = factDesc("memory_bytes", "Approximate size of the in-process tier.")
	factRecords      = factDesc("memory_records", "Records in the in-process tier.")
	factVouched      = factDesc("vouched", "1 while facts are confirmed by the change feed.")
	factUnproven     = factDesc("unproven", "1 for each proof that is missing for the change feed to confirm facts.", "proof")
	factConflicts    = factDesc("version_conflicts_total", "Records whose content changed without their version.")
	factFeedLive     = factDesc("feed_live", "1 while this subscription to changes is live.", "feed")
	factFeedBreaks   = factDesc("feed_breaks_total", "Times that this subscription to changes was lost.", "feed")
	factHeard        = factDesc("heard_seconds", "Time since the last heartbeat of the change feed.")
	factQuarantined  = factDesc("quarantined", "1 for each of the first 100 records that break a rule of the directory; questions that need it are not answered.", "kind", "id")
	factQuarantines  = factDesc("quarantined_records", "Records that break a rule of the directory.")
	factDescriptions = []*prometheus.Desc{factsTotal, factFailures, factLagging, factFallbacks, factRefused, factLost, factWaits, factBytes, factRecords,
		factVouched, factUnproven, factConflicts, factFeedLive, factFeedBreaks, factHeard, factQuarantined, factQuarantines}
)

// Describe implements [prometheus.Collector].
func (f facts) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range factDescriptions {
		ch <- d
	}
}

// maxLabels limits how many quarantined records are named in labels.
const maxLabels = 100

// Collect implements [prometheus.Collector].
func (f facts) Collect(ch chan<- prometheus.Metric) {
	s := f.status()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	count(factsTotal, s.FromMemory, "memory")
	count(factsTotal, s.FromShared, "shared")
	count(factsTotal, s.FromOrigin, "origin")
	count(factFailures, s.Failures)
	count(factLagging, s.Lagging)
	count(factFallbacks, s.Fallbacks)
	count(factRefused, s.Refused)
	count(factLost, s.Lost)
	if s.Shared {
		count(factWaits, s.Awaited, "shared")
		count(factWaits, s.Overdue, "overdue")
	}
	gauge(factBytes, float64(s.Memory))
	gauge(factRecords, float64(s.Entries))
	if s.Confirming {
		gauge(factVouched, boolean(s.Confirmed))
		gauge(factHeard, s.SinceHeartbeat.Seconds())
	}
	for _, proof := range s.Unproven {
		gauge(factUnproven, 1, proof)
	}
	count(factConflicts, s.Conflicts)
	f.feeds(s, gauge, count)
	for _, name := range slices.Compact(s.Quarantined[:min(len(s.Quarantined), maxLabels)]) { // long ids are truncated
		kind, id, _ := strings.Cut(name, ` "`)
		gauge(factQuarantined, 1, kind, strings.TrimSuffix(id, `"`))
	}
	gauge(factQuarantines, float64(len(s.Quarantined)))
}

func (facts) feeds(s cache.Status, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	if s.Shared {
		gauge(factFeedLive, boolean(s.StreamLive), "stream")
		count(factFeedBreaks, s.StreamLosses, "stream")
	}
	if s.ByOrigin {
		gauge(factFeedLive, boolean(s.OriginLive), "listen")
		count(factFeedBreaks, s.OriginLosses, "listen")
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
