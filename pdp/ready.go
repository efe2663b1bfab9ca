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

// CheckFacts fails where no facts can be had, or where there are none. Without a source there is nothing to check.
func (e *Engine) CheckFacts(ctx context.Context) error {
	if e.source == nil {
		return nil
	}
	view, err := e.source.View(ctx, Need{Using: true})
	if err != nil {
		return err
	}
	some, err := view.Locations(ctx, LocationQuery{Limit: 1})
	if err == nil && len(some) == 0 {
		err = errors.New("the directory has no locations")
	}
	return err
}
