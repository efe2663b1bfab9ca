package pdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/counterfactual"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Voice says for whom a decision is explained.
type Voice string

// The voices.
const (
	// ForAdministrator is for the person who asks: it tells nothing that this person may not see.
	ForAdministrator Voice = "administrator"
	// ForAuthor is for whoever writes the policy and may see the whole directory.
	ForAuthor Voice = "author"
)

// The bounds of an explanation.
const (
	// MaxCounterfactuals is how many changes an explanation has.
	MaxCounterfactuals = 10
	explainingTime     = 2 * time.Second
)

// Explanation says why a question was decided as it was, and which single changes would give the opposite answer.
type Explanation struct {
	Voice    Voice    `json:"voice"`
	Decision Decision `json:"-"`
	// Rules are those that held, and Failed those that did not, with the expression that failed. Only for the author.
	Rules  []Rule `json:"rules,omitempty"`
	Failed []Rule `json:"failed,omitempty"`
	// Facts are the facts that were read. The administrator learns of those that they may see.
	Facts  []Fact `json:"facts,omitempty"`
	Tables []Fact `json:"tables,omitempty"` // the cells of tables that were read; only for the author
	// Counterfactuals are the single changes that flip the decision, the most plausible first.
	Counterfactuals []Counterfactual `json:"counterfactuals,omitempty"`
	Bound           Bound            `json:"bound"`
}

// Counterfactual is a single change that flips a decision.
type Counterfactual struct {
	counterfactual.Change
	// Uncertain says that the flip also depends on a record that the administrator may not see.
	Uncertain bool `json:"uncertain,omitempty"`
}

// Bound says how far the search for counterfactuals went.
type Bound struct {
	Tried    int  `json:"tried"`    // the changes that were tried
	Complete bool `json:"complete"` // these are all changes that the search knows, and all that flip are told
	// Withheld says that the answer depends on what the administrator may not see, so that nothing more is told.
	Withheld bool `json:"withheld,omitempty"`
}

// Explain decides a question and explains the decision, all by one policy and one view of the directory. It is not recorded. It takes
// at most some seconds; a search that is not complete by then says so. The error is an [*Error].
func (e *Engine) Explain(ctx context.Context, r Request, voice Voice) (x *Explanation, err error) {
	defer e.recovered(ctx, "an explanation panicked", &err)
	r = withoutIncludes(r)
	limit := e.limitTime(ctx)
	defer limit.end()
	ev, err := e.begin(limit.Context, r)
	if err != nil {
		return nil, err
	}
	d, err := ev.decide(limit.Context, r)
	if err != nil {
		return nil, err
	}
	return ev.explain(ctx, r, d, voice)
}

// withoutIncludes returns a question that asks for nothing beside the decision.
func withoutIncludes(r Request) Request {
	r.Context = maps.Clone(r.Context)
	delete(r.Context, includeMember)
	return r
}

// explanationMember is the member of a decision's context, and the element of include in a question's, that concern explanations.
const explanationMember = "explanation"

type explainsKey struct{}

// WithExplanations returns a context in which an answer has an explanation where the question asks for one. Front doors call it for
// callers that may have one.
func WithExplanations(ctx context.Context) context.Context {
	return context.WithValue(ctx, explainsKey{}, true)
}

// WantsExplanation reports whether a question asks for an explanation.
func WantsExplanation(r Request) bool { return includes(r, explanationMember) }

// isExplained reports whether an answer gets an explanation.
func isExplained(ctx context.Context, r Request) bool {
	return WantsExplanation(r) && ctx.Value(explainsKey{}) != nil
}

// addExplanation adds an explanation for the person who asks. An answer that cannot be explained is given without.
func (ev *evaluation) addExplanation(ctx context.Context, d *Decision, r Request) {
	plain := *d
	plain.Context = nil
	x, err := ev.explain(ctx, withoutIncludes(r), plain, ForAdministrator)
	if err == nil {
		var value map[string]any
		if value, err = x.members(); err == nil {
			d.Context[explanationMember] = value
			return
		}
	}
	ev.engine.log.WarnContext(ctx, "an answer could not be explained", "action", ev.actionForLog(r.Action.Name), "revision", ev.revision.ID, "error", err)
}

// members returns an explanation as a value of JSON.
func (x *Explanation) members() (members map[string]any, err error) {
	data, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	return members, json.Unmarshal(data, &members)
}

