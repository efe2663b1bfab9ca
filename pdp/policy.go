package pdp

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Policy is a revision prepared for decisions: its compiled queries and what the engine needs to know about its tables.
// It is immutable and safe for concurrent use.
type Policy struct {
	revision *bundles.Revision
	decision *bundles.Query
	// allow and possible are the boolean rules for lists. They are nil if the policy has no catalogue; the decision itself
	// is then used instead.
	allow, possible *bundles.Query
	// scope is the location at or below which a list of users can have hits; undefined if there can be none.
	scope *bundles.Query
	// subjectScope says who can be allowed an action that needs no current location; nil if the policy has no such rule.
	subjectScope *bundles.Query
	// possibleScope is the scope of what is allowed with suitable properties; nil if the policy has no such rule.
	possibleScope *bundles.Query
	// row is the id of the rule that judges a question; nil if the policy does not say.
	row *bundles.Query
	// disclosed returns the records that an answer discloses; nil if the policy has no such rule.
	disclosed *bundles.Query
	// mask says what to hide of records of decisions; nil if nothing.
	mask *bundles.Query
	// candidates are the sets that a policy without a catalogue offers to searches.
	candidates *bundles.Query

	catalogue  map[string]action
	vocabulary *Vocabulary
	offers     Offers
	readsOf    map[string]facts.Reads // by action in the catalogue
	readsOther facts.Reads            // for other actions
	documents  *documents
	health     *health
	evaluator  Evaluator
}

// Evaluator says what evaluates the queries of a policy.
type Evaluator struct {
	Name    string // [Compiled] or [Interpreted]
	Because string // why a policy that should be compiled is interpreted; "" otherwise
}

// The evaluators. They give the same decisions.
const (
	Compiled    = "compiled"    // package bundles/plan
	Interpreted = "interpreted" // OPA's package topdown
)

// Prepare prepares a revision for decisions. It refuses a revision with faults in its tables, without the rules that a
// catalogue needs, or without a well-formed decision on the probe. Each fault in a table is a sentence that names the
// cell. The error is a [*bundles.Refusal].
func Prepare(ctx context.Context, r *bundles.Revision) (*Policy, error) {
	return prepare(ctx, r, (*Policy).checkTables, (*Policy).prepareQueries, (*Policy).compileQueries, (*Policy).readTables, (*Policy).findReads, (*Policy).readOffers, (*Policy).probe)
}

// PrepareInterpreted is like [Prepare] for a policy that OPA's interpreter is to evaluate.
func PrepareInterpreted(ctx context.Context, r *bundles.Revision) (*Policy, error) {
	return prepare(ctx, r, (*Policy).checkTables, (*Policy).prepareQueries, (*Policy).readTables, (*Policy).findReads, (*Policy).readOffers, (*Policy).probe)
}

