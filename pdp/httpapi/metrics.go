package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// metrics are the metrics of a server. Labels have few values: paths of routes, HTTP methods, and configured actions.
type metrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	decisions *prometheus.CounterVec
	announced *prometheus.CounterVec
	refused   *prometheus.CounterVec
	overdue   prometheus.Counter
	claims    *prometheus.CounterVec
	// connections counts dropped connections.
	connections *prometheus.CounterVec
	actions     atomic.Pointer[map[string]*actionCounters] // by name; replaced as a whole
	otherAction *actionCounters
	handler     http.Handler
}

// actionCounters count the decisions on an action.
type actionCounters struct {
	name                    string
	readOnly                bool // the action changes nothing
	allowed, denied, errors prometheus.Counter
}

// otherLabel is the label of everything that has no label of its own.
const otherLabel = "other"

func newMetrics(cfg Config, more ...prometheus.Collector) (*metrics, error) {
	reg := cfg.Registry
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_http_requests_total",
			Help: "Requests answered. Status 499: the client disconnected before the response.",
		}, []string{"path", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wardkeeper_http_request_duration_seconds",
			Help:    "Time from the head of a request to its response.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"path"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_decisions_total",
			Help: "Evaluations by action and outcome: allowed, denied, or error, which clients see as a denial or an error.",
		}, []string{"action", "outcome"}),
		announced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_announced_changes_total",
			Help: "Membership changes announced by clients, by kind. Failed announcements do not count.",
		}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_http_refused_total",
			Help: "Requests rejected before any work was done, by reason. With status 503: busy (too much work in progress), bodies (too many bytes of large bodies), streams (too many HTTP/2 requests), overdue (too much work in progress after its deadline); or with status 429: rate (more requests of a caller than it may send).",
		}, []string{"reason"}),
		overdue: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "wardkeeper_http_overdue_total",
			Help: "Requests answered with status 503 at their deadline although their work could not be stopped.",
		}),
	}
	m.claims = newClaimCounters(cfg.Claims != nil)
	m.connections = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wardkeeper_http_connections_dropped_total",
		Help: "Connections dropped because there were too many, by reason: closed (idle or slow, in favor of a new one), refused (new, while all others were busy).",
	}, []string{"reason"})
	m.connections.WithLabelValues("closed")
	m.connections.WithLabelValues("refused")
	for _, reason := range []string{"busy", "bodies", "streams", "overdue", "rate"} {
		m.refused.WithLabelValues(reason)
	}
	if cfg.Changes != nil {
		m.countChanges(0, 0)
	}
	m.otherAction = newActionCounters(m.decisions, otherLabel)
	m.setActions(nil, nil)
	var policyRevision func() string
	if cfg.Policy != nil {
		policyRevision = func() string { return cfg.Policy().ID }
	}
	err := errors.Join(
		reg.Register(m.requests), reg.Register(m.seconds), reg.Register(m.decisions), reg.Register(m.announced),
		reg.Register(m.refused), reg.Register(m.overdue), reg.Register(m.connections), reg.Register(m.claims),
		reg.Register(newRevisionInfo("wardkeeper_policy_info", "The policy revision in force.", policyRevision)),
		reg.Register(newRevisionInfo("wardkeeper_directory_info", "The directory revision in force.", cfg.DirectoryRevision)),
		registerOnce(reg, collectors.NewGoCollector()),
		registerOnce(reg, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
	for _, c := range more {
		err = errors.Join(err, reg.Register(c))
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.Default()
	}
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	})
	return m, err
}

// registerOnce registers a collector unless the owner of the registry has already done so.
func registerOnce(reg *prometheus.Registry, c prometheus.Collector) error {
	err := reg.Register(c)
	if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return nil
	}
	return err
}

func newActionCounters(v *prometheus.CounterVec, name string) *actionCounters {
	return &actionCounters{
		name:    name,
		allowed: v.WithLabelValues(name, outcomeAllowed),
		denied:  v.WithLabelValues(name, outcomeDenied),
		errors:  v.WithLabelValues(name, outcomeError),
	}
}

// setActions sets the actions that have their own counters. readOnly reports whether one changes nothing; nil: none does.
func (m *metrics) setActions(names []string, readOnly func(name string) bool) {
	actions := make(map[string]*actionCounters, len(names))
	for _, name := range names {
		actions[name] = newActionCounters(m.decisions, strings.ToValidUTF8(name, "\ufffd"))
		actions[name].readOnly = readOnly != nil && readOnly(name)
	}
	m.actions.Store(&actions)
}

// action returns the counters for an action named by a client.
func (m *metrics) action(name string) *actionCounters {
	if a, ok := (*m.actions.Load())[name]; ok {
		return a
	}
	return m.otherAction
}

// countChanges counts announced changes.
func (m *metrics) countChanges(users, locations int) {
	m.announced.WithLabelValues(string(pdp.UserChanged)).Add(float64(users))
	m.announced.WithLabelValues(string(pdp.LocationChanged)).Add(float64(locations))
}

func (m *metrics) newRoute(method, path string, level slog.Level, format errorFormat) *route {
	rt := &route{path: path, method: method, level: level, errorFormat: format, seconds: m.seconds.WithLabelValues(path)}
	if method != "" {
		rt.answered = m.requests.WithLabelValues(path, method, "200")
	}
	return rt
}

// observe counts an answered request.
func (m *metrics) observe(rc *requestContext, elapsed time.Duration) {
	rt := rc.route
	rt.seconds.Observe(elapsed.Seconds())
	if rc.status == http.StatusOK && rc.r.Method == rt.method {
		rt.answered.Inc()
		return
	}
	m.requests.WithLabelValues(rt.path, methodLabel(rc.r.Method), strconv.Itoa(rc.status)).Inc()
}

// methodLabel limits the values of the label: clients can send any method.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherLabel
}

// showMetrics responds with the metrics in Prometheus' format.
func (rc *requestContext) showMetrics() error {
	rc.beginSending()
	rc.server.metrics.handler.ServeHTTP(rc.w, rc.r)
	return nil
}

// revisionInfo is a gauge with value 1 whose label is the current revision.
type revisionInfo struct {
	desc     *prometheus.Desc
	revision func() string
}

func newRevisionInfo(name, help string, revision func() string) prometheus.Collector {
	return &revisionInfo{prometheus.NewDesc(name, help, []string{"revision"}, nil), revision}
}

func (i *revisionInfo) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

func (i *revisionInfo) Collect(ch chan<- prometheus.Metric) {
	if i.revision == nil {
		return
	}
	if r := i.revision(); r != "" {
		ch <- prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, 1, strings.ToValidUTF8(r, "\ufffd"))
	}
}
