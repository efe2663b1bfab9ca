package proof

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// Kind says what becomes of an answer.
type Kind string

// The kinds of changes. A question without an answer is denied.
const (
	Granted   Kind = "denied → allowed"
	Obliged   Kind = "allowed otherwise" // with other obligations
	Revoked   Kind = "allowed → denied"
	Explained Kind = "denied otherwise" // with other reasons or advice
)

// Kinds returns all kinds, what has to be looked at first before the others.
func Kinds() []Kind { return []Kind{Granted, Obliged, Revoked, Explained} }

// KindOf returns the kind of a change between two answers that differ, by what they allow.
func KindOf(was, is bool) Kind {
	switch {
	case is && !was:
		return Granted
	case was && !is:
		return Revoked
	case was:
		return Obliged
	}
	return Explained
}

// Comparison says what to compare.
type Comparison struct {
	// Was and Is are asked about every example: OPA's interpreter should evaluate them, so that what was explored is held against it.
	Was, Is *pdp.Policy
	// Actions restricts the comparison to some actions; nil is all, and also one that neither policy knows.
	Actions []string
	// Progress is called after each world, one call at a time; it may be nil.
	Progress func(done, of int)
	// Workers is how many worlds are compared at a time; 0 is as many as there are processors. Each takes up to 100 MB.
	Workers int
	// MaxNodes is how large the diagrams of a world may be; 0 is [explore.MaxNodes].
	MaxNodes int
	// Forms says that the forms of the questions that are allowed by one policy alone are to be found.
	Forms bool
}

// Differences says what one policy decides otherwise than another.
type Differences struct {
	Changes     []Difference `json:"changes"`           // by kind, then by world and action
	NotExplored []string     `json:"not_explored"`      // cases in which there may be changes of any kind
	Coarse      []string     `json:"coarse"`            // worlds of whose answers each reason was compared by itself, because they are too many
	Actions     []string     `json:"actions,omitempty"` // that alone were compared; nil is all
	Bound       []string     `json:"bound"`             // what the small worlds have, in which everything was compared
	Cases       float64      `json:"cases"`             // that were compared

	Forms []ChangedForms `json:"-"` // by action
}

// Difference is a class of cases whose answers change.
type Difference struct {
	ID       string `json:"id"` // a hash of the cases and of both answers
	Kind     Kind   `json:"kind"`
	World    string `json:"world"`
	Action   string `json:"action"` // "" is one that neither policy knows
	Sentence string `json:"sentence"`
	Exact    bool   `json:"exact"` // all cases of the sentence are in the class; otherwise some are, and more decides
	// DependsOn names what else decides, of which the sentence says nothing.
	DependsOn []string        `json:"depends_on,omitempty"`
	Cases     float64         `json:"cases"`
	Outcomes  []Outcome       `json:"outcomes"` // the most frequent first
	Example   *ChangedExample `json:"example"`
	Approved  string          `json:"approved,omitempty"` // why, if it is
}

// Outcome is a pair of answers.
type Outcome struct {
	Was   string  `json:"was"`
	Is    string  `json:"is"`
	Cases float64 `json:"cases"`
}

// ChangedExample is the smallest example of a class, with the answers of both policies.
type ChangedExample struct {
	Was Example `json:"was"`
	Is  Example `json:"is"`
}

// comparer gathers the differences of all worlds.
type comparer struct {
	Comparison
	mu     sync.Mutex
	report *Differences
	counts []float64 // of cases, by part
	forms  map[string]*ChangedForms
}

