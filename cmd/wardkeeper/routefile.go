package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/identity"
	"github.com/wardkeeper/wardkeeper/adapters/inprocess"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// openRouteFile opens the route file of the settings. It returns a function that returns the current checker of requests, or
// nil if the settings name no route file or clients is nil. The file is read again when it changes; if it then has faults, the
// last good version stays in force.
func openRouteFile(s *config.Settings, side *sidecar, clients *callers.Callers, logger *slog.Logger) (func() *check.Checker, error) {
	if s.Routes == "" || clients == nil {
		return nil, nil
	}
	proven := clients.Requires(httpapi.RoleAsk) || onlySockets(s.Addr) && onlySockets(s.ExtAuthz)
	var verifier verifiers
	checker, err := rotation.Open(rotation.Config[*check.Checker]{
		Name: "the route file", Paths: []string{s.Routes}, MaxSize: routes.MaxFile, Logger: logger,
		Parse: func(contents [][]byte) (*check.Checker, error) {
			table, err := routes.Parse(contents[0])
			if err != nil {
				return nil, err
			}
			if err := servable(table, proven, len(s.ExtAuthz) > 0); err != nil {
				return nil, err
			}
			config := check.Config{Routes: table, Decider: inprocess.New(countedEngine{side}), Logger: logger}
			if config.Verifier, err = verifier.of(table, logger); err != nil {
				return nil, err
			}
			return check.New(config)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Spelling("routes"), err)
	}
	return checker.Get, nil
}

// verifiers keeps the token verifier while the token settings stay the same. A change of the routes must not drop the issuer's
// keys, since the issuer may be unavailable. Callers hold the lock of the route file.
type verifiers struct {
	settings identity.Config
	last     *identity.Verifier
}

// of returns the verifier of the tokens that a route file accepts, or nil if it accepts none.
func (v *verifiers) of(table *routes.Table, logger *slog.Logger) (routes.Verifier, error) {
	jwt := table.Subject().JWT
	if jwt == nil {
		return nil, nil
	}
	settings := jwt.Config()
	if v.last != nil && reflect.DeepEqual(settings, v.settings) {
		return v.last, nil
	}
	made, err := jwt.NewVerifier(logger)
	if err != nil {
		return nil, err
	}
	v.settings, v.last = settings, made
	return made, nil
}

func onlySockets(addrs config.AddrList) bool {
	return !slices.ContainsFunc(addrs, func(addr string) bool { return !config.IsUnix(addr) })
}

// servable rejects a route file that cannot work for proxies. proven means that proxies prove who they are, bodies that there
// may be a proxy that sends bodies.
func servable(table *routes.Table, proven, bodies bool) error {
	var faults []error
	if header := table.Subject().Header; header != "" && !proven {
		faults = append(faults, fmt.Errorf("anybody could name a person in the header %s: give proxies a token (--token-file, or callers), or listen on Unix sockets alone", header))
	}
	for _, r := range table.Routes() {
		if r.DrawsBody && !bodies {
			faults = append(faults, fmt.Errorf("line %d: the route %s draws from the body, which proxies do not send when they ask", r.Line, r.Path))
		}
	}
	return errors.Join(faults...)
}

// countedEngine is the engine of a sidecar. It counts its decisions in the server's metrics.
type countedEngine struct{ side *sidecar }

func (e countedEngine) Decide(ctx context.Context, r pdp.Request) (pdp.Decision, error) {
	d, err := e.side.engine.Decide(e.from(ctx), r)
	e.side.count(r.Action.Name, &d, err)
	return d, err
}

func (e countedEngine) DecideAll(ctx context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error) {
	outcomes, err := e.side.engine.DecideAll(e.from(ctx), items, s)
	for i := range outcomes {
		e.side.count(items[i].Request.Action.Name, &outcomes[i].Decision, outcomes[i].Err)
	}
	return outcomes, err
}

// from tells the records of decisions how a request came in that is not one of the HTTP API.
func (e countedEngine) from(ctx context.Context) context.Context {
	caller := pdp.CallerOf(ctx)
	if !e.side.engine.Records() || caller.Door != "" {
		return ctx
	}
	caller.Door, caller.RequestID = "ext_authz", pep.TraceOf(ctx).RequestID
	return pdp.WithCaller(ctx, caller)
}
