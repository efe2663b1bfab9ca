package explore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// MaxNodes is how many nodes the diagrams of one part may have. A part that needs more is explored in smaller ones.
const MaxNodes = 2_000_000

// maxRounds limits how often a world is made anew because the policy tells more apart than it has.
const maxRounds = 20

// Decision is the rule that decides in a policy, ready to be explored. It is safe for concurrent use.
type Decision struct {
	Policy *pdp.Policy
	code   *Code
	rule   string
}

// Open prepares the decision of a policy. The error says why it cannot be explored.
func Open(ctx context.Context, p *pdp.Policy) (*Decision, error) {
	r := p.Revision()
	if !world.ByQuestionAlone(p) && (len(p.Actions()) == 0 || p.Vocabulary() == nil) {
		return nil, errors.New("a policy that judges by membership facts needs a catalogue and a vocabulary to be explored")
	}
	plan, data, err := r.Plan(ctx, r.Entrypoint)
	if err != nil {
		return nil, fmt.Errorf("the policy has no plan that could be explored: %w", err)
	}
	code := NewCode(plan, data)
	rule := code.Rule(strings.Split(r.Entrypoint, "/"))
	if rule == "" {
		return nil, fmt.Errorf("the plan has no function for the rule %s", r.Entrypoint)
	}
	return &Decision{p, code, rule}, nil
}

// Questions returns the worlds to explore: those of each action, and of an action that no model knows, in each of the small
// worlds. A policy that judges by the question alone has one, where no policy goes by a directory.
func Questions(decisions ...*Decision) []world.Question {
	if !slices.ContainsFunc(decisions, func(d *Decision) bool { return !world.ByQuestionAlone(d.Policy) }) {
		return []world.Question{{Tree: world.NoDirectory}}
	}
	actions := map[string]bool{"": true}
	for _, d := range decisions {
		for _, name := range d.Policy.Actions() {
			actions[name] = true
		}
	}
	var all []world.Question
	for _, tree := range world.Trees() {
		for _, action := range slices.Sorted(maps.Keys(actions)) {
			all = append(all, world.Question{Tree: tree, Action: action})
		}
	}
	return all
}

// Part is a world that was explored with one policy, or with several that are compared.
type Part struct {
	*world.World
	Question world.Question
	Sides    []Side
}

// Side is what a policy does in a world.
type Side struct {
	// Answer has the answer of the policy as a term in all cases that are valid. It is undefined where the policy has none.
	Answer diagram.Node
	// Coarse is set where there are too many answers: Answer then has no reason by itself, only whether there is any. Part.Reasons has
	// each of them.
	Coarse  bool
	reasons map[diagram.Node]diagram.Node // by reason, the cases in which it is given, if Coarse
	// Failures and Undecided are the valid cases in which the evaluation fails, and those that could not be explored.
	Failures, Undecided []Failure

	machine *Machine
}

// Fresh returns the same part with nothing in its diagrams but some changes, so that there is space to say more of them. What the sides
// answered is left out. The error is [diagram.ErrTooLarge].
func (p *Part) Fresh(changes []Change) (fresh *Part, copies []Change, err error) {
	defer diagram.Guard(&err)
	conditions := make([]diagram.Node, len(changes))
	for i, c := range changes {
		conditions[i] = c.Condition
	}
	fresh = &Part{Question: p.Question}
	fresh.World, conditions = p.World.Fresh(conditions...)
	for _, s := range p.Sides {
		fresh.Sides = append(fresh.Sides, Side{Coarse: s.Coarse})
	}
	for i, c := range changes {
		copies = append(copies, Change{c.Was, c.Is, conditions[i]})
	}
	return fresh, copies, nil
}

// Unexplored is a part that was not explored, and why.
type Unexplored struct {
	Question world.Question
	Why      error
}