// Compare explores all small worlds with two policies and returns where their answers differ. The error
// is that of the context, or says why nothing could be compared; that includes an example to which a policy answers otherwise than was
// found out.
func Compare(ctx context.Context, c Comparison) (*Differences, error) {
	var both []*explore.Decision
	for _, p := range []*pdp.Policy{c.Was, c.Is} {
		d, err := explore.Open(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Revision().Source, err)
		}
		both = append(both, d)
	}
	if world.ByQuestionAlone(c.Was) != world.ByQuestionAlone(c.Is) {
		return nil, errors.New("one policy judges by membership facts and the other by the question alone: they have no case in common")
	}
	bound := append(world.Bound(world.ByQuestionAlone(c.Is)), "answers to single questions: filters, and other documents than the decision, are not compared")
	r := &comparer{Comparison: c, report: &Differences{Changes: []Difference{}, NotExplored: []string{}, Coarse: []string{}, Actions: c.Actions, Bound: bound},
		forms: map[string]*ChangedForms{}}
	var questions []world.Question
	for _, q := range explore.Questions(both...) {
		if len(c.Actions) == 0 || slices.Contains(c.Actions, q.Action) {
			questions = append(questions, q)
		}
	}
	err := eachQuestion(ctx, questions, c.Workers, c.Progress, func(ctx context.Context, q world.Question) error { return r.one(ctx, both, q) })
	if err != nil {
		return nil, err
	}
	r.report.Cases, r.report.Forms = sum(r.counts), r.sortedForms()
	slices.Sort(r.report.NotExplored)
	slices.Sort(r.report.Coarse)
	slices.SortFunc(r.report.Changes, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(slices.Index(Kinds(), a.Kind), slices.Index(Kinds(), b.Kind)),
			cmp.Compare(slices.Index(world.Trees(), a.World), slices.Index(world.Trees(), b.World)),
			cmp.Compare(a.Action, b.Action), cmp.Compare(a.Sentence, b.Sentence), cmp.Compare(a.ID, b.ID))
	})
	return r.report, nil
}

func (r *comparer) one(ctx context.Context, both []*explore.Decision, q world.Question) error {
	left, err := explore.Explore(ctx, both, q, cmp.Or(r.MaxNodes, explore.MaxNodes), func(part *explore.Part) error {
		return r.part(ctx, part)
	})
	if err != nil {
		return err
	}
	for _, u := range left {
		r.notExplored(describe(u.Question) + ": " + u.Why.Error())
	}
	return nil
}

func (r *comparer) notExplored(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.report.NotExplored, what) {
		r.report.NotExplored = append(r.report.NotExplored, what)
	}
}

