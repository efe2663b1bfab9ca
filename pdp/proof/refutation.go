package proof

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
)

// property holds a property of the security team against a part.
func (r *verifier) property(ctx context.Context, p *Property, part *explore.Part, classes []explore.Class, allowed diagram.Node) error {
	where := p.where(part)
	if p.CurrentLocation == given && part.IgnoresCurrent() {
		r.mu.Lock()
		r.ignoring[p.Name] = append(r.ignoring[p.Name], part.Question.Action)
		r.mu.Unlock()
	}
	for _, c := range classes {
		if (p.Never == Allowed || p.names(c.Answer)) && part.And(where, c.Condition) != diagram.False {
			r.mu.Lock()
			r.met[p.Name] = true
			r.mu.Unlock()
			break
		}
	}
	if p.Never == Allowed {
		return r.refuteAny(ctx, p.Name, part, part.And(where, allowed), classes)
	}
	elsewhere := part.Elsewhere()
	decided, err := part.Decided(&part.Sides[0])
	if err != nil {
		return err
	}
	for _, c := range classes {
		if !p.names(c.Answer) {
			continue
		}
		here := part.And(where, c.Condition)
		others := part.Except(part.And(part.And(where, decided), part.Exists(here, elsewhere)), c.Condition)
		if others == diagram.False {
			continue
		}
		values := part.Smallest(others, part.Cost)
		if err := r.refuteAny(ctx, p.Name, part, part.Like(values, make([]bool, len(values))), classes); err != nil {
			return err
		}
		return r.but(ctx, p.Name, part, part.And(here, part.Like(values, elsewhere)), c.Answer)
	}
	return nil
}

// refuteAny refutes a property where a condition holds, which is in one of some classes.
func (r *verifier) refuteAny(ctx context.Context, name string, part *explore.Part, where diagram.Node, classes []explore.Class) error {
	for _, c := range classes {
		if here := part.And(where, c.Condition); here != diagram.False {
			return r.refute(ctx, name, part, here, c.Answer, true)
		}
	}
	return nil
}

// refute refutes a property with the smallest example of a condition, unless there is a smaller one already.
func (r *verifier) refute(ctx context.Context, name string, part *explore.Part, where diagram.Node, answer *ast.Term, answered bool) error {
	values := part.Smallest(where, part.Cost)
	example, err := r.example(ctx, part, values, answer, answered)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.findings[name]
	if f.Example == nil || example.cost < f.Example.cost {
		f.Status, f.Example, f.But, f.Why = Refuted, example, nil, nil
	}
	return nil
}

// but adds the example that differs only in what the answer may not depend on.
func (r *verifier) but(ctx context.Context, name string, part *explore.Part, where diagram.Node, answer *ast.Term) error {
	example, err := r.example(ctx, part, part.Smallest(where, part.Cost), answer, true)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.findings[name]; f.But == nil {
		f.But = example
	}
	return nil
}

// example makes an example and asks the policy about it.
func (r *verifier) example(ctx context.Context, part *explore.Part, values []int, answer *ast.Term, answered bool) (*Example, error) {
	example, err := NewExample(part.Case(values))
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		example.cost += part.Cost(i, v)
	}
	got, err := askAbout(ctx, r.Policy, part.Case(values))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		example.Error = err.Error()
		if answered {
			if _, _, ok := read(answer); ok {
				return nil, fmt.Errorf("the policy fails where an answer was expected: %w: %s", err, example.Command(""))
			}
		}
		return example, nil
	}
	if example.Answer, err = canonical(answerOf(got)); err != nil {
		return nil, err
	}
	allow, reasons, ok := read(answer)
	if !answered || ok && (allow != got.Allow || reasons > 0 != (len(got.Reasons) > 0)) || !ok && got.Allow {
		return nil, fmt.Errorf("the policy answers %s, and %v was expected: %s", example.Answer, answer, example.Command(""))
	}
	return example, nil
}
