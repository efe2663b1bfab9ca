package follow

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// maxCompiling bounds how many bundles are compiled at a time. Most of them have exceeded their time limit.
const maxCompiling = 4

// open verifies and compiles a bundle within the time for a check. A compiler cannot be interrupted: after that time it
// runs to its end, and its result is discarded. Until then the same bundle is not compiled again.
func (f *Follower) open(ctx context.Context, found fetched) (r *bundles.Revision, err error) {
	state := stateStore{state: f.store.state} // a copy: the compiler may outlive this call
	cfg := bundles.Config{
		Archive: found.archive, Raw: found.raw, Source: f.source.String(), Entrypoint: f.cfg.Entrypoint, Schema: f.cfg.Schema,
		Verification: f.cfg.Source.verification(), Limits: f.cfg.Source.limits, CheckRelease: state.checkRelease,
	}
	timeout := f.cfg.Source.checkTimeout
	late := &bundles.Refusal{Reason: bundles.Compile, Temporary: true, Err: fmt.Errorf("policy %s: it does not compile within %s", cfg.Source, timeout)}
	sum := found.digest()
	if !f.compiling.begin(sum) {
		return nil, late
	}
	type result struct {
		r   *bundles.Revision
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := f.cfg.open(ctx, cfg)
		f.compiling.end(sum)
		done <- result{r, err}
	}()
	select {
	case opened := <-done:
		return opened.r, opened.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(timeout):
		return nil, late
	}
}

// compiling is the set of bundles that are being compiled, by digest.
type compiling struct {
	mu      sync.Mutex
	digests map[string]bool
}

// begin adds a bundle. It refuses a bundle that is already being compiled, and more than maxCompiling at a time.
func (c *compiling) begin(digest string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.digests[digest] || len(c.digests) >= maxCompiling {
		return false
	}
	if c.digests == nil {
		c.digests = map[string]bool{}
	}
	c.digests[digest] = true
	return true
}

func (c *compiling) end(digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.digests, digest)
}
