package main

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
)

// membershipStatus is what the front door tells of the facts.
func (d *remoteDirectory) membershipStatus() httpapi.MembershipStatus {
	s := d.Status()
	told := httpapi.MembershipStatus{
		Quarantined: len(s.Quarantined), NotConfirmed: s.Vouching && !s.Vouched, SharedCacheDown: s.Shared && !s.SharedLive,
	}
	if s.Vouching { // else facts live by their age, as the settings say
		told.MissingProofs = s.Unproven
	}
	return told
}

// factMetrics are those of facts that are fetched record by record.
type factMetrics struct{ directory *remoteDirectory }

func factDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("wardkeeper_membership_"+name, help, labels, nil)
}

var (
	factsTotal       = factDesc("facts_total", "Facts by the tier that they came from: memory, shared or origin, the last counting questions.", "tier")
	factFailures     = factDesc("origin_failures_total", "Questions that the origin did not answer.")
	factLagging      = factDesc("origin_lagging_total", "Answers of the origin that were older than what was announced or known, and were asked for again.")
	factFallbacks    = factDesc("fallbacks_total", "Facts that served within their budget since the origin could not be reached.")
	factRefused      = factDesc("shared_refused_total", "Values of the shared tier that were not what they should be, and were dropped.")
	factLost         = factDesc("shared_lost_total", "Values that the shared tier did not take.")
	factBytes        = factDesc("memory_bytes", "Size of the in-process tier, about.")
	factRecords      = factDesc("memory_records", "Records in the in-process tier.")
	factVouched      = factDesc("vouched", "1 while facts are vouched for by news of changes.")
	factUnproven     = factDesc("unproven", "1 for each proof that is missing for news of changes to vouch for facts.", "proof")
	factConflicts    = factDesc("version_conflicts_total", "Records whose content had changed without their version.")
	factFeedLive     = factDesc("feed_live", "1 while changes are heard of this way.", "feed")
	factFeedBreaks   = factDesc("feed_breaks_total", "Times that this way of hearing of changes was lost.", "feed")
	factHeard        = factDesc("heard_seconds", "Time since what vouches for facts was last heard of.")
	factQuarantined  = factDesc("quarantined", "1 for each record, of the first 100, that breaks a rule of the directory; questions that need it are not answered.", "kind", "id")
	factQuarantines  = factDesc("quarantined_records", "Records that break a rule of the directory.")
	factDescriptions = []*prometheus.Desc{factsTotal, factFailures, factLagging, factFallbacks, factRefused, factLost, factBytes, factRecords,
		factVouched, factUnproven, factConflicts, factFeedLive, factFeedBreaks, factHeard, factQuarantined, factQuarantines}
)

// Describe implements [prometheus.Collector].
func (m factMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range factDescriptions {
		ch <- d
	}
}

// mostLabels bounds how many records are named.
const mostLabels = 100

// Collect implements [prometheus.Collector].
func (m factMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.directory.Status()
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
	gauge(factBytes, float64(s.Memory))
	gauge(factRecords, float64(s.Entries))
	if s.Vouching {
		gauge(factVouched, one(s.Vouched))
		gauge(factHeard, s.Heard.Seconds())
	}
	for _, proof := range s.Unproven {
		gauge(factUnproven, 1, proof)
	}
	count(factConflicts, s.Conflicts)
	m.feeds(s, gauge, count)
	for _, name := range slices.Compact(s.Quarantined[:min(len(s.Quarantined), mostLabels)]) { // long ids are cut
		kind, id, _ := strings.Cut(name, ` "`)
		gauge(factQuarantined, 1, kind, strings.TrimSuffix(id, `"`))
	}
	gauge(factQuarantines, float64(len(s.Quarantined)))
}

func (factMetrics) feeds(s cache.Status, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	if s.Shared {
		gauge(factFeedLive, one(s.SharedLive), "stream")
		count(factFeedBreaks, s.SharedBreaks, "stream")
	}
	if s.Listens {
		gauge(factFeedLive, one(s.Listening), "listen")
		count(factFeedBreaks, s.ListeningBreaks, "listen")
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