func prepare(ctx context.Context, r *bundles.Revision, steps ...func(*Policy, context.Context) error) (*Policy, error) {
	p := &Policy{revision: r, catalogue: map[string]action{}, documents: newDocuments(r), health: &health{},
		evaluator: Evaluator{Name: Interpreted}}
	for _, step := range steps {
		if err := step(p, ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Revision returns the revision that the policy was prepared from.
func (p *Policy) Revision() *bundles.Revision { return p.revision }

// Evaluator returns what evaluates the policy.
func (p *Policy) Evaluator() Evaluator { return p.evaluator }

// Vocabulary returns the terms of the policy's tables that a directory may use; nil if the policy has no such tables.
func (p *Policy) Vocabulary() *Vocabulary { return p.vocabulary }

// Actions returns the actions in the policy's catalogue, sorted.
func (p *Policy) Actions() []string { return slices.Sorted(maps.Keys(p.catalogue)) }

// ReadOnly reports whether an action of the catalogue changes nothing.
func (p *Policy) ReadOnly(action string) bool { return p.catalogue[action].readOnly }

// ResourceType returns the resource type of an action in the catalogue; "" for any other action.
func (p *Policy) ResourceType(action string) string { return p.catalogue[action].resource }

// refuse returns a refusal of the policy.
func (p *Policy) refuse(reason bundles.Reason, format string, args ...any) error {
	return bundles.Refuse(reason, fmt.Errorf("policy %s: %w", p.revision.Source, fmt.Errorf(format, args...)))
}

func (p *Policy) prepareQueries(context.Context) error {
	r := p.revision
	var err error
	if p.decision, err = r.Prepare(r.Entrypoint); err != nil {
		return p.refuse(bundles.Tables, "%w", err)
	}
	for name, query := range map[string]**bundles.Query{
		"allow": &p.allow, "possible": &p.possible, "scope": &p.scope, "subject_scope": &p.subjectScope, "possible_scope": &p.possibleScope, "row": &p.row, "candidates": &p.candidates, "sees": &p.disclosed,
	} {
		if !r.Defines(p.sibling(name)) {
			continue
		}
		if *query, err = r.Prepare(p.sibling(name)); err != nil {
			return p.refuse(bundles.Tables, "%w", err)
		}
	}
	if p.mask, err = r.Mask(); err != nil {
		return p.refuse(bundles.Tables, "%w", err)
	}
	return nil
}

// findReads finds out what the policy can read of a question about each action. A policy with a catalogue reads action
// properties only by the names in its catalogue or its rules, and never iterates over them.
func (p *Policy) findReads(context.Context) error {
	members := func(path ...string) facts.Members {
		names, all := p.revision.InputMembers(path...)
		return facts.Members{All: all, Names: facts.Keys(slices.Values(names))}
	}
	p.readsOther = facts.Reads{Subject: members("subject", "properties"), Action: members("action", "properties"),
		Resource: members("resource", "properties"), Context: members("context")}
	byName := p.readsOther.Action.All && p.hasCatalogue()
	if byName {
		p.readsOther.Action = facts.Members{Extra: facts.Keys(maps.Keys(p.revision.Constants()))}
	}
	p.readsOf = map[string]facts.Reads{}
	for name, a := range p.catalogue {
		reads := p.readsOther
		if byName {
			reads.Action.Names = facts.Keys(slices.Values(a.Properties))
		}
		reads.Bare = facts.BareAction(name)
		p.readsOf[name] = reads
	}
	return nil
}

// reads returns what the policy can read of a question about an action.
func (p *Policy) reads(action string) facts.Reads {
	if reads, known := p.readsOf[action]; known {
		return reads
	}
	return p.readsOther
}

// compileQueries compiles all queries, or none: the policy is then interpreted.
func (p *Policy) compileQueries(ctx context.Context) error {
	queries := []*bundles.Query{p.decision, p.allow, p.possible, p.scope, p.subjectScope, p.possibleScope, p.row, p.disclosed, p.candidates}
	queries = slices.DeleteFunc(queries, func(q *bundles.Query) bool { return q == nil })
	err := p.revision.Compile(ctx, queries...)
	switch {
	case err == nil:
		p.evaluator = Evaluator{Name: Compiled}
	case ctx.Err() != nil: // which says nothing about the policy
		return p.refuse(bundles.Unavailable, "%w", ctx.Err())
	default:
		p.evaluator = Evaluator{Interpreted, err.Error()}
	}
	return nil
}

// sibling returns the path of a rule in the entrypoint's package.
func (p *Policy) sibling(name string) string {
	return path.Join(path.Dir(p.revision.Entrypoint), name)
}

// lookUp evaluates a rule in the entrypoint's package that reads no input. It returns nil if the rule is absent or
// undefined.
func (p *Policy) lookUp(ctx context.Context, name string) (any, error) {
	at := p.sibling(name)
	if !p.revision.Defines(at) {
		return nil, nil
	}
	query, err := p.revision.Prepare(at)
	if err != nil {
		return nil, err
	}
	term, err := evaluate(ctx, query, input.New())
	if err != nil || term == nil {
		return nil, err
	}
	return ast.JSON(term.Value)
}

// probe asks a question about an unknown user and an unknown action. Every policy must have a decision on it, and a
// policy that uses membership facts must deny it.
func (p *Policy) probe(ctx context.Context) error {
	nobody := authzen.Entity{Type: "user", ID: "nobody"}
	in, err := new(facts.Builder).Input(Request{Subject: nobody, Action: authzen.Action{Name: "nothing"}, Resource: nobody}, nil, facts.ReadsAll())
	if err != nil {
		return err
	}
	term, err := evaluate(ctx, p.decision, in)
	if err != nil {
		return p.refuse(bundles.Decision, "the probe, a question about nobody, cannot be evaluated: %w", err)
	}
	d, err := readDecision(term)
	switch {
	case err != nil:
		return p.refuse(bundles.Decision, "the decision on the probe, a question about nobody, is malformed: %w (write a default for %s)", err, p.revision.Entrypoint)
	case d.Allow && p.hasCatalogue():
		return p.refuse(bundles.Decision, "the probe, a question about nobody, is allowed: deny by default")
	}
	return nil
}

// Roles returns the roles that can give power to do an action of the catalogue; empty if no role is needed.
func (p *Policy) Roles(action string) []string { return p.catalogue[action].roles }

// Models returns the models that know an action of the catalogue; empty if the catalogue does not say.
func (p *Policy) Models(action string) []string { return p.catalogue[action].models }

// FactsOf returns the part of an action's entry in the catalogue that the facts of a question depend on; false if there is none.
func (p *Policy) FactsOf(action string) (facts.Action, bool) {
	a, known := p.catalogue[action]
	return a.Action, known
}

// FindsByUsername reports whether a question about an action may name the user by username.
func (p *Policy) FindsByUsername(action string) bool {
	a := p.catalogue[action]
	return p.disclosed == nil || a.Has("new")
}
