package tracing

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Where nothing is traced, a span costs no memory.
func TestNoTraceCostsNothing(t *testing.T) {
	ctx := context.WithValue(t.Context(), http.ServerContextKey, "x")
	header := http.Header{}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		below, span := Start(ctx, "facts")
		Event(below, "memory")
		Inject(below, header)
		span.SetInt("n", 1)
		span.EndWith(nil)
		if On(below) || Continue(ctx, below) != ctx || span.TraceID() != "" {
			t.Error("nothing is traced")
		}
	}))
	assert.Empty(t, header)
}
