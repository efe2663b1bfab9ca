package pdp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Policy is a revision made ready to decide: its prepared queries and what the engine must know of its tables. It is
// immutable and safe for concurrent use.
type Policy struct {
	revision   *bundles.Revision
	vocabulary *Vocabulary
	decision   *bundles.Query
	// allow and possible are the boolean questions of lists; nil where the policy is not for administration, and then
	// the decision itself is asked.
	allow, possible *bundles.Query
	// scope is the location at or beneath which a list of users can have hits at all; undefined where there are none.
	scope *bundles.Query
	// sees are the records that an answer tells of; a policy without it tells of none.
	sees *bundles.Query
	// candidates has the sets that a general policy offers to searches.
	candidates *bundles.Query
	offers     Offers
	catalogue  map[string]actionEntry
	documents  *documents // compiled as they are asked for
	check      *check     // whether it decides well still
	readings   readings
}

// actionEntry is what the policy's catalogue says of an action.
type actionEntry struct {
	resource             string   // the type of the resource
	needsNoCurrent       bool     // judged at its place alone: no current location is needed
	crossesOrganizations bool     // may be done from a location of any organization
	readOnly             bool     // changes nothing; an action that does not say so changes something
	model                string   // judges without a place; "" where the place or the current location says
	roles                []string // those that can give power at all
	named                []string // the properties that it has
}

// Prepare makes a revision ready to decide, and refuses one that must not: with faults in its tables, each of them a
// sentence that names the cell, without the rules that a catalogue needs, or without a well-formed decision on a question
// that nobody asks. The error is a [*bundles.Refusal].
func Prepare(ctx context.Context, r *bundles.Revision) (*Policy, error) {
	return prepare(ctx, r, (*Policy).checkTables, (*Policy).prepare, (*Policy).readTables, (*Policy).readOffers, (*Policy).probe)
}

