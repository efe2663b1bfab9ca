package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// Log returns the collector that counts dropped log lines.
func Log(dropped func() int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "wardkeeper_log_dropped_total",
		Help: "Log lines that were dropped: they were not read in time, or could not be written.",
	}, func() float64 { return float64(dropped()) })
}

// DirectoryFile returns the collectors for a directory file and its reloads.
func DirectoryFile(status func() directory.Status) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_directory_reloads_total",
			Help: "Reloads of the directory file that were put in force.",
		}, func() float64 { return float64(status().Reloads) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_directory_reload_failures_total",
			Help: "Reloads of the directory file that failed; the last good one stayed in force.",
		}, func() float64 { return float64(status().Failures) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_directory_loaded_timestamp_seconds",
			Help: "When the directory in force was loaded; 0 if there is none yet.",
		}, func() float64 { return unix(status().LoadedAt) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_directory_users",
			Help: "Users in the directory in force.",
		}, func() float64 { return float64(status().Users) }),
	}
}

// Bundle returns the collectors for a followed bundle. They make it visible if every new bundle is refused.
func Bundle(f *follow.Follower) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_bundle_activations_total",
			Help: "Activations of a policy bundle.",
		}, func() float64 { return float64(f.Status().Activations) }),
		refusals{f, prometheus.NewDesc("wardkeeper_bundle_refusals_total",
			"Policy bundles that were refused, by reason; the active one stayed in force. unavailable: the source could not be read.",
			[]string{"reason"}, nil)},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_bundle_sequence",
			Help: "Sequence of the active release; 0 if it has none.",
		}, func() float64 {
			if r := f.Status().Active; r != nil {
				return float64(r.Sequence)
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_bundle_activated_timestamp_seconds",
			Help: "When the active policy bundle was activated; 0 if there is none yet.",
		}, func() float64 { return unix(f.Status().Activated) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_bundle_confirmed_timestamp_seconds",
			Help: "When the source last had the active policy bundle; 0 if there is none yet.",
		}, func() float64 { return unix(f.Status().Confirmed) }),
	}
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// refusals exports the refusal counts of a follower.
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
