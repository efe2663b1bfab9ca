package proof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// Status says what was found out about a property.
type Status string

// The statuses.
const (
	Proved     Status = "proved" // within the bound of the report
	Refuted    Status = "refuted"
	NotDecided Status = "not decided"
)

// Report says what was found out about a policy.
type Report struct {
	Findings []Finding `json:"findings"`
	Bound    []string  `json:"bound"` // what the small worlds have, in which everything was proved
	// Actions are those that alone were explored, and LeftOut the properties of which no case is about them; nil is all, and none.
	Actions []string `json:"actions,omitempty"`
	LeftOut []string `json:"left_out,omitempty"`
	Cases   float64  `json:"cases"` // that were explored
	Classes int      `json:"classes"`
	Answers []Class  `json:"answers,omitempty"` // the classes, by world and action; nil if they were not asked for
	// Gaps are the lines of the policy that the cases say little about; nil if actions were left out.
	Gaps []explore.Gap `json:"gaps,omitempty"`
}

// Finding is what was found out about one property.
type Finding struct {
	Property string   `json:"property"`
	Status   Status   `json:"status"`
	Example  *Example `json:"example,omitempty"`
	// But is an example that differs from the other only in what the answer may not depend on.
	But *Example `json:"but,omitempty"`
	Why []string `json:"why,omitempty"` // not decided
}

// Verification says what to verify.
type Verification struct {
	// Policy is asked about every example: OPA's interpreter should evaluate it, so that what was explored is held against it.
	Policy     *pdp.Policy
	Properties []Property
	// Actions restricts verification to some actions; nil is all, and also one that the policy does not know.
	Actions []string
	// Classes says that all classes are to be listed.
	Classes bool
	// Progress is called after each world, one call at a time; it may be nil.
	Progress func(done, of int)
	// MaxNodes is how large the diagrams of a world may be; 0 is [explore.MaxNodes].
	MaxNodes int
}

// Properties that every policy has to have.
const (
	answers       = "Every question has an answer"
	neverFails    = "No evaluation ends with an error"
	allowBare     = "An allow has no reason"
	denialReasons = "A denial has a reason"
)

// verifier gathers the findings of all worlds.
type verifier struct {
	Verification
	mu       sync.Mutex
	report   *Report
	findings map[string]*Finding
	met      map[string]bool     // the properties that some case is about
	left     map[string]bool     // those that some action is about that was left out
	ignoring map[string][]string // by property that asks for a current location, the actions that ignore it
	coverage *explore.Coverage
	counts   []float64 // of cases, by part
}

// Verify explores all small worlds and says of each property whether it holds there. It uses all processors. The error is that of
// the context, or says why nothing could be verified; that includes an example to which the policy answers otherwise than was found out.
func Verify(ctx context.Context, v Verification) (*Report, error) {
	d, err := explore.Open(ctx, v.Policy)
	if err != nil {
		return nil, err
	}
	r := &verifier{Verification: v, report: &Report{Bound: world.Bound(world.ByQuestionAlone(v.Policy)), Actions: v.Actions}, left: map[string]bool{}, findings: map[string]*Finding{}, ignoring: map[string][]string{}, met: map[string]bool{answers: true, neverFails: true, allowBare: true, denialReasons: true},
		coverage: d.NewCoverage()}
	names := []string{answers, neverFails, allowBare, denialReasons}
	for _, p := range v.Properties {
		names = append(names, p.Name)
	}
	for _, name := range names {
		r.findings[name] = &Finding{Property: name, Status: Proved}
	}
	if err := r.explore(ctx, d); err != nil {
		return nil, err
	}
	for _, name := range names {
		f := r.findings[name]
		if f.Status == Proved && !r.met[name] {
			if r.left[name] {
				r.report.LeftOut = append(r.report.LeftOut, name)
				continue
			}
			f.Status, f.Why = NotDecided, []string{r.noCase(name)}
		}
		r.report.Findings = append(r.report.Findings, *f)
	}
	r.report.Cases = sum(r.counts)
	sortClasses(r.report.Answers)
	if len(v.Actions) == 0 {
		r.report.Gaps = r.coverage.Gaps()
	}
	return r.report, nil
}

// noCase says why no case is about a property.
func (r *verifier) noCase(name string) string {
	ignoring := r.ignoring[name]
	if len(ignoring) == 0 {
		return "no case is about it: it says nothing"
	}
	slices.Sort(ignoring)
	return "no case is about it: a current location is ignored by " + strings.Join(slices.Compact(ignoring), ", ")
}

func (r *verifier) explore(ctx context.Context, d *explore.Decision) error {
	var questions []world.Question
	for _, q := range explore.Questions(d) {
		if len(r.Actions) > 0 && !slices.Contains(r.Actions, q.Action) {
			for i := range r.Properties {
				if p := &r.Properties[i]; p.about(world.ModelOf(q.Tree), q.Action) {
					r.left[p.Name] = true
				}
			}
			continue
		}
		questions = append(questions, q)
	}
	return eachQuestion(ctx, questions, 0, r.Progress, func(ctx context.Context, q world.Question) error { return r.one(ctx, d, q) })
}

