package pdp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// obligationMember is a member of an obligation's properties.
type obligationMember struct {
	name     string
	required bool
	fits     func(value any) bool
}

// obligationTypes are the registered types of obligation, with the members that their properties have.
var obligationTypes = map[string][]obligationMember{
	"custom":              nil,
	"notification":        {{"to", true, isText}, {"body", true, isText}, {"topic", false, isText}},
	"session_termination": {{"subject", true, isText}},
	"step-up":             {{"acr_value", true, isText}, {"amr_values", false, areTexts}},
}

func isText(value any) bool { _, ok := value.(string); return ok }

func areTexts(value any) bool {
	list, ok := value.([]any)
	return ok && !slices.ContainsFunc(list, func(element any) bool { return !isText(element) })
}

// readObligations insists on the shape of the obligations profile: what an enforcement point cannot read, it cannot do.
func readObligations(term *ast.Term) ([]Obligation, error) {
	list, err := readList("obligations", term)
	if err != nil {
		return nil, err
	}
	obligations := make([]Obligation, 0, len(list))
	for _, element := range list {
		o, err := readObligation(element)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(obligations, func(other Obligation) bool { return other.ID == o.ID }) {
			return nil, errors.New("two obligations have the same id")
		}
		obligations = append(obligations, o)
	}
	return obligations, nil
}

func readObligation(value any) (Obligation, error) {
	members, ok := value.(map[string]any)
	if !ok {
		return Obligation{}, errors.New("an obligation is no object")
	}
	o := Obligation{ID: text(members, "id"), Type: text(members, "type"), Properties: map[string]any{}}
	if o.ID == "" || o.Type == "" {
		return Obligation{}, errors.New("an obligation lacks its id or type")
	}
	form, registered := obligationTypes[o.Type]
	if !registered {
		return Obligation{}, fmt.Errorf("an obligation is of none of the types %s", listed(slices.Sorted(maps.Keys(obligationTypes))))
	}
	if properties := members["properties"]; properties != nil {
		if o.Properties, ok = properties.(map[string]any); !ok {
			return Obligation{}, fmt.Errorf("the properties of an obligation of type %s are no object", o.Type)
		}
	}
	for _, m := range form {
		switch value := o.Properties[m.name]; {
		case value == nil && m.required:
			return Obligation{}, fmt.Errorf("an obligation of type %s lacks the property %s", o.Type, m.name)
		case value != nil && !m.fits(value):
			return Obligation{}, fmt.Errorf("the property %s of an obligation of type %s is of the wrong type", m.name, o.Type)
		}
	}
	return o, nil
}

// readDeclared reads which types of obligation the policy declares, in the list or set supported_obligations beside its
// entrypoint.
func (p *Policy) readDeclared(ctx context.Context) error {
	value, err := p.lookUp(ctx, supportedObligations)
	if err != nil {
		return p.fault(bundles.Tables, "%s cannot be read: %w", supportedObligations, err)
	}
	if value == nil {
		return nil
	}
	if !areTexts(value) {
		return p.fault(bundles.Tables, "%s: not a list of types of obligation", supportedObligations)
	}
	p.offers.Obligations = slices.Compact(slices.Sorted(slices.Values(texts(map[string]any{"types": value}, "types"))))
	for _, name := range p.offers.Obligations {
		if _, registered := obligationTypes[name]; !registered {
			return p.fault(bundles.Tables, "%s: %q is none of the types %s", supportedObligations, name,
				listed(slices.Sorted(maps.Keys(obligationTypes))))
		}
	}
	return nil
}

// supportedObligations is the member of a question's context in which a caller says which types of obligation it can do,
// and the rule of a policy that declares them.
const supportedObligations = "supported_obligations"

// codeUnsupported is the reason for denying what the caller could not do.
const codeUnsupported = "obligation_unsupported"

// supportedBy is the decision that a caller can do, by what the context of its question says. Only types that the policy
// declares count; null says nothing, and anything but a list of texts supports nothing. An allow that carries any other type
// is a denial for that reason alone. A denial keeps its reasons and what the caller can do.
func (d Decision) supportedBy(caller map[string]any, declared []string) Decision {
	said := caller[supportedObligations]
	if said == nil || len(d.Obligations) == 0 {
		return d
	}
	var can []string
	if areTexts(said) {
		can = texts(caller, supportedObligations)
	}
	kept := make([]Obligation, 0, len(d.Obligations))
	for _, o := range d.Obligations {
		if slices.Contains(can, o.Type) && slices.Contains(declared, o.Type) {
			kept = append(kept, o)
		}
	}
	if len(kept) == len(d.Obligations) {
		return d
	}
	reason := map[string]any{"code": codeUnsupported, "message": "The application cannot do what this would require of it."}
	if d.Allow {
		return Decision{Reasons: []any{reason}, Revision: d.Revision}
	}
	d.Obligations, d.Reasons = kept, append(slices.Clone(d.Reasons), reason)
	return d
}
