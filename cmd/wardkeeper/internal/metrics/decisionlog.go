package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionsink"
)

// DecisionLog returns the collector for a log of decisions and its sinks.
func DecisionLog(status func() decisionlog.Status, sinks []*decisionsink.Sink) prometheus.Collector {
	return decisions{status, sinks}
}

type decisions struct {
	status func() decisionlog.Status
	sinks  []*decisionsink.Sink
}

var (
	decisionsRecorded = prometheus.NewDesc("wardkeeper_decision_log_records_total", "Records of decisions that are on disk.", nil, nil)
	decisionsLost     = prometheus.NewDesc("wardkeeper_decision_log_lost_total", "Records that were lost although the answers left.", nil, nil)
	decisionsQueued   = prometheus.NewDesc("wardkeeper_decision_log_queued", "Records that wait to be written.", nil, nil)
	decisionsLag      = prometheus.NewDesc("wardkeeper_decision_log_lag_seconds", "Age of the oldest record that waits to be written.", nil, nil)
	decisionsFailing  = prometheus.NewDesc("wardkeeper_decision_log_failing", "1 while records cannot be written.", nil, nil)
	decisionsBytes    = prometheus.NewDesc("wardkeeper_decision_log_bytes", "Size of the files of the log.", nil, nil)

	sinkSent    = prometheus.NewDesc("wardkeeper_decision_sink_records_total", "Records that a sink has taken.", []string{"sink"}, nil)
	sinkLost    = prometheus.NewDesc("wardkeeper_decision_sink_lost_total", "Records that a sink will never get.", []string{"sink"}, nil)
	sinkBehind  = prometheus.NewDesc("wardkeeper_decision_sink_behind", "Records in the log that a sink does not have yet.", []string{"sink"}, nil)
	sinkLag     = prometheus.NewDesc("wardkeeper_decision_sink_lag_seconds", "Age of the oldest record that is being sent to a sink.", []string{"sink"}, nil)
	sinkFailing = prometheus.NewDesc("wardkeeper_decision_sink_failing", "1 while a sink does not take records.", []string{"sink"}, nil)
)

// Describe implements [prometheus.Collector].
func (decisions) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{decisionsRecorded, decisionsLost, decisionsQueued, decisionsLag, decisionsFailing, decisionsBytes, sinkSent, sinkLost, sinkBehind, sinkLag, sinkFailing} {
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
	for _, sink := range d.sinks {
		s := sink.Status()
		ch <- prometheus.MustNewConstMetric(sinkSent, prometheus.CounterValue, float64(s.Sent), s.Name)
		ch <- prometheus.MustNewConstMetric(sinkLost, prometheus.CounterValue, float64(s.Lost), s.Name)
		ch <- prometheus.MustNewConstMetric(sinkBehind, prometheus.GaugeValue, float64(s.Behind), s.Name)
		ch <- prometheus.MustNewConstMetric(sinkLag, prometheus.GaugeValue, s.Lag.Seconds(), s.Name)
		ch <- prometheus.MustNewConstMetric(sinkFailing, prometheus.GaugeValue, boolean(s.Failing != nil), s.Name)
	}
}
