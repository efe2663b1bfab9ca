package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/factsource"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/metrics"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
)

// sidecarConfig configures a sidecar.
type sidecarConfig struct {
	bundle    *follow.BundleSource // nil for the built-in policy
	once      bool                 // open the bundle without following it or writing to the state directory
	decision  string               // path of the rule that decides
	directory string               // a file, or the name of the source behind cached; empty if the policy needs no facts
	cached    *factsource.Config   // nil for a file
	timeout   time.Duration        // of each evaluation
	evaluator string               // of policies
	serveData bool                 // to clients of OPA's API
	onLoad    func()               // called after each load of a directory file; may be nil
	decisions *decisionLog         // nil: decisions are not recorded
	fleetKey  *fleetkey.Keys       // nil: there is none
	guards    pdp.GuardConfig      // without claims
}

// sidecar is an engine with the policy and the facts it decides by.
type sidecar struct {
	engine    *pdp.Engine
	follower  *follow.Follower // nil if the policy is not followed
	directory factSource       // nil if there are no facts
	decisions *decisionLog     // nil if decisions are not recorded
	fleetKey  *fleetkey.Keys   // nil if there is none

	interpreted     bool // whether policies are interpreted even if they can be compiled
	requireApproval bool // whether a new policy has to approve what it allows
	logger          *slog.Logger

	stopping atomic.Bool // it is not ready any more, and about to stop

	mu     sync.Mutex
	server *httpapi.Server // nil until newServer
}

var errNoDirectory = errors.New("--directory is missing: the policy needs a file, application or database with locations and users")

// openSidecar opens policy and directory. Its error joins the faults of both.
func openSidecar(ctx context.Context, cfg sidecarConfig, logger *slog.Logger) (*sidecar, error) {
	s := &sidecar{interpreted: cfg.evaluator == pdp.Interpreted, logger: logger, decisions: cfg.decisions, fleetKey: cfg.fleetKey}
	s.requireApproval = cfg.bundle != nil && cfg.bundle.RequiresApproval()
	engine := pdp.Config{Timeout: cfg.timeout, ServeData: cfg.serveData, Logger: logger, Stale: s.stale, Recorder: cfg.decisions.recorderOf(),
		FleetKey: cfg.fleetKey, Guards: cfg.guards}
	if cfg.cached != nil {
		remote, err := openRemote(cfg.directory, *cfg.cached)
		if err != nil {
			return nil, err
		}
		s.directory, engine.Source, engine.Guards.Claims = remote, remote, remote.claims
	} else if cfg.directory != "" {
		s.directory = &fileDirectory{path: cfg.directory, logger: logger, onLoad: cfg.onLoad}
		engine.Source = s.directory
	}
	s.engine = pdp.New(engine)
	err := s.openPolicy(ctx, cfg, logger)
	if err == nil && s.directory != nil && s.engine.Policy() == nil {
		err = s.directory.checkExists() // the first policy to arrive checks its content
	}
	if s.directory != nil && cfg.once {
		err = errors.Join(err, s.directory.checkReachable(ctx))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openPolicy commits the first policy, or begins to follow the bundle.
func (s *sidecar) openPolicy(ctx context.Context, cfg sidecarConfig, logger *slog.Logger) (err error) {
	if cfg.bundle != nil && !cfg.once {
		s.follower, err = follow.Start(ctx, follow.Config{
			Source: cfg.bundle, Entrypoint: cfg.decision, Schema: inputSchema(), Gate: s.gate, Logger: logger,
		})
		return err
	}
	r, err := openRevision(ctx, cfg.bundle, cfg.decision)
	if err != nil {
		return err
	}
	r.WarnNotLoaded(logger)
	candidate, err := s.gate(ctx, r)
	if err == nil {
		candidate.Commit()
	}
	return err
}

func (s *sidecar) stale() bool { return s.follower != nil && s.follower.Stale() }

// reload reads policy and facts again, over new connections. The log and the status show what failed.
func (s *sidecar) reload() {
	if s.follower != nil {
		s.follower.Renew()
	}
	if s.directory != nil {
		s.directory.reload()
	}
	s.fleetKey.Renew()
}

func (s *sidecar) close() {
	if s.follower != nil {
		s.follower.Close()
	}
	if s.directory != nil {
		s.directory.close()
	}
}

// newServer creates the HTTP server. It adds to cfg what concerns the engine, the policy and the facts.
func (s *sidecar) newServer(cfg httpapi.Config, more ...prometheus.Collector) (*httpapi.Server, error) {
	cfg.Decider, cfg.Data, cfg.Claims = s.engine, s.engine, s.engine
	cfg.Ready = s.ready
	cfg.Policy = s.policyStatus
	cfg.Registry = prometheus.NewRegistry()
	cfg.Registry.MustRegister(more...)
	if s.decisions != nil {
		cfg.Recorded = true
		cfg.Registry.MustRegister(metrics.DecisionLog(s.decisions.log.Status, s.decisions.sinks))
	}
	if s.fleetKey != nil {
		cfg.Registry.MustRegister(metrics.FleetKey(s.fleetKey.Status))
	}
	if s.follower != nil {
		cfg.Registry.MustRegister(metrics.Bundle(s.follower)...)
	}
	switch directory := s.directory.(type) {
	case *fileDirectory:
		cfg.Registry.MustRegister(metrics.DirectoryFile(directory.status)...)
		cfg.DirectoryRevision = func() string { return directory.status().Revision }
	case *remoteDirectory:
		cfg.Registry.MustRegister(metrics.Facts(func() cache.Status { return s.publicFacts(directory.Status()) }), metrics.Pools(directory.Pools))
		if directory.listening != nil {
			cfg.Registry.MustRegister(metrics.Listening(directory.listening))
		}
		cfg.Membership = directory.membershipStatus
		if cfg.Callers != nil && cfg.Callers.Requires(httpapi.RoleAnnounce) {
			cfg.Changes = directory
		}
	}
	server, err := httpapi.New(cfg)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	s.publishActions()
	return server, nil
}

// announceStop makes the sidecar not ready, for good. It goes on answering.
func (s *sidecar) announceStop() {
	s.stopping.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.AnnounceStop()
	}
}

// count counts a decision that an adapter asked for.
func (s *sidecar) count(action string, d *pdp.Decision, err error) {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server != nil {
		server.CountDecision(action, d, err)
	}
}

// publishActions passes the actions of the active policy to the server.
func (s *sidecar) publishActions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return
	}
	if p := s.engine.Policy(); p != nil {
		s.server.SetActions(p.Actions(), p.ReadOnly)
	}
}

// String describes policy and directory for people.
func (s *sidecar) String() string {
	text := "no policy yet"
	if p := s.engine.Policy(); p != nil {
		text = "policy " + policyName(p.Revision())
	}
	if s.directory == nil {
		return text + ", no directory"
	}
	return fmt.Sprintf("%s, directory %s", text, s.directory)
}

// logAttrs describes policy and directory for logs.
func (s *sidecar) logAttrs() []any {
	var attrs []any
	if p := s.engine.Policy(); p != nil {
		attrs = append(attrs, "revision", p.Revision().ID, "policies", p.Revision().Source)
	}
	if s.directory != nil {
		attrs = append(attrs, s.directory.logAttrs()...)
	}
	return attrs
}

// publicFacts returns a status whose records may be named in metrics.
func (s *sidecar) publicFacts(status cache.Status) cache.Status {
	for i, name := range status.Quarantined {
		status.Quarantined[i] = s.decisions.public(name)
	}
	slices.Sort(status.Quarantined) // equal names follow each other
	return status
}
