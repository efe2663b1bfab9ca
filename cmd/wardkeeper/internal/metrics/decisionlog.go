package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
)

// DecisionLog returns the collector for a log of decisions.
func DecisionLog(status func() decisionlog.Status) prometheus.Collector { return decisions{status} }

type decisions struct{ status func() decisionlog.Status }

var (
	decisionsRecorded = prometheus.NewDesc("wardkeeper_decision_log_records_total", "Records of decisions that are on disk.", nil, nil)
	decisionsLost     = prometheus.NewDesc("wardkeeper_decision_log_lost_total", "Records that were lost although the answers left.", nil, nil)
	decisionsQueued   = prometheus.NewDesc("wardkeeper_decision_log_queued", "Records that wait to be written.", nil, nil)
	decisionsLag      = prometheus.NewDesc("wardkeeper_decision_log_lag_seconds", "Age of the oldest record that waits to be written.", nil, nil)
	decisionsFailing  = prometheus.NewDesc("wardkeeper_decision_log_failing", "1 while records cannot be written.", nil, nil)
	decisionsBytes    = prometheus.NewDesc("wardkeeper_decision_log_bytes", "Size of the closed files of the log.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (decisions) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{decisionsRecorded, decisionsLost, decisionsQueued, decisionsLag, decisionsFailing, decisionsBytes} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (d decisions) Collect(ch chan<- prometheus.Metric) {
	s := d.status()
	ch <- prometheus.MustNewConstMetric(decisionsRecorded, prometheus.CounterValue, float64(s.Appended))
	ch <- prometheus.MustNewConstMetric(decisionsLost, prometheus.CounterValue, float64(s.Lost))
	ch <- prometheus.MustNewConstMetric(decisionsQueued, prometheus.GaugeValue, float64(s.Queued))
	ch <- prometheus.MustNewConstMetric(decisionsLag, prometheus.GaugeValue, s.Lag.Seconds())
	ch <- prometheus.MustNewConstMetric(decisionsFailing, prometheus.GaugeValue, boolean(s.Failing != nil))
	ch <- prometheus.MustNewConstMetric(decisionsBytes, prometheus.GaugeValue, float64(s.Bytes))
}
