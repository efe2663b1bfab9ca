package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// directoryMetrics says how the reloading of the directory goes: a file that is refused again and again leaves the last
// good one in force, which nothing else would show.
func directoryMetrics(file *membership.File) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_directory_reloads_total",
			Help: "Times that a changed directory came into force.",
		}, func() float64 { return float64(file.Status().Reloads) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "wardkeeper_directory_reload_failures_total",
			Help: "Times that a directory was refused, and the last good one stayed in force.",
		}, func() float64 { return float64(file.Status().Failures) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_directory_loaded_timestamp_seconds",
			Help: "When the directory in force was loaded.",
		}, func() float64 { return float64(file.Status().LoadedAt.Unix()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "wardkeeper_directory_users",
			Help: "Users in the directory in force.",
		}, func() float64 { return float64(file.Status().Users) }),
	)
	return registry
}
