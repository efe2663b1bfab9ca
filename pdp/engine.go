// Package pdp decides: it gathers the facts of a question, asks the active policy and reads its answer strictly.
//
// It knows no rule of any model; those are in policies. What it does know of the domain is how records join: which
// locations lie beneath which, and that in a practice group nothing counts while the assignment at the group does not.
// It knows no HTTP and no source; those are around it.
package pdp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Config is what an engine is made of.
type Config struct {
	Revision *bundles.Revision // the active policy
	Source   Source            // nil: facts are absent
	Timeout  time.Duration     // for each evaluation; 0 means 1 s
	Logger   *slog.Logger      // nil: slog.Default()
}

// Engine decides. It is safe for concurrent use.
type Engine struct {
	policy  *policy
	source  Source
	timeout time.Duration
	log     *slog.Logger
	keep    *keeper
}

// New makes an engine. It fails where [CheckTables] does.
func New(cfg Config) (*Engine, error) {
	if cfg.Revision == nil {
		return nil, errors.New("an engine needs a policy revision")
	}
	ctx := context.Background()
	if err := CheckTables(ctx, cfg.Revision); err != nil {
		return nil, err
	}
	p, err := newPolicy(ctx, cfg.Revision)
	if err != nil {
		return nil, fmt.Errorf("policies %s: %w", cfg.Revision.Source, err)
	}
	e := &Engine{policy: p, source: cfg.Source, timeout: cfg.Timeout, log: cfg.Logger, keep: newKeeper(keptAccounts)}
	if e.timeout == 0 {
		e.timeout = time.Second
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	return e, nil
}

// CheckTables asks the policy itself what is wrong with its tables; each fault is a sentence that names the cell.
func CheckTables(ctx context.Context, r *bundles.Revision) error {
	value, err := lookUp(ctx, r, beside(r, "faults"))
	if err != nil {
		return fmt.Errorf("policies %s: the tables cannot be checked: %w", r.Source, err)
	}
	found, _ := value.([]any)
	errs := make([]error, 0, len(found))
	for _, fault := range found {
		errs = append(errs, fmt.Errorf("policies %s: %v", r.Source, fault))
	}
	return errors.Join(errs...)
}

// Actions lists the actions that the policy's tables name, sorted; none for a policy without such tables.
func (e *Engine) Actions() []string {
	return slices.Sorted(maps.Keys(e.policy.catalogue))
}

// Decide answers one question. A denial is no error; an error is never an allow, and is an [*Error] whose kind says
// whether the question, the facts or the policy is at fault.
func (e *Engine) Decide(ctx context.Context, r Request) (Decision, error) {
	s, err := e.sit(ctx)
	if err != nil {
		return Decision{}, err
	}
	return s.decide(ctx, r)
}

// DecideAll answers a batch of questions, all under one revision and one state of the directory. It stops as the
// semantic says; the last outcome is then the one that stopped it.
func (e *Engine) DecideAll(ctx context.Context, items []Item, semantic authzen.Semantic) ([]Outcome, error) {
	s, err := e.sit(ctx)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, 0, len(items))
	for _, item := range items {
		outcome := Outcome{Err: item.Err}
		if err := ctx.Err(); err != nil && item.Err == nil {
			outcome.Err = asError(ctx, err)
		} else if item.Err == nil {
			outcome.Decision, outcome.Err = s.decide(ctx, item.Request)
		}
		outcomes = append(outcomes, outcome)
		permitted := outcome.Err == nil && outcome.Decision.Allow
		if semantic == authzen.DenyOnFirstDeny && !permitted || semantic == authzen.PermitOnFirstPermit && permitted {
			break
		}
	}
	return outcomes, nil
}