// part compares the answers in a part that was explored.
func (r *comparer) part(ctx context.Context, part *explore.Part) error {
	changes, err := part.Changes()
	if errors.Is(err, diagram.ErrTooLarge) || errors.Is(err, diagram.ErrTooLong) {
		r.notExplored(describe(part.Question) + ": " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	for i, side := range part.Sides {
		for _, u := range side.Undecided {
			r.notExplored(fmt.Sprintf("%s: %s (%s, %s policy)", describe(part.Question), u.Why, u.At, []string{"the old", "the new"}[i]))
		}
	}
	for _, name := range part.Opaque() {
		r.notExplored(describe(part.Question) + ": not every text is explored: " + name)
	}
	r.mu.Lock()
	r.counts = append(r.counts, part.Count(part.Valid))
	if part.Sides[0].Coarse {
		r.report.Coarse = append(r.report.Coarse, describe(part.Question))
	}
	r.mu.Unlock()
	if r.Forms {
		r.findForms(part, changes)
	}
	// What was explored is not needed any more: the words have its space.
	rest, changes, err := part.Fresh(changes)
	if err != nil {
		return err
	}
	byKind := map[Kind][]explore.Change{}
	for _, c := range changes {
		byKind[kindOf(c)] = append(byKind[kindOf(c)], c)
	}
	for _, kind := range Kinds() {
		if len(byKind[kind]) == 0 {
			continue
		}
		if err := r.addChanges(ctx, rest, kind, byKind[kind]); err != nil {
			return err
		}
	}
	return nil
}

func kindOf(c explore.Change) Kind {
	was, _, _ := read(c.Was)
	is, _, _ := read(c.Is)
	return KindOf(was, is)
}

// addChanges adds the differences of changes of one kind: one where no right changes. Where words need too much space, they are fewer.
func (r *comparer) addChanges(ctx context.Context, part *explore.Part, kind Kind, changes []explore.Change) error {
	all, fresh, changes, err := inWords(part, changes, kind == Granted || kind == Revoked)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := r.add(ctx, fresh, kind, s, changes); err != nil {
			return err
		}
	}
	return nil
}

// add adds the difference of a sentence, which has cases of some changes.
func (r *comparer) add(ctx context.Context, part *explore.Part, kind Kind, s sentence, changes []explore.Change) (err error) {
	d := Difference{Kind: kind, World: part.Question.Tree, Action: part.Question.Action, Exact: s.exact, DependsOn: s.dependsOn, Cases: part.Count(s.condition),
		Sentence: describe(part.Question)}
	if s.words != "" {
		d.Sentence += ": " + s.words
	}
	id := sha256.New()
	fmt.Fprintf(id, "%q %q\n", kind, describe(part.Question))
	var answers []string
	for _, c := range changes {
		here, err := both(part, c.Condition, s.condition)
		if err != nil {
			r.notExplored(describe(part.Question) + ": " + err.Error())
			return nil
		}
		if here == diagram.False {
			continue
		}
		was, is := outcomeTexts(c.Was, c.Is)
		d.Outcomes = append(d.Outcomes, Outcome{was, is, part.Count(here)})
		own := part.Digest(here)
		answers = append(answers, fmt.Sprintf("%v → %v %x\n", c.Was, c.Is, own))
	}
	slices.Sort(answers)
	io.WriteString(id, strings.Join(answers, ""))
	d.ID = hex.EncodeToString(id.Sum(nil)[:16])
	d.Outcomes = gathered(d.Outcomes)
	d.Example, err = r.example(ctx, part, s.condition, kind)
	if errors.Is(err, errUnexpected) && part.Sides[0].Coarse { // such as an obligation that is malformed
		r.notExplored(fmt.Sprintf("%s: answers too many to be told apart: %v", describe(part.Question), err))
		return nil
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Changes = append(r.report.Changes, d)
	return nil
}

func both(part *explore.Part, a, b diagram.Node) (n diagram.Node, err error) {
	defer diagram.Guard(&err)
	return part.And(a, b), nil
}

// gathered adds up what has the same words, the most frequent first.
func gathered(all []Outcome) (few []Outcome) {
	for _, o := range all {
		if i := slices.IndexFunc(few, func(f Outcome) bool { return f.Was == o.Was && f.Is == o.Is }); i >= 0 {
			few[i].Cases += o.Cases
			continue
		}
		few = append(few, o)
	}
	slices.SortStableFunc(few, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(b.Cases, a.Cases), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Is, b.Is))
	})
	return few
}

var errUnexpected = errors.New("an example has other answers than were found out")

// example asks both policies about the smallest case of a condition, and holds the answers against what was found out.
func (r *comparer) example(ctx context.Context, part *explore.Part, where diagram.Node, kind Kind) (*ChangedExample, error) {
	c := part.Case(part.Smallest(where, part.Cost))
	plain, err := NewExample(c)
	if err != nil {
		return nil, err
	}
	e := &ChangedExample{*plain, *plain}
	var allows [2]bool
	for i, side := range []struct {
		policy  *pdp.Policy
		example *Example
	}{{r.Was, &e.Was}, {r.Is, &e.Is}} {
		got, err := askAbout(ctx, side.policy, c)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			side.example.Error = err.Error()
			continue
		}
		allows[i] = got.Allow
		if side.example.Answer, err = canonical(answerOf(got)); err != nil {
			return nil, err
		}
	}
	if allows != [2]bool{kind == Revoked || kind == Obliged, kind == Granted || kind == Obliged} {
		return nil, fmt.Errorf("%w: %s was expected, and the policies answer %s and %s: %s", errUnexpected, kind, cmp.Or(e.Was.Answer, e.Was.Error), cmp.Or(e.Is.Answer, e.Is.Error), plain.Command(""))
	}
	return e, nil
}
