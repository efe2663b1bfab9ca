package httpapi

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func (x *exchange) searchSubjects() error {
	return x.search(authzen.DecodeSubjectSearch, x.s.decider.SearchSubjects)
}

func (x *exchange) searchResources() error {
	return x.search(authzen.DecodeResourceSearch, x.s.decider.SearchResources)
}

func (x *exchange) searchActions() error {
	return x.search(authzen.DecodeActionSearch, x.s.decider.SearchActions)
}

// search answers one of the three searches (section 8).
func (x *exchange) search(
	decode func([]byte) (authzen.Search, error),
	find func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error),
) error {
	x.tally.searches, x.large = true, true
	body, err := x.body()
	if err != nil {
		return err
	}
	q, err := decode(body)
	if err != nil {
		return err
	}
	x.tally.action = x.s.metrics.action(q.Action.Name)
	ctx, cancel := x.deadline()
	defer cancel()
	found, err := find(ctx, pdp.SearchRequest(q))
	if err = x.settle(ctx, err); err != nil {
		return err
	}
	if x.out, err = appendSearchResult(x.out[:0], &found); err != nil {
		return unwritable(err)
	}
	x.tally.hits = len(found.Hits)
	return nil
}