// Explore explores the world of a question with one policy or several: at once, or in parts where it is too large. It calls each for
// every part, which is not kept, and returns what was not explored. The error is that of the context or of each.
func Explore(ctx context.Context, decisions []*Decision, q world.Question, limit int, each func(*Part) error) ([]Unexplored, error) {
	part, err := explore(ctx, decisions, q, limit)
	if err == nil {
		return nil, each(part)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var smaller []world.Question
	if errors.Is(err, diagram.ErrTooLarge) {
		smaller, err = split(decisions, q, err)
	}
	if len(smaller) == 0 {
		return []Unexplored{{q, err}}, nil
	}
	var left []Unexplored
	for _, s := range smaller {
		more, err := Explore(ctx, decisions, s, limit, each)
		if err != nil {
			return nil, err
		}
		left = append(left, more...)
	}
	return left, nil
}

// split returns the parts of a world that is too large.
func split(decisions []*Decision, q world.Question, tooLarge error) ([]world.Question, error) {
	for _, by := range []string{"current", "whom", "place"} {
		if q.Only[by] != nil {
			continue
		}
		values, err := world.Values(policiesOf(decisions), q, by)
		if err != nil {
			return nil, err
		}
		if len(values) < 2 {
			continue
		}
		var all []world.Question
		for _, v := range values {
			s := world.Question{Tree: q.Tree, Action: q.Action, Only: map[string][]string{by: {v}}}
			maps.Copy(s.Only, q.Only)
			all = append(all, s)
		}
		return all, nil
	}
	return nil, tooLarge
}

func policiesOf(decisions []*Decision) []*pdp.Policy {
	all := make([]*pdp.Policy, len(decisions))
	for i, d := range decisions {
		all[i] = d.Policy
	}
	return all
}

func explore(ctx context.Context, decisions []*Decision, q world.Question, limit int) (*Part, error) {
	var demand world.Demand
	for range maxRounds {
		w, err := world.New(policiesOf(decisions), q, demand, limit)
		if err != nil {
			return nil, err
		}
		part := &Part{World: w, Question: q}
		for i, d := range decisions {
			side, err := d.explore(ctx, w, w.Inputs[i])
			if err != nil {
				return nil, err
			}
			part.Sides = append(part.Sides, *side)
		}
		if err := part.answer(); err != nil {
			return nil, err
		}
		more := false
		if demand, more = w.Demanded(); !more {
			return part, nil
		}
	}
	return nil, errors.New("the policy tells ever more apart")
}

func (d *Decision) explore(ctx context.Context, w *world.World, input diagram.Node) (s *Side, err error) {
	defer diagram.Guard(&err)
	m := NewMachine(ctx, d.code, w.Store)
	result, err := m.Value(d.rule, input)
	if err != nil {
		return nil, err
	}
	s = &Side{machine: m}
	for _, f := range result.Failures {
		m.note(&s.Failures, f, w.Valid)
	}
	for _, f := range result.Undecided {
		m.note(&s.Undecided, f, w.Valid)
	}
	s.Answer = w.Ite(w.Valid, result.Value, diagram.Undefined)
	return s, nil
}

// Class is an answer with the cases in which it is given.
type Class struct {
	Answer    *ast.Term // nil: the policy has no answer
	Condition diagram.Node
}

// Decided returns the valid cases whose evaluation does not fail and that could be explored. The error is [diagram.ErrTooLarge].
func (p *Part) Decided(s *Side) (decided diagram.Node, err error) {
	defer diagram.Guard(&err)
	decided = p.Valid
	for _, f := range slices.Concat(s.Failures, s.Undecided) {
		decided = p.Except(decided, f.When)
	}
	return decided, nil
}

// Classes returns the classes of one side: each case that is decided is in one. The error is [diagram.ErrTooLarge].
func (p *Part) Classes(s *Side) (all []Class, err error) {
	decided, err := p.Decided(s)
	if err != nil {
		return nil, err
	}
	defer diagram.Guard(&err)
	for _, leaf := range p.Leaves(s.Answer) {
		if condition := p.And(decided, p.Is(s.Answer, leaf)); condition != diagram.False {
			all = append(all, Class{p.TermOf(leaf), condition})
		}
	}
	return all, nil
}

// Change is a pair of answers of two policies that differ, with the cases in which they do.
type Change struct {
	Was, Is   *ast.Term // nil: no answer
	Condition diagram.Node
}

// Changes returns where the answers of the two sides differ; where an evaluation fails there is none. Cases that could not be
// explored on both sides are in no change. Where the sides are coarse, there is a change for each reason that one of them alone gives,
// and a case may be in several. The error is [diagram.ErrTooLarge].
func (p *Part) Changes() (all []Change, err error) {
	before, err := p.outcomes(&p.Sides[0])
	if err != nil {
		return nil, err
	}
	after, err := p.outcomes(&p.Sides[1])
	if err != nil {
		return nil, err
	}
	defer diagram.Guard(&err)
	for _, a := range before {
		for _, b := range after {
			if a.Answer == b.Answer && (!p.Sides[0].Coarse || a.Answer == nil) { // a term has one leaf
				continue
			}
			switch both := p.And(a.Condition, b.Condition); {
			case both == diagram.False:
			case p.Sides[0].Coarse:
				all = append(all, p.changedReasons(a, b, both)...)
			default:
				all = append(all, Change{a.Answer, b.Answer, both})
			}
		}
	}
	return all, nil
}

// outcomes returns the classes of one side, with the cases whose evaluation fails as those without an answer.
func (p *Part) outcomes(s *Side) (all []Class, err error) {
	if all, err = p.Classes(s); err != nil {
		return nil, err
	}
	defer diagram.Guard(&err)
	fails := diagram.False
	for _, f := range s.Failures {
		fails = p.Or(fails, f.When)
	}
	for _, f := range s.Undecided {
		fails = p.Except(fails, f.When)
	}
	if fails != diagram.False {
		all = append(all, Class{nil, fails})
	}
	return all, nil
}