func prepare(ctx context.Context, r *bundles.Revision, steps ...func(*Policy, context.Context) error) (*Policy, error) {
	p := &Policy{revision: r, catalogue: map[string]actionEntry{}, documents: newDocuments(r), check: &check{}}
	p.readings = p.read()
	for _, step := range steps {
		if err := step(p, ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Revision is what the policy was made of.
func (p *Policy) Revision() *bundles.Revision { return p.revision }

// Vocabulary is what the policy's tables let a directory say; nil where the policy has no such tables.
func (p *Policy) Vocabulary() *Vocabulary { return p.vocabulary }

// Actions lists the actions that the policy's tables name, sorted; none for a policy without such tables.
func (p *Policy) Actions() []string { return slices.Sorted(maps.Keys(p.catalogue)) }

// fault is a refusal of the policy.
func (p *Policy) fault(reason bundles.Reason, format string, args ...any) error {
	return bundles.Refuse(reason, fmt.Errorf("policies %s: %w", p.revision.Source, fmt.Errorf(format, args...)))
}

// checkTables asks the policy itself what is wrong with its tables.
func (p *Policy) checkTables(ctx context.Context) error {
	value, err := p.lookUp(ctx, "faults")
	if err != nil {
		return p.fault(bundles.Tables, "the tables cannot be checked: %w", err)
	}
	found, _ := value.([]any)
	errs := make([]error, 0, len(found))
	for _, fault := range found {
		errs = append(errs, p.fault(bundles.Tables, "%v", fault))
	}
	if len(errs) == 0 {
		return nil
	}
	return bundles.Refuse(bundles.Tables, errors.Join(errs...))
}

func (p *Policy) prepare(context.Context) error {
	r := p.revision
	var err error
	if p.decision, err = r.Prepare(r.Entrypoint); err != nil {
		return p.fault(bundles.Tables, "%w", err)
	}
	for name, query := range map[string]**bundles.Query{
		"allow": &p.allow, "possible": &p.possible, "scope": &p.scope, "candidates": &p.candidates, "sees": &p.sees,
	} {
		if !r.Defines(p.beside(name)) {
			continue
		}
		if *query, err = r.Prepare(p.beside(name)); err != nil {
			return p.fault(bundles.Tables, "%w", err)
		}
	}
	return nil
}

// readTables reads the catalogue of actions and the vocabulary. Only a policy with a catalogue is asked with lists in mind.
func (p *Policy) readTables(ctx context.Context) error {
	table, err := p.lookUp(ctx, "catalogue")
	switch {
	case err != nil:
		return p.fault(bundles.Tables, "the catalogue cannot be read: %w", err)
	case table == nil:
		p.allow, p.possible, p.scope = nil, nil, nil
	case p.allow == nil || p.possible == nil || p.scope == nil:
		return p.fault(bundles.Tables, "a policy with a catalogue needs the rules %s, %s and %s too",
			p.beside("allow"), p.beside("possible"), p.beside("scope"))
	default:
		if err := p.readCatalogue(table); err != nil {
			return p.fault(bundles.Tables, "%w", err)
		}
	}
	return p.readVocabulary(ctx)
}

// administers says whether the policy judges by the membership models, whose facts give the candidates of searches.
func (p *Policy) administers() bool { return len(p.catalogue) > 0 }

func (p *Policy) readCatalogue(table any) error {
	actions, ok := table.(map[string]any)
	if !ok {
		return fmt.Errorf("catalogue: not an object of actions")
	}
	members := []string{
		"resource", "models", "roles", "properties", "read_only", "needs_no_current_location", "crosses_organizations", "model",
	}
	for name, value := range actions {
		fields, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("catalogue: action %s is no object", name)
		}
		// A policy that marks actions by other names would have its marks ignored.
		for _, member := range slices.Sorted(maps.Keys(fields)) {
			if !slices.Contains(members, member) {
				return fmt.Errorf("catalogue: action %s has the member %s: it can have %s", name, member, strings.Join(members, ", "))
			}
		}
		entry := actionEntry{resource: text(fields, "resource"), model: text(fields, "model"),
			roles: texts(fields, "roles"), named: texts(fields, "properties")}
		entry.needsNoCurrent, _ = fields["needs_no_current_location"].(bool)
		entry.crossesOrganizations, _ = fields["crosses_organizations"].(bool)
		entry.readOnly, _ = fields["read_only"].(bool)
		p.catalogue[name] = entry
	}
	return nil
}

// takes says whether an action has a property.
func (a actionEntry) takes(property string) bool { return slices.Contains(a.named, property) }

// actions lists the actions on a type of resource, sorted.
func (p *Policy) actions(resource string) []string {
	var names []string
	for name, entry := range p.catalogue {
		if entry.resource == resource {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// beside is the path of a rule next to the entrypoint.
func (p *Policy) beside(name string) string {
	return path.Join(path.Dir(p.revision.Entrypoint), name)
}

// lookUp evaluates a rule beside the entrypoint that reads no input, once, at load. An absent or undefined one gives nil.
func (p *Policy) lookUp(ctx context.Context, name string) (any, error) {
	at := p.beside(name)
	if !p.revision.Defines(at) {
		return nil, nil
	}
	query, err := p.revision.Prepare(at)
	if err != nil {
		return nil, err
	}
	term, err := evaluate(ctx, query, ast.ObjectTerm())
	if err != nil || term == nil {
		return nil, err
	}
	return ast.JSON(term.Value)
}

// readOffers reads what the policy offers besides decisions. The facts give the candidates of the membership models.
func (p *Policy) readOffers(ctx context.Context) error {
	p.offers.Subjects, p.offers.Resources, p.offers.Actions = p.administers(), p.administers(), p.administers()
	if !p.administers() && p.candidates != nil {
		kinds, open := p.revision.Members(p.beside("candidates"))
		p.offers.Subjects = open || slices.Contains(kinds, subjectSearch)
		p.offers.Resources = open || slices.Contains(kinds, resourceSearch)
		p.offers.Actions = open || slices.Contains(kinds, actionSearch)
	}
	return p.readDeclared(ctx)
}

// readVocabulary reads what a directory may say.
func (p *Policy) readVocabulary(ctx context.Context) error {
	value, err := p.lookUp(ctx, "vocabulary")
	if err != nil {
		return p.fault(bundles.Tables, "the vocabulary cannot be read: %w", err)
	}
	if value == nil {
		return nil
	}
	table, _ := value.(map[string]any)
	v := &Vocabulary{Roles: map[string][]string{}, Levels: texts(table, "levels"), Areas: texts(table, "areas")}
	roles, _ := table["roles"].(map[string]any)
	for kind := range roles {
		v.Roles[kind] = texts(roles, kind)
	}
	if len(v.Roles) == 0 {
		return p.fault(bundles.Tables, "vocabulary: it names no roles")
	}
	p.vocabulary = v
	return nil
}

// probe asks a question about nobody and nothing. A policy must have a decision on it; one that judges by membership
// facts must deny it.
func (p *Policy) probe(ctx context.Context) error {
	in, err := new(builder).input(Request{
		Subject:  authzen.Entity{Type: "user", ID: "nobody"},
		Action:   authzen.Action{Name: "nothing"},
		Resource: authzen.Entity{Type: "user", ID: "nobody"},
	}, nil, asSent)
	if err != nil {
		return err
	}
	term, err := evaluate(ctx, p.decision, in)
	if err != nil {
		return p.fault(bundles.Decision, "a question that nobody asks cannot be decided: %w", err)
	}
	d, err := readDecision(term)
	switch {
	case err != nil:
		return p.fault(bundles.Decision, "a question that nobody asks has no well-formed answer: %w (write a default for %s)", err, p.revision.Entrypoint)
	case d.Allow && p.administers():
		return p.fault(bundles.Decision, "nobody is allowed to do nothing")
	}
	return nil
}
