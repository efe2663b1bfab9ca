package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// States of readiness, from best to worst.
const (
	stateReady    = "ready"    // every question can be decided
	stateDegraded = "degraded" // some questions can be decided
	stateUseless  = "useless"  // no question can be decided
	stateStopping = "stopping" // questions are decided, but the server is about to stop
)

// readinessInterval is the mean interval between the checks of [Server.WatchReadiness]. Half of it more is the most, so that
// metrics and log show the end of an outage within five seconds.
const readinessInterval = 3 * time.Second

// readiness is the last known readiness, for metrics, and for the log, which shows its changes.
type readiness struct {
	mu      sync.Mutex
	state   string // "" before the first check
	missing []string
	since   time.Time
	causes  map[string]string // of the last checks, by their public names
}

// assess returns the state of readiness for the results of checks, and the public names of those that failed.
func assess(checks []Check) (state string, missing []string) {
	state = stateReady
	for _, check := range checks {
		switch {
		case check.Err == nil || check.Recent:
			continue
		case !check.Degraded:
			state = stateUseless
		case state == stateReady:
			state = stateDegraded
		}
		missing = append(missing, publicName(check.Name))
	}
	return state, missing
}

// maxCause bounds what operators see of a cause, in bytes.
const maxCause = 500

// causesOf returns why checks fail, each on one line, by their public names.
func causesOf(checks []Check) map[string]string {
	causes := map[string]string{}
	for _, check := range checks {
		if check.Err != nil {
			text := strings.ReplaceAll(check.Err.Error(), "\n", "; ")
			if len(text) > maxCause {
				text = strings.ToValidUTF8(text[:maxCause], "") + " ..."
			}
			causes[publicName(check.Name)] = text
		}
	}
	return causes
}

// lastCauses returns why the last checks failed. The caller must not change it.
func (r *readiness) lastCauses() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.causes
}

// record keeps the result of checks, and logs it if it differs from the last one.
func (r *readiness) record(state string, missing []string, checks []Check, logger *slog.Logger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.causes = causesOf(checks)
	if r.state == state && slices.Equal(r.missing, missing) || r.state == stateStopping {
		return
	}
	first, lasted := r.state == "", time.Since(r.since)
	r.state, r.missing, r.since = state, missing, time.Now()
	var attrs []any
	for _, check := range checks {
		if check.Err != nil && !check.Recent {
			attrs = append(attrs, "missing", check.Name, "cause", check.Err)
		}
	}
	switch {
	case state == stateStopping:
	case state == stateUseless:
		logger.Error("useless: no question can be decided now", attrs...)
	case state == stateDegraded:
		logger.Warn("degraded: questions are answered, but something is missing", attrs...)
	case !first:
		logger.Info("ready again", "lasted_ms", lasted.Milliseconds())
	}
}

// AnnounceStop makes the server not ready, for good. It goes on answering, and tells clients to close their connections,
// so that the server can stop once load balancers have noticed.
func (s *Server) AnnounceStop() {
	s.stopping.Store(true)
	s.readiness.record(stateStopping, nil, nil, s.log)
}

// closeIfStopping tells the client to close the connection after this response, if the server is about to stop. net/http
// obeys the field as well, over HTTP/2 by GOAWAY. Closing idle connections instead could hit one on which a request is on
// its way.
func (rc *requestContext) closeIfStopping() {
	if rc.server.stopping.Load() {
		rc.w.Header()["Connection"] = []string{"close"}
	}
}

// WatchReadiness checks the readiness every few seconds until ctx ends, so that metrics and log show it even if nothing
// requests /ready.
func (s *Server) WatchReadiness(ctx context.Context) {
	for {
		s.checkReadiness(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(readinessInterval/2 + rand.N(readinessInterval)):
		}
	}
}

// checkReadiness checks the readiness without a request. Unlike a request it does not wait for capacity.
func (s *Server) checkReadiness(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var checks []Check
	func() {
		defer func() {
			if cause := recover(); cause != nil {
				checks = []Check{{Name: "checks", Err: fmt.Errorf("panic: %v", cause)}}
			}
		}()
		switch {
		case s.admission.exhausted():
			checks = []Check{{Name: capacityCheck, Err: errNoCapacity}}
		case s.ready != nil:
			checks = s.ready(ctx)
		}
	}()
	if ctx.Err() == nil {
		state, missing := assess(checks)
		s.readiness.record(state, missing, checks, s.log)
	}
}

var (
	readinessState = prometheus.NewDesc("wardkeeper_readiness_state",
		"1 for the present state: ready, degraded (some questions can be decided), useless (none can), stopping.", []string{"state"}, nil)
	readinessMissing = prometheus.NewDesc("wardkeeper_readiness_missing",
		"1 for each check of readiness that fails.", []string{"check"}, nil)
)

// Describe implements [prometheus.Collector].
func (r *readiness) Describe(ch chan<- *prometheus.Desc) {
	ch <- readinessState
	ch <- readinessMissing
}

// Collect implements [prometheus.Collector].
func (r *readiness) Collect(ch chan<- prometheus.Metric) {
	r.mu.Lock()
	state, missing := r.state, slices.Compact(slices.Sorted(slices.Values(r.missing)))
	r.mu.Unlock()
	for _, one := range []string{stateReady, stateDegraded, stateUseless, stateStopping} {
		value := 0.0
		if one == state {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(readinessState, prometheus.GaugeValue, value, one)
	}
	for _, name := range missing {
		ch <- prometheus.MustNewConstMetric(readinessMissing, prometheus.GaugeValue, 1, name)
	}
}

// publicName replaces any name that is not plain, so that readiness never shows addresses or the like.
func publicName(name string) string {
	invalid := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if name == "" || len(name) > 32 || strings.ContainsFunc(name, invalid) {
		return "other"
	}
	return name
}
