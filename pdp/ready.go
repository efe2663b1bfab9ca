package pdp

import (
	"context"
	"errors"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// CheckPolicy fails where the active policy gives no well-formed decision. A policy that judges by membership facts
// has one for every question; of any other nothing can be asked without knowing it.
func (e *Engine) CheckPolicy(ctx context.Context) error {
	if !e.policy.administers() {
		return nil
	}
	s := &sitting{policy: e.policy, engine: e}
	term, err := s.ask(ctx, Request{
		Subject:  authzen.Entity{Type: "user", ID: "nobody"},
		Action:   authzen.Action{Name: "nothing"},
		Resource: authzen.Entity{Type: "user", ID: "nobody"},
	}, e.policy.decision)
	if err != nil {
		return err
	}
	d, err := readDecision(term)
	if err == nil && d.Allow {
		err = errors.New("the policy allows nobody to do nothing")
	}
	return err
}

// CheckFacts fails where no facts can be had, or where there are none. Without a source there is nothing to check.
func (e *Engine) CheckFacts(ctx context.Context) error {
	if e.source == nil {
		return nil
	}
	view, err := e.source.View(ctx)
	if err != nil {
		return err
	}
	some, err := view.Locations(ctx, LocationQuery{Limit: 1})
	if err == nil && len(some) == 0 {
		err = errors.New("the directory has no locations")
	}
	return err
}
