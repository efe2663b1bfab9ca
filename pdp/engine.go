package pdp

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// maxUsersWithFacts limits how many users keep the facts built for them.
const maxUsersWithFacts = 8192

// Config configures an [Engine].
type Config struct {
	Policy  *Policy       // the policy in force; nil: no decisions until [Engine.Activate]
	Source  facts.Source  // nil: policies see no facts
	Timeout time.Duration // for each question; 0 means 1 s
	Logger  *slog.Logger  // nil: slog.Default()
	// Stale reports that the policy in force has not been confirmed for too long and must not decide. nil means that the
	// policy never becomes stale. Stale is called for each request: it must be fast and safe for concurrent use.
	Stale func() bool
	// ServeData lets [Engine.Data] return data of the policy that is not the result of a rule.
	ServeData bool
	// Recorder keeps a record of each answer. nil records nothing.
	Recorder Recorder
	// FleetKey seals the tokens that continue a list, and those of guards. nil: a key of this process, so that no other one
	// knows them.
	FleetKey *fleetkey.Keys
	Guards   GuardConfig
}

// Engine makes decisions. It is safe for concurrent use.
type Engine struct {
	policy    atomic.Pointer[Policy] // nil until a policy is activated
	source    facts.Source
	timeout   time.Duration
	log       *slog.Logger
	stale     func() bool
	evictor   *facts.Evictor
	serveData bool
	recorder  Recorder       // nil: nothing is recorded
	keys      *fleetkey.Keys // seal page tokens
	guards    guards
}

// New returns an engine.
func New(cfg Config) *Engine {
	e := &Engine{source: cfg.Source, timeout: cfg.Timeout, log: cfg.Logger, stale: cfg.Stale,
		evictor: facts.NewEvictor(maxUsersWithFacts), serveData: cfg.ServeData, recorder: cfg.Recorder, keys: cfg.FleetKey, guards: newGuards(cfg)}
	e.policy.Store(cfg.Policy)
	if e.timeout == 0 {
		e.timeout = time.Second
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.keys == nil {
		e.keys = fleetkey.Random(slog.New(slog.DiscardHandler)) // what another process made is no attack
	}
	if e.stale == nil {
		e.stale = func() bool { return false }
	}
	return e
}

// Activate puts a policy in force. Evaluations in progress keep their policy: no decision, batch or page of a search
// mixes two.
func (e *Engine) Activate(p *Policy) { e.policy.Store(p) }

// Policy returns the policy in force; nil if there is none yet.
func (e *Engine) Policy() *Policy { return e.policy.Load() }

// Offers returns what the policy in force offers besides decisions.
func (e *Engine) Offers() Offers {
	if p := e.policy.Load(); p != nil {
		return p.offers
	}
	return Offers{}
}

// policyInForce returns the policy that may decide now, or an error if there is none or it is stale.
func (e *Engine) policyInForce() (*Policy, error) {
	p := e.policy.Load()
	switch {
	case p == nil:
		return nil, &Error{Kind: Unavailable, Message: "There is no policy to decide by yet: try again later."}
	case e.stale():
		return nil, &Error{Kind: Unavailable, Message: "The policy has not been confirmed for too long: nothing is decided by it."}
	}
	return p, nil
}

// Decide answers one question. A denial is not an error, and an error is never an allow. The error is an [*Error] whose
// kind says whether the question, the facts or the policy is at fault.
func (e *Engine) Decide(ctx context.Context, r Request) (Decision, error) {
	if e.recorder == nil {
		return e.decide(ctx, r, nil)
	}
	records := singleRecords.Get().(*[1]Record)
	defer func() {
		*records = [1]Record{}
		singleRecords.Put(records)
	}()
	record := &records[0]
	record.Caller, record.Time, record.Question = CallerOf(ctx), time.Now(), r
	d, err := e.decide(ctx, r, record)
	record.Decision = d
	record.endWith(err)
	if failed := e.record(ctx, records[:]); failed != nil {
		return Decision{}, failed
	}
	return d, err
}

// decide answers one question. What is found out goes into the record, if there is one.
func (e *Engine) decide(ctx context.Context, r Request, record *Record) (Decision, error) {
	return e.decideBy(ctx, facts.Requirement{}, r, record)
}

// decideCurrent is like decide, by facts that the source is asked for from now on.
func (e *Engine) decideCurrent(ctx context.Context, r Request, record *Record) (Decision, error) {
	return e.decideBy(ctx, facts.Requirement{Current: true}, r, record)
}

func (e *Engine) decideBy(ctx context.Context, own facts.Requirement, r Request, record *Record) (Decision, error) {
	limit := e.limitTime(ctx)
	defer limit.end()
	ev, err := e.beginBy(limit.Context, own, []Request{r})
	if err != nil {
		return Decision{}, err
	}
	ev.recordIn(record)
	return ev.decide(limit.Context, r)
}

// DecideAll answers a batch of questions under one policy and one view of the directory, which is as fresh as the
// strictest question requires. It stops according to the semantic; the last outcome is then the one that stopped it.
func (e *Engine) DecideAll(ctx context.Context, items []Item, semantic authzen.Semantic) ([]Outcome, error) {
	if e.recorder == nil {
		return e.decideAll(ctx, items, semantic, nil)
	}
	records := newRecords(ctx, len(items))
	outcomes, err := e.decideAll(ctx, items, semantic, records)
	if err == nil {
		records = records[:len(outcomes)]
	}
	for i := range records {
		records[i].Question = items[i].Request
		if err == nil {
			records[i].Decision = outcomes[i].Decision
			records[i].endWith(outcomes[i].Err)
		} else {
			records[i].endWith(err)
		}
	}
	if failed := e.record(ctx, records); failed != nil {
		return nil, failed
	}
	return outcomes, err
}

// decideAll answers a batch. What is found out about each item goes into its record, if there are records.
func (e *Engine) decideAll(ctx context.Context, items []Item, semantic authzen.Semantic, records []Record) ([]Outcome, error) {
	questions := make([]Request, 0, len(items))
	for _, item := range items {
		if item.Err == nil {
			questions = append(questions, item.Request)
		}
	}
	ev, faults, err := e.beginEach(ctx, questions)
	if err != nil {
		return nil, err
	}
	ev.facts.Share(questions)
	outcomes := make([]Outcome, 0, len(items))
	var task longTask
	for i, item := range items {
		if item.Err == nil {
			item.Request, questions = questions[0], questions[1:]
			item.Err, faults = faults[0], faults[1:]
		}
		ev.recordNext(records, i)
		outcome := Outcome{Err: item.Err}
		if item.Err == nil {
			if outcome.Err = task.step(ctx); outcome.Err == nil {
				outcome.Decision, outcome.Err = ev.decideOne(ctx, item.Request)
			}
		}
		ev.endRecord()
		outcomes = append(outcomes, outcome)
		permitted := outcome.Err == nil && outcome.Decision.Allow
		if semantic == authzen.DenyOnFirstDeny && !permitted || semantic == authzen.PermitOnFirstPermit && permitted {
			break
		}
	}
	return outcomes, nil
}
