package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// sources says what decisions are made from.
type sources struct {
	bundle    *follow.Origin // nil: the built-in policy
	decision  string
	directory string                   // a file; may be empty where the policy needs none
	cached    *membership.CachedConfig // instead of a file, which directory then names; nil for a file
	timeout   time.Duration
	serveData bool   // to clients of OPA's API
	settled   func() // is called after each directory file that was loaded; may be nil
	once      bool   // takes the bundle as it is now: it is not followed, and nothing is written
}

// decisions is an engine together with what it decides by.
type decisions struct {
	engine    *pdp.Engine
	follower  *follow.Follower       // nil where the policy is the built-in one
	directory directory              // nil where facts are absent
	activated atomic.Pointer[func()] // is called after each policy; nil until there is a front door
}

var errNoDirectory = errors.New("--directory is missing: name the file, application or database with locations and users, which the policy judges by")

// open makes an engine of policy and directory. Its error has every fault of both.
func open(ctx context.Context, s sources, logger *slog.Logger) (*decisions, error) {
	d := &decisions{}
	cfg := pdp.Config{Timeout: s.timeout, ServeData: s.serveData, Logger: logger, Stale: d.stale}
	if s.cached != nil {
		remote, err := openRemote(s.directory, *s.cached)
		if err != nil {
			return nil, err
		}
		d.directory, cfg.Source = remote, remote
	} else if s.directory != "" {
		d.directory = &fileDirectory{path: s.directory, logger: logger, settled: s.settled}
		cfg.Source = d.directory
	}
	d.engine = pdp.New(cfg)
	err := d.openPolicy(ctx, s, logger)
	if err == nil && d.directory != nil && d.engine.Policy() == nil {
		err = d.directory.exists() // what it says is judged by the first policy that comes
	}
	if d.directory != nil && s.once {
		err = errors.Join(err, d.directory.reached(ctx))
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// openPolicy activates the first policy, together with the directory that it judges by.
func (d *decisions) openPolicy(ctx context.Context, s sources, logger *slog.Logger) (err error) {
	if s.bundle != nil && !s.once {
		d.follower, err = follow.Start(ctx, follow.Config{
			Origin: s.bundle, Entrypoint: s.decision, Schema: inputSchema(), Gate: d.gate, Logger: logger,
		})
		return err
	}
	r, err := openNow(ctx, s.bundle, s.decision)
	if err != nil {
		return err
	}
	r.WarnNotLoaded(logger)
	next, err := d.gate(ctx, r)
	if err == nil {
		next.Commit()
	}
	return err
}

func (d *decisions) stale() bool { return d.follower != nil && d.follower.Stale() }

func (d *decisions) close() {
	if d.follower != nil {
		d.follower.Close()
	}
	if d.directory != nil {
		d.directory.close()
	}
}

// frontDoor is the HTTP side of the decisions. What it is to serve is named by cfg; the rest is filled in here.
func (d *decisions) frontDoor(cfg httpapi.Config, more ...prometheus.Collector) (*httpapi.Server, error) {
	cfg.Decider, cfg.Data = d.engine, d.engine
	cfg.Ready = func(ctx context.Context) []httpapi.Check {
		checks := []httpapi.Check{{Name: "policy", Err: d.engine.CheckPolicy(ctx)}}
		if d.engine.Policy() != nil { // the directory is opened by the tables of the first one
			checks = append(checks, httpapi.Check{Name: "directory", Err: d.engine.CheckFacts(ctx)})
		}
		return checks
	}
	cfg.Policy = d.policyStatus
	cfg.Registry = newRegistry(d)
	cfg.Registry.MustRegister(more...)
	switch directory := d.directory.(type) {
	case *fileDirectory:
		cfg.DirectoryRevision = func() string { return directory.status().Revision }
	case *remoteDirectory:
		cfg.Membership = directory.membershipStatus
		if cfg.ChangesTokens != nil {
			cfg.Changes = directory
		}
	}
	api, err := httpapi.New(cfg)
	if err == nil {
		d.onActivate(func() { api.SetActions(d.actions()) })
	}
	return api, err
}

// String says what decisions are made from, for people.
func (d *decisions) String() string {
	s := "no policy yet"
	if p := d.engine.Policy(); p != nil {
		s = "policy " + policyName(p.Revision())
	}
	if d.directory == nil {
		return s + ", no directory"
	}
	return fmt.Sprintf("%s, directory %s", s, d.directory)
}

// attributes says the same to machines, after more attributes.
func (d *decisions) attributes(more ...any) []any {
	if p := d.engine.Policy(); p != nil {
		more = append(more, "revision", p.Revision().ID, "policies", p.Revision().Source)
	}
	if d.directory != nil {
		more = append(more, d.directory.attributes()...)
	}
	return more
}
