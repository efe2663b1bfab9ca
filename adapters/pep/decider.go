package pep

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Decider answers questions: adapters/client does so over HTTP, adapters/inprocess with a linked engine. Implementations must
// be safe for concurrent use, bound their time, and never cache answers (PEP-5).
type Decider interface {
	// Decide answers every question, in order. If it returns an error, no question has been answered. Errors are logged, so
	// they must not contain a person or a value of a question.
	Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error)
}
