package ask

import (
	"context"
	"net/http"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
)

const evaluationPath = "/access/v1/evaluation"

// Ask puts a question to a server and returns its decision. If it returns an error, there is no decision.
func Ask(ctx context.Context, c client.Client, q *Question) (*Decision, error) {
	answer, err := c.Post(ctx, evaluationPath, encode(q))
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, answer.Err()
	}
	return Decode(answer.Body)
}
