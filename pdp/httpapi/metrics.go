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

// metrics are the server's own. Every label has few values: paths are routes, methods those of HTTP, actions those configured.
type metrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	decisions *prometheus.CounterVec
	announced *prometheus.CounterVec
	refused   *prometheus.CounterVec
	overdue   prometheus.Counter
	// connections counts those that gave way to others.
	connections *prometheus.CounterVec
	actions     atomic.Pointer[map[string]*actionCounters] // replaced as a whole
	unknown     *actionCounters
	show        http.Handler
}

// actionCounters count the decisions on an action.
type actionCounters struct {
	name                    string
	allowed, denied, errors prometheus.Counter
}

// otherLabel stands for what has no label of its own.
const otherLabel = "other"

func newMetrics(cfg Config) (*metrics, error) {
	reg := cfg.Registry
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_http_requests_total",
			Help: "Requests answered. Status 499: the caller went away before the answer.",
		}, []string{"path", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "wardkeeper_http_request_duration_seconds",
			Help:    "Time from a request's head to its answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"path"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_decisions_total",
			Help: "Questions of evaluations by action and outcome: allowed, denied, or error, which is a denial too.",
		}, []string{"action", "outcome"}),
		announced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_announced_changes_total",
			Help: "Changes of records that callers announced, by kind, as far as the announcement succeeded.",
		}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wardkeeper_http_refused_total",
			Help: "Requests answered with 503 before any work was done, by reason: busy (no place became free), bodies (no room for large ones), streams (too many requests of HTTP/2 have begun), overdue (too many evaluations go on after their time).",
		}, []string{"reason"}),
		overdue: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "wardkeeper_http_overdue_total",
			Help: "Requests answered with 503 whose work went on, since nothing could stop it.",
		}),
	}
	m.connections = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wardkeeper_http_connections_dropped_total",
		Help: "Connections that ended since there were too many, by reason: closed (it was idle or slow, and a new one came), refused (answers were worked out on all the others).",
	}, []string{"reason"})
	m.connections.WithLabelValues("closed")
	m.connections.WithLabelValues("refused")
	for _, reason := range []string{"busy", "bodies", "streams", "overdue"} {
		m.refused.WithLabelValues(reason)
	}
	if cfg.Changes != nil {
		m.announce(0, 0)
	}
	m.unknown = newActionCounters(m.decisions, otherLabel)
	m.setActions(nil)
	var policyRevision func() string
	if cfg.Policy != nil {
		policyRevision = func() string { return cfg.Policy().ID }
	}
	err := errors.Join(
		reg.Register(m.requests), reg.Register(m.seconds), reg.Register(m.decisions), reg.Register(m.announced),
		reg.Register(m.refused), reg.Register(m.overdue), reg.Register(m.connections),
		reg.Register(newInfo("wardkeeper_policy_info", "The policy revision in force.", policyRevision)),
		reg.Register(newInfo("wardkeeper_directory_info", "The directory revision in force.", cfg.DirectoryRevision)),
		registerOnce(reg, collectors.NewGoCollector()),
		registerOnce(reg, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
	logger := cfg.Logger
	if logger == nil {
		logger = slog.Default()
	}
	m.show = promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	})
	return m, err
}

// registerOnce registers a collector that whoever made the registry may have registered already.
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

// setActions replaces the actions that have counters of their own.
func (m *metrics) setActions(names []string) {
	actions := make(map[string]*actionCounters, len(names))
	for _, name := range names {
		actions[name] = newActionCounters(m.decisions, strings.ToValidUTF8(name, "\ufffd"))
	}
	m.actions.Store(&actions)
}

// action gives the counters of an action by the name that a caller sent.
func (m *metrics) action(name string) *actionCounters {
	if a, ok := (*m.actions.Load())[name]; ok {
		return a
	}
	return m.unknown
}

// announce counts changes that have been announced.
func (m *metrics) announce(users, locations int) {
	m.announced.WithLabelValues(string(pdp.UserChanged)).Add(float64(users))
	m.announced.WithLabelValues(string(pdp.LocationChanged)).Add(float64(locations))
}

func (m *metrics) route(method, path string, level slog.Level) *route {
	rt := &route{path: path, method: method, level: level, seconds: m.seconds.WithLabelValues(path)}
	if method != "" {
		rt.answered = m.requests.WithLabelValues(path, method, "200")
	}
	return rt
}

func (m *metrics) observe(x *exchange, rt *route, elapsed time.Duration) {
	rt.seconds.Observe(elapsed.Seconds())
	if x.status == http.StatusOK && x.r.Method == rt.method {
		rt.answered.Inc()
		return
	}
	m.requests.WithLabelValues(rt.path, methodLabel(x.r.Method), strconv.Itoa(x.status)).Inc()
}

// methodLabel bounds what is otherwise any word of the caller's.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherLabel
}

// info is a gauge of 1 whose label is a revision, read when it is scraped.
type info struct {
	desc     *prometheus.Desc
	revision func() string
}

func newInfo(name, help string, revision func() string) prometheus.Collector {
	return &info{prometheus.NewDesc(name, help, []string{"revision"}, nil), revision}
}

func (i *info) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

func (i *info) Collect(ch chan<- prometheus.Metric) {
	if i.revision == nil {
		return
	}
	if r := i.revision(); r != "" {
		ch <- prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, 1, strings.ToValidUTF8(r, "\ufffd"))
	}
}
