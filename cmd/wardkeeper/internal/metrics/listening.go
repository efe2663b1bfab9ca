package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
)

// Listening returns the collector that says who listens to the database, where one sidecar at a time does so for all.
func Listening(status func() relay.Status) prometheus.Collector { return listening{status} }

type listening struct{ status func() relay.Status }

var (
	listeningFor  = factDesc("listening", "1 for whom this sidecar listens to the database: all sidecars (it leads), all as the standby, itself alone, or nobody.", "for")
	listeningTerm = factDesc("leader_term", "Number of the term of the sidecar that listens to the database for all, as this one knows it.")
	takeovers     = factDesc("takeovers_total", "Times that this sidecar began to listen to the database for all.")
)

// Describe implements [prometheus.Collector].
func (listening) Describe(ch chan<- *prometheus.Desc) {
	ch <- listeningFor
	ch <- listeningTerm
	ch <- takeovers
}

// Collect implements [prometheus.Collector].
func (l listening) Collect(ch chan<- prometheus.Metric) {
	s := l.status()
	for whom, is := range map[string]bool{"all": s.Leading, "standby": s.Standby, "itself": s.Alone, "nobody": !s.Leading && !s.Standby && !s.Alone} {
		ch <- prometheus.MustNewConstMetric(listeningFor, prometheus.GaugeValue, boolean(is), whom)
	}
	ch <- prometheus.MustNewConstMetric(listeningTerm, prometheus.GaugeValue, float64(s.Term))
	ch <- prometheus.MustNewConstMetric(takeovers, prometheus.CounterValue, float64(s.Takeovers))
}
