package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
)

// newRegistry has what only the wiring knows: how the reloading of directory and policy goes. What is refused again and
// again leaves the last good one in force, which nothing else would show.
func newRegistry(s *sidecar) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	switch directory := s.directory.(type) {
	case *fileDirectory:
		registry.MustRegister(directoryMetrics(directory)...)
	case *remoteDirectory:
		registry.MustRegister(factMetrics{directory})
	}
	if s.follower != nil {
		registry.MustRegister(bundleMetrics(s.follower)...)
	}
	return registry
}

func logMetrics(logs *logging.Writer) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "wardkeeper_log_dropped_total",
		Help: "Lines of the log that were dropped, since their reader did not keep up, or is gone.",
	}, func() float64 { return float64(logs.Dropped()) })
}

func directoryMetrics(d *fileDirectory) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_directory_reloads_total",
			Help: "Times that a changed directory came into force.",
		}, func() float64 { return float64(d.status().Reloads) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_directory_reload_failures_total",
			Help: "Times that a directory was refused, and the last good one stayed in force.",
		}, func() float64 { return float64(d.status().Failures) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_directory_loaded_timestamp_seconds",
			Help: "When the directory in force was loaded; 0 where there is none yet.",
		}, func() float64 { return unix(d.status().LoadedAt) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_directory_users",
			Help: "Users in the directory in force.",
		}, func() float64 { return float64(d.status().Users) }),
	}
}

func bundleMetrics(f *follow.Follower) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_bundle_activations_total",
			Help: "Times that a policy bundle became active.",
		}, func() float64 { return float64(f.Status().Activations) }),
		refusals{f, prometheus.NewDesc("wardkeeper_bundle_refusals_total",
			"Times that a policy bundle was not taken, and the active one went on, by reason; unavailable: the source could not be read.",
			[]string{"reason"}, nil)},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_bundle_sequence",
			Help: "The release that is active, 0 where it has no number.",
		}, func() float64 {
			if r := f.Status().Active; r != nil {
				return float64(r.Sequence)
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_bundle_activated_timestamp_seconds",
			Help: "When the active policy bundle became active; 0 where there is none yet.",
		}, func() float64 { return unix(f.Status().Activated) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_bundle_confirmed_timestamp_seconds",
			Help: "When the source last had the active policy bundle; 0 where there is none yet.",
		}, func() float64 { return unix(f.Status().Confirmed) }),
	}
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// refusals counts by reason, as the follower does.
type refusals struct {
	follower *follow.Follower
	desc     *prometheus.Desc
}

func (r refusals) Describe(ch chan<- *prometheus.Desc) { ch <- r.desc }

func (r refusals) Collect(ch chan<- prometheus.Metric) {
	for reason, n := range r.follower.Status().Refused {
		ch <- prometheus.MustNewConstMetric(r.desc, prometheus.CounterValue, float64(n), string(reason))
	}
}
