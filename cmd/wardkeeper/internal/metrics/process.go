package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Build returns the collector that says what is running.
func Build(version, commit, opa, goVersion string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "wardkeeper_build_info",
		Help:        "1, with the versions of Wardkeeper, of OPA in it, and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "opa": opa, "go": goVersion},
	})
	info.Set(1)
	return info
}

// Certificate returns the collectors for the server's certificate: when it expires, and whether its files hold another that was refused.
func Certificate(expires func() time.Time, refuses func() bool) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_tls_certificate_expiry_timestamp_seconds",
			Help: "When the server's certificate expires.",
		}, func() float64 { return unix(expires()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_tls_certificate_refused",
			Help: "1 while the files of the server's certificate have another one that is not valid now or cannot be read.",
		}, func() float64 { return boolean(refuses()) }),
	}
}

// Pools returns the collector for the connections to a source of facts, or to Redis.
func Pools(pools func() []membership.Pool) prometheus.Collector { return poolsCollector{pools} }

type poolsCollector struct{ pools func() []membership.Pool }

var (
	poolConnections = factDesc("pool_connections", "Connections to a source of facts, by pool (origin or shared) and state (used or idle).", "pool", "state")
	poolLimit       = factDesc("pool_connections_limit", "Most connections that a pool may have.", "pool")
	poolWaits       = factDesc("pool_waits_total", "Questions that had to wait for a connection of a pool.", "pool")
)

// Describe implements [prometheus.Collector].
func (poolsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- poolConnections
	ch <- poolLimit
	ch <- poolWaits
}

// Collect implements [prometheus.Collector].
func (c poolsCollector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.pools() {
		ch <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(p.Used), p.Name, "used")
		ch <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(p.Idle), p.Name, "idle")
		ch <- prometheus.MustNewConstMetric(poolLimit, prometheus.GaugeValue, float64(p.Limit), p.Name)
		ch <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(p.Waits), p.Name)
	}
}
