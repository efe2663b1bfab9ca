package pdp

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// policy is a revision made ready to decide: its prepared queries and what the engine must know of its tables.
type policy struct {
	revision *bundles.Revision
	decision *bundles.Query
	// allow and possible are the boolean questions of lists; nil where the policy is not for administration, and then
	// the decision itself is asked.
	allow, possible *bundles.Query
	// scope is the location at or beneath which a list of users can have hits at all; undefined where there are none.
	scope *bundles.Query
	// candidates has the sets that a general policy offers to searches.
	candidates *bundles.Query
	catalogue  map[string]actionEntry
}

// actionEntry is what the policy's catalogue says of an action.
type actionEntry struct {
	resource string   // the type of the resource
	nowhere  bool     // judged at its place: the subject need not stand anywhere
	anywhere bool     // standings in every organization count
	model    string   // judges without a place; "" where the place or standing says
	roles    []string // those that can give power at a standing at all
	named    []string // the properties that it has
}

func newPolicy(ctx context.Context, r *bundles.Revision) (*policy, error) {
	p := &policy{revision: r, catalogue: map[string]actionEntry{}}
	var err error
	if p.decision, err = r.Prepare(r.Entrypoint); err != nil {
		return nil, err
	}
	for name, query := range map[string]**bundles.Query{
		"allow": &p.allow, "possible": &p.possible, "scope": &p.scope, "candidates": &p.candidates,
	} {
		if !r.Defines(beside(r, name)) {
			continue
		}
		prepared, err := r.Prepare(beside(r, name))
		if err != nil {
			return nil, err
		}
		*query = prepared
	}
	table, err := lookUp(ctx, r, beside(r, "catalogue"))
	if err != nil || table == nil {
		p.allow, p.possible, p.scope = nil, nil, nil
		return p, err
	}
	if p.allow == nil || p.possible == nil || p.scope == nil {
		return nil, fmt.Errorf("a policy with a catalogue needs the rules %s, %s and %s too",
			beside(r, "allow"), beside(r, "possible"), beside(r, "scope"))
	}
	return p, p.readCatalogue(table)
}

// administers says whether the policy judges by the membership models, whose facts give the candidates of searches.
func (p *policy) administers() bool { return len(p.catalogue) > 0 }

func (p *policy) readCatalogue(table any) error {
	actions, ok := table.(map[string]any)
	if !ok {
		return fmt.Errorf("policy catalogue: not an object of actions")
	}
	for name, value := range actions {
		fields, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("policy catalogue: action %s is no object", name)
		}
		entry := actionEntry{resource: text(fields, "resource"), model: text(fields, "model"),
			roles: texts(fields, "roles"), named: texts(fields, "properties")}
		entry.nowhere, _ = fields["nowhere"].(bool)
		entry.anywhere, _ = fields["anywhere"].(bool)
		p.catalogue[name] = entry
	}
	return nil
}

// takes says whether an action has a property.
func (a actionEntry) takes(property string) bool { return slices.Contains(a.named, property) }

// actions lists the actions on a type of resource, sorted.
func (p *policy) actions(resource string) []string {
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
func beside(r *bundles.Revision, name string) string {
	return path.Join(path.Dir(r.Entrypoint), name)
}

// lookUp evaluates a rule that reads no input, once, at load. An absent or undefined rule gives nil.
func lookUp(ctx context.Context, r *bundles.Revision, at string) (any, error) {
	if !r.Defines(at) {
		return nil, nil
	}
	query, err := r.Prepare(at)
	if err != nil {
		return nil, err
	}
	term, err := evaluate(ctx, query, ast.ObjectTerm())
	if err != nil || term == nil {
		return nil, err
	}
	return ast.JSON(term.Value)
}

// ReadVocabulary reads from a policy's tables what a directory may say. A policy without such tables gives nil.
func ReadVocabulary(ctx context.Context, r *bundles.Revision) (*Vocabulary, error) {
	value, err := lookUp(ctx, r, beside(r, "vocabulary"))
	if err != nil || value == nil {
		return nil, err
	}
	table, _ := value.(map[string]any)
	v := &Vocabulary{Roles: map[string][]string{}, Levels: texts(table, "levels"), Areas: texts(table, "areas")}
	roles, _ := table["roles"].(map[string]any)
	for kind := range roles {
		v.Roles[kind] = texts(roles, kind)
	}
	if len(v.Roles) == 0 {
		return nil, fmt.Errorf("policy vocabulary: it names no roles")
	}
	return v, nil
}
