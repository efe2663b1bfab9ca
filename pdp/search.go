package pdp

import (
	"context"
)

// SearchSubjects lists who may.
func (e *Engine) SearchSubjects(ctx context.Context, r SearchRequest) (SearchResult, error) {
	return SearchResult{}, nil
}

// SearchResources lists what may be acted upon.
func (e *Engine) SearchResources(ctx context.Context, r SearchRequest) (SearchResult, error) {
	return SearchResult{}, nil
}

// SearchActions lists what may be done.
func (e *Engine) SearchActions(ctx context.Context, r SearchRequest) (SearchResult, error) {
	return SearchResult{}, nil
}
