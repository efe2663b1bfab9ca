package pep

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Decider answers questions: adapters/client over HTTP, adapters/inprocess with the engine linked in. Implementations are safe for
// concurrent use, bound their time, and never cache answers (PEP-5).
type Decider interface {
	// Decide answers every question, in order. After an error nothing has been answered. Errors name no person and no value of a
	// question: they are logged.
	Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error)
}
