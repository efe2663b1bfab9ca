package pdp

import (
	"context"
	"errors"
)

// CheckPolicy fails where there is no policy that may decide, or where it does not decide well any more.
func (e *Engine) CheckPolicy(ctx context.Context) error {
	p, err := e.inForce()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return p.probe(ctx)
}

// ErrNoLocations is for a directory by which nobody can be allowed anything.
var ErrNoLocations = errors.New("the directory has no locations")

// CheckFacts fails where no facts can be had, or where there are none. Without a source there is nothing to check.
func (e *Engine) CheckFacts(ctx context.Context) error {
	if e.source == nil {
		return nil
	}
	if c, ok := e.source.(Checker); ok {
		return c.CheckFacts(ctx)
	}
	view, err := e.source.View(ctx, Need{Using: true})
	if err != nil {
		return err
	}
	some, err := view.Locations(ctx, LocationQuery{Limit: 1})
	if err == nil && len(some) == 0 {
		err = ErrNoLocations
	}
	return err
}
