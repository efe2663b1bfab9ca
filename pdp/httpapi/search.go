package httpapi

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func (rc *requestContext) searchSubjects() error {
	return rc.search(authzen.DecodeSubjectSearch, rc.server.decider.SearchSubjects)
}

func (rc *requestContext) searchResources() error {
	return rc.search(authzen.DecodeResourceSearch, rc.server.decider.SearchResources)
}

func (rc *requestContext) searchActions() error {
	return rc.search(authzen.DecodeActionSearch, rc.server.decider.SearchActions)
}

// search answers a search of any kind (pdp/authzen/PROTOCOL.md section 8).
func (rc *requestContext) search(
	decode func([]byte) (authzen.Search, error),
	find func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error),
) error {
	rc.stats.search, rc.batchWork = true, true
	body, err := rc.jsonBody(authzen.MaxBody)
	if err != nil {
		return err
	}
	request, err := decode(body)
	if err != nil {
		return err
	}
	rc.stats.action = rc.server.metrics.action(request.Action.Name)
	ctx := rc.startWork()
	defer rc.endWork()
	result, err := find(ctx, pdp.SearchRequest(request))
	if err = rc.timeoutIfExpired(ctx, err); err != nil {
		return err
	}
	if rc.out, err = appendSearchResult(rc.out[:0], &result); err != nil {
		return encodingError(err)
	}
	rc.stats.hits = len(result.Hits)
	return nil
}
