package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// FleetKey returns the collector for the keys that sidecars share.
func FleetKey(status func() fleetkey.Status) prometheus.Collector { return fleetKey{status} }

type fleetKey struct{ status func() fleetkey.Status }

var (
	fleetKeyRefused = prometheus.NewDesc("wardkeeper_fleet_key_refused_total",
		"What was ignored because the fleet key does not verify it.", []string{"what", "reason"}, nil)
	fleetKeyInfo = prometheus.NewDesc("wardkeeper_fleet_key_info",
		"1 for each fleet key of this sidecar, by its id; the role is signs or verifies.", []string{"key", "role"}, nil)
)

// Describe implements [prometheus.Collector].
func (fleetKey) Describe(ch chan<- *prometheus.Desc) {
	ch <- fleetKeyRefused
	ch <- fleetKeyInfo
}

// Collect implements [prometheus.Collector].
func (f fleetKey) Collect(ch chan<- prometheus.Metric) {
	s := f.status()
	for i, id := range s.Keys {
		role := "verifies"
		if i == 0 {
			role = "signs"
		}
		ch <- prometheus.MustNewConstMetric(fleetKeyInfo, prometheus.GaugeValue, 1, id, role)
	}
	for _, r := range s.Refused {
		ch <- prometheus.MustNewConstMetric(fleetKeyRefused, prometheus.CounterValue, float64(r.Count), r.Use, r.Reason)
	}
}
