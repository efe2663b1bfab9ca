package pdp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Vocabulary lists the terms in the policy's tables that a directory may use: the roles that each kind of location
// offers, the access levels and the areas. Sources validate records against it.
type Vocabulary struct {
	Roles  map[string][]string // by kind of location; sorted
	Levels []string            // sorted
	Areas  []string            // sorted
}

// action describes an action as the policy's catalogue does.
type action struct {
	facts.Action
	resource string   // the type of the resource
	readOnly bool     // the action changes nothing
	models   []string // that know the action
	roles    []string // the roles that can give power at any standing; empty if no role is needed
}

// catalogueMembers are the members that an action can have in the catalogue.
var catalogueMembers = []string{
	"resource", "models", "roles", "properties", "read_only", "needs_no_current_location", "crosses_organizations", "model",
}

// formerMembers are the names that members of the catalogue had in bundles of earlier releases. An upgraded sidecar must
// keep working with its existing bundle.
var formerMembers = map[string]string{
	"uses": "read_only", "nowhere": "needs_no_current_location", "anywhere": "crosses_organizations",
}

// checkTables returns the faults that the policy itself finds in its tables.
func (p *Policy) checkTables(ctx context.Context) error {
	value, err := p.lookUp(ctx, "faults")
	if err != nil {
		return p.refuse(bundles.Tables, "the tables cannot be checked: %w", err)
	}
	found, _ := value.([]any)
	errs := make([]error, 0, len(found))
	for _, fault := range found {
		errs = append(errs, p.refuse(bundles.Tables, "%s%v", p.positionOf(fmt.Sprint(fault)), fault))
	}
	if len(errs) == 0 {
		return nil
	}
	return bundles.Refuse(bundles.Tables, errors.Join(errs...))
}

// positionOf returns the file and line of the cell that a fault begins with, such as "regional roles, ed_admin, reaches_down: ...".
func (p *Policy) positionOf(fault string) string {
	cell, _, _ := strings.Cut(fault, ":")
	names := strings.Split(cell, ", ")
	names = append(strings.Fields(names[0]), names[1:]...)
	file, line := p.revision.Position(append(strings.Split(path.Dir(p.revision.Entrypoint), "/"), names...)...)
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}

// readTables reads the catalogue of actions and the vocabulary. Only a policy with a catalogue has rules for lists.
func (p *Policy) readTables(ctx context.Context) error {
	table, err := p.lookUp(ctx, "catalogue")
	switch {
	case err != nil:
		return p.refuse(bundles.Tables, "the catalogue cannot be read: %w", err)
	case table == nil:
		p.allow, p.possible, p.scope, p.subjectScope = nil, nil, nil, nil
	case p.allow == nil || p.possible == nil || p.scope == nil:
		return p.refuse(bundles.Tables, "a policy with a catalogue needs the rules %s, %s and %s too",
			p.sibling("allow"), p.sibling("possible"), p.sibling("scope"))
	default:
		if err := p.readCatalogue(table); err != nil {
			return p.refuse(bundles.Tables, "%w", err)
		}
	}
	return p.readVocabulary(ctx)
}

func (p *Policy) readCatalogue(table any) error {
	actions, ok := table.(map[string]any)
	if !ok {
		return errors.New("catalogue: not an object of actions")
	}
	for name, value := range actions {
		fields, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("catalogue: action %s is not an object", name)
		}
		// A member with an unknown name would be ignored, so it is an error.
		for _, member := range slices.Sorted(maps.Keys(fields)) {
			if current, former := formerMembers[member]; former {
				if _, both := fields[current]; both {
					return fmt.Errorf("catalogue: action %s has both %s and %s, its former name", name, current, member)
				}
				fields[current] = fields[member]
				continue
			}
			if !slices.Contains(catalogueMembers, member) {
				return fmt.Errorf("catalogue: action %s has the member %s: it can have %s", name, member, strings.Join(catalogueMembers, ", "))
			}
		}
		a := action{resource: facts.String(fields, "resource"), models: facts.Strings(fields, "models"), roles: facts.Strings(fields, "roles")}
		a.Model, a.Properties = facts.String(fields, "model"), facts.Strings(fields, "properties")
		a.NeedsNoCurrentLocation, _ = fields["needs_no_current_location"].(bool)
		a.CrossesOrganizations, _ = fields["crosses_organizations"].(bool)
		a.readOnly, _ = fields["read_only"].(bool)
		p.catalogue[name] = a
	}
	return nil
}

// hasCatalogue reports whether the policy uses the membership models, whose facts provide the candidates of searches.
func (p *Policy) hasCatalogue() bool { return len(p.catalogue) > 0 }

// actionsOn returns the actions on a type of resource, sorted.
func (p *Policy) actionsOn(resource string) []string {
	var names []string
	for name, a := range p.catalogue {
		if a.resource == resource {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (p *Policy) readVocabulary(ctx context.Context) error {
	value, err := p.lookUp(ctx, "vocabulary")
	if err != nil {
		return p.refuse(bundles.Tables, "the vocabulary cannot be read: %w", err)
	}
	if value == nil {
		return nil
	}
	table, _ := value.(map[string]any)
	v := &Vocabulary{Roles: map[string][]string{}, Levels: facts.Strings(table, "levels"), Areas: facts.Strings(table, "areas")}
	roles, _ := table["roles"].(map[string]any)
	for kind := range roles {
		v.Roles[kind] = facts.Strings(roles, kind)
	}
	if len(v.Roles) == 0 {
		return p.refuse(bundles.Tables, "vocabulary: it names no roles")
	}
	p.vocabulary = v
	return nil
}

// readOffers reads what the policy offers besides decisions.
func (p *Policy) readOffers(ctx context.Context) error {
	all := p.hasCatalogue()
	p.offers = Offers{Subjects: all, Resources: all, Actions: all, Guards: all}
	if !all && p.candidates != nil {
		kinds, open := p.revision.Members(p.sibling("candidates"))
		p.offers.Subjects = open || slices.Contains(kinds, subjectSearch)
		p.offers.Resources = open || slices.Contains(kinds, resourceSearch)
		p.offers.Actions = open || slices.Contains(kinds, actionSearch)
	}
	return p.readSupportedObligations(ctx)
}

// readSupportedObligations reads the obligation types that the policy declares, in the list or set supported_obligations
// in the package of its entrypoint.
func (p *Policy) readSupportedObligations(ctx context.Context) error {
	value, err := p.lookUp(ctx, supportedObligations)
	if err != nil {
		return p.refuse(bundles.Tables, "%s cannot be read: %w", supportedObligations, err)
	}
	if value == nil {
		return nil
	}
	if !areStrings(value) {
		return p.refuse(bundles.Tables, "%s: not a list of types of obligation", supportedObligations)
	}
	for _, name := range value.([]any) {
		p.offers.Obligations = append(p.offers.Obligations, name.(string))
	}
	slices.Sort(p.offers.Obligations)
	p.offers.Obligations = slices.Compact(p.offers.Obligations)
	for _, name := range p.offers.Obligations {
		if err := checkObligationType(name); err != nil {
			return p.refuse(bundles.Tables, "%s: %q is %w", supportedObligations, name, err)
		}
	}
	return nil
}