// explain explains a decision.
func (ev *evaluation) explain(ctx context.Context, r Request, d Decision, voice Voice) (*Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, explainingTimeIn(ctx))
	defer cancel()
	x := &Explanation{Voice: voice, Decision: d, Bound: Bound{Complete: true}}
	if voice == ForAdministrator {
		return x, ev.explainVisible(ctx, x, r)
	}
	t, err := ev.traced(ctx, r, true)
	if err != nil {
		return nil, err
	}
	x.Rules, x.Failed, x.Facts, x.Tables = t.fired, t.failed(), t.facts(), t.cells(ev.revision.Position)
	if ev.facts.View == nil {
		return x, nil // there are no facts to change
	}
	w, err := ev.world(ctx, r)
	if err != nil {
		return nil, err
	}
	return x, ev.search(ctx, x, w, false)
}

// explainingTimeIn returns the time for an explanation: half of what the question has left, so that the answer is in time.
func explainingTimeIn(ctx context.Context) time.Duration {
	if at, limited := ctx.Deadline(); limited {
		return min(explainingTime, time.Until(at)/2)
	}
	return explainingTime
}

// over returns an evaluation by the same policy over another view.
func (ev *evaluation) over(view facts.View) *evaluation {
	return &evaluation{Policy: ev.Policy, engine: ev.engine, facts: facts.Builder{View: view, Lenient: ev.facts.Lenient}}
}

func (ev *evaluation) traced(ctx context.Context, r Request, withTables bool) (*tracer, error) {
	in, _, err := ev.input(ctx, r, ev.reads(r.Action.Name))
	if err != nil {
		return nil, err
	}
	return ev.trace(ctx, in, withTables)
}

// world returns the question with the records that it is about.
func (ev *evaluation) world(ctx context.Context, r Request) (*counterfactual.World, error) {
	action := ev.catalogue[r.Action.Name]
	f, err := ev.facts.Locate(ctx, r, action.Action)
	if err != nil {
		return nil, asError(ctx, err)
	}
	w := &counterfactual.World{Question: r, View: ev.facts.View, Subject: f.Subject, User: f.User, Current: f.Current, Place: f.Place,
		Terms: counterfactual.Terms{Properties: slices.Sorted(slices.Values(action.Properties)), FromCurrentLocation: !action.NeedsNoCurrentLocation}}
	if v := ev.vocabulary; v != nil {
		w.Terms.Roles, w.Terms.Levels, w.Terms.Areas = v.Roles, v.Levels, v.Areas
	}
	if w.Place == nil {
		if _, named := facts.PlaceID(r); !named {
			w.Place = f.Current
		}
	}
	return w, nil
}

// search adds the changes of a world that flip the decision. What it cannot finish in time it leaves out, and says so.
func (ev *evaluation) search(ctx context.Context, x *Explanation, w *counterfactual.World, uncertain bool) error {
	changes, all, err := w.Changes(ctx)
	if err != nil {
		return asError(ctx, err)
	}
	x.Bound.Complete = x.Bound.Complete && all
	found := 0
	for _, c := range changes {
		if ctx.Err() != nil || found == MaxCounterfactuals {
			x.Bound.Complete = false
			break
		}
		r, view := w.With(c)
		d, err := ev.over(view).decide(ctx, r)
		x.Bound.Tried++
		if err == nil && d.Allow != x.Decision.Allow && !d.Fault {
			found++
			x.add(Counterfactual{c, uncertain})
		}
	}
	return nil
}

// add adds a counterfactual at its place in the order, once.
func (x *Explanation) add(c Counterfactual) {
	i, _ := slices.BinarySearchFunc(x.Counterfactuals, c, func(a, b Counterfactual) int { return counterfactual.Compare(a.Change, b.Change) })
	for _, other := range x.Counterfactuals {
		if other.Same(&c.Change) {
			return
		}
	}
	x.Counterfactuals = slices.Insert(x.Counterfactuals, i, c)
	if len(x.Counterfactuals) > MaxCounterfactuals {
		x.Counterfactuals, x.Bound.Complete = x.Counterfactuals[:MaxCounterfactuals], false
	}
}

// isSuspended reports whether an error is that of a record by which nothing may be decided.
func isSuspended(err error) bool {
	_, is := errors.AsType[*facts.Suspended](err)
	return is
}

// positioner is [bundles.Revision.Position].
type positioner func(names ...string) (file string, line int)

// writtenAt returns the file and line of a value of the tables; "" if it is in no YAML that is kept.
func writtenAt(position positioner, ref ast.Ref) string {
	var names []string
	for _, term := range ref[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		names = append(names, string(name))
	}
	file, line := position(names...)
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", file, line)
}
