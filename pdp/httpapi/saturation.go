package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi/connlimit"
)

var (
	slotsUsed = prometheus.NewDesc("wardkeeper_http_slots_used",
		"Requests that are worked on, by kind: questions, batches (and searches), huge, announcements.", []string{"kind"}, nil)
	slotsLimit = prometheus.NewDesc("wardkeeper_http_slots_limit",
		"Requests that may be worked on at a time, by kind.", []string{"kind"}, nil)
	slotsWaiting = prometheus.NewDesc("wardkeeper_http_waiting_requests",
		"Requests that wait to be worked on, by kind.", []string{"kind"}, nil)
	connectionsOpen = prometheus.NewDesc("wardkeeper_http_connections_open",
		"Open client connections.", nil, nil)
	connectionsLimit = prometheus.NewDesc("wardkeeper_http_connections_limit",
		"Client connections that may be open.", nil, nil)
)

// saturation shows how much of what is limited is in use.
type saturation struct{ server *Server }

// Describe implements [prometheus.Collector].
func (saturation) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{slotsUsed, slotsLimit, slotsWaiting, connectionsOpen, connectionsLimit} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (s saturation) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	a := s.server.admission
	for _, one := range []struct {
		kind string
		*semaphore
	}{{"questions", a.questions}, {"batches", a.batches}, {"huge", a.huge}, {"announcements", a.announcements}} {
		gauge(slotsUsed, len(one.slots), one.kind)
		gauge(slotsLimit, cap(one.slots), one.kind)
		gauge(slotsWaiting, int(one.waiting.Load()), one.kind)
	}
	var open, limit int
	for _, l := range *s.server.limiters.Load() {
		used, most := l.Connections()
		open, limit = open+used, limit+most
	}
	gauge(connectionsOpen, open)
	gauge(connectionsLimit, limit)
}

// addLimiter makes the metrics show the connections of a limiter.
func (s *Server) addLimiter(l *connlimit.Limiter) {
	for {
		before := s.limiters.Load()
		after := append((*before)[:len(*before):len(*before)], l)
		if s.limiters.CompareAndSwap(before, &after) {
			return
		}
	}
}
