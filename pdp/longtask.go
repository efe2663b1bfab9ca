package pdp

import (
	"context"
	"runtime"
	"time"
)

// longTask is a task of many steps, such as a batch or a list. It lets shorter tasks run first.
type longTask struct{ yielded time.Time } // when others could

// longestTurn is how long a task runs before others may. Letting them takes as long as deciding a question, if another
// processor has to be woken for it.
const longestTurn = 200 * time.Microsecond

// step is called before each step. It fails once the context has ended.
func (t *longTask) step(ctx context.Context) error {
	if time.Since(t.yielded) > longestTurn {
		runtime.Gosched()
		t.yielded = time.Now()
	}
	if err := ctx.Err(); err != nil {
		return asError(ctx, err)
	}
	return nil
}