// one explores one world. What cannot be explored leaves every property about it undecided.
func (r *verifier) one(ctx context.Context, d *explore.Decision, q world.Question) error {
	left, err := explore.Explore(ctx, []*explore.Decision{d}, q, cmp.Or(r.MaxNodes, explore.MaxNodes), func(part *explore.Part) error {
		classes, err := r.part(ctx, part)
		if err != nil || !r.Classes {
			return err
		}
		return r.addClasses(ctx, part, classes)
	})
	if err != nil {
		return err
	}
	for _, u := range left {
		r.undecided(u.Question, u.Why.Error())
	}
	return nil
}

// undecided notes that a world, or part of it, was not explored, for every property that is about it.
func (r *verifier) undecided(q world.Question, why string) {
	why = describe(q) + ": " + why
	r.mu.Lock()
	defer r.mu.Unlock()
	about := map[string]bool{answers: true, neverFails: true, allowBare: true, denialReasons: true}
	for i := range r.Properties {
		if p := &r.Properties[i]; p.about(world.ModelOf(q.Tree), q.Action) {
			about[p.Name] = true
		}
	}
	for name := range about {
		r.leave(name, why)
	}
}

func (r *verifier) undecidedOf(name, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave(name, why)
}

// leave notes why a property is not decided, unless it is refuted.
func (r *verifier) leave(name, why string) {
	f := r.findings[name]
	if f.Status == Proved {
		f.Status = NotDecided
	}
	if f.Status == NotDecided && !slices.Contains(f.Why, why) {
		f.Why = append(f.Why, why)
		slices.Sort(f.Why)
	}
}

// describe names a world, or part of one.
func describe(q world.Question) string {
	text := fmt.Sprintf("%s in %s", cmp.Or(q.Action, "an unknown action"), q.Tree)
	if q.Tree == world.NoDirectory {
		text = "a question"
	}
	for _, part := range q.Parts() {
		text += ", " + part
	}
	return text
}

// part holds every property against a part that was explored, and returns its classes.
func (r *verifier) part(ctx context.Context, part *explore.Part) (classes []explore.Class, err error) {
	defer diagram.Guard(&err)
	side := &part.Sides[0]
	classes, err = part.Classes(side)
	if err == nil && len(r.Actions) == 0 { // otherwise nobody is told of gaps
		err = r.coverage.Add(part, side)
	}
	if errors.Is(err, diagram.ErrTooLarge) || errors.Is(err, diagram.ErrTooLong) {
		r.undecided(part.Question, err.Error())
		return nil, nil
	}
	for _, f := range side.Undecided {
		r.undecided(part.Question, f.Why+" ("+f.At+")")
	}
	for _, name := range part.Opaque() {
		r.undecided(part.Question, "not every text is explored: "+name)
	}
	r.mu.Lock()
	r.counts = append(r.counts, part.Count(part.Valid))
	r.report.Classes += len(classes)
	r.mu.Unlock()
	for _, f := range side.Failures {
		if err := r.refute(ctx, neverFails, part, f.When, nil, false); err != nil {
			return nil, err
		}
	}
	allowed := diagram.False
	for _, c := range classes {
		allow, reasons, ok := read(c.Answer)
		name := ""
		switch {
		case !ok:
			name = answers
		case allow && reasons > 0:
			name = allowBare
		case !allow && reasons == 0:
			name = denialReasons
		}
		if name != "" {
			if err := r.refute(ctx, name, part, c.Condition, c.Answer, true); err != nil {
				return nil, err
			}
		}
		if allow {
			allowed = part.Or(allowed, c.Condition)
		}
	}
	for i := range r.Properties {
		p := &r.Properties[i]
		if !p.about(part.Model(), part.Question.Action) {
			continue
		}
		of := classes
		if side.Coarse && len(p.Reasons) > 0 {
			reasons, err := part.Reasons(side)
			if err != nil {
				r.undecidedOf(p.Name, describe(part.Question)+": "+err.Error())
				continue
			}
			of = append(reasons, classes...) // what is allowed has no reason
		}
		if err := r.property(ctx, p, part, of, allowed); err != nil {
			return nil, err
		}
	}
	return classes, nil
}

// read returns whether an answer allows, and how many reasons it has. ok is false for what is no decision.
func read(answer *ast.Term) (allow bool, reasons int, ok bool) {
	if pdp.CheckAnswer(answer) != nil {
		return false, 0, false
	}
	switch v := answer.Value.(type) {
	case ast.Boolean:
		return bool(v), 0, true
	case ast.Object:
		allowed := v.Get(ast.StringTerm("allow"))
		if allowed == nil {
			return false, 0, false
		}
		b, isBool := allowed.Value.(ast.Boolean)
		if list := v.Get(ast.StringTerm("reasons")); list != nil {
			if l, isList := list.Value.(interface{ Len() int }); isList {
				reasons = l.Len()
			}
		}
		return bool(b), reasons, isBool
	}
	return false, 0, false
}
