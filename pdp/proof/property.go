package proof

import (
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
)

// Property is what has to hold of a policy in every case.
type Property struct {
	Name string `yaml:"property"`
	// What it is about; an empty list is everything. Actions may have the wildcard *, and one that begins with ! is left out.
	Models  []string            `yaml:"models"`
	Actions []string            `yaml:"actions"`
	Subject *Person             `yaml:"subject"`
	User    *Person             `yaml:"user"` // whom the question is about
	Sets    map[string][]string `yaml:"sets"` // properties of the action, one of which has one of these texts
	// CurrentLocation is "given" for questions that say where the subject stands; "" is both.
	CurrentLocation string   `yaml:"current_location"`
	Reasons         []string `yaml:"reasons"` // codes of denials, for IndependentOf

	// One of the two: the answer that is never given, and what the denials with those reasons do not depend on.
	Never         string `yaml:"never"`
	IndependentOf string `yaml:"independent_of"`

	line int
}

// Person says which people a property is about, by the roles that they hold in the organization, or in any organization where the action
// is judged by all of them: roles of the subject that are active, and those of the user whatever their status.
type Person struct {
	Roles   []string `yaml:"roles"`   // at least one of these, and no other
	With    []string `yaml:"with"`    // at least one of these
	Without []string `yaml:"without"` // none of these
	Self    *bool    `yaml:"self"`    // of User: whether it is the subject; nil is both
}

// What a property can say.
const (
	Allowed             = "allowed"              // of Never
	AnotherOrganization = "another_organization" // of IndependentOf
	given               = "given"                // of CurrentLocation
)

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// about reports whether a property is about an action in a model.
func (p *Property) about(model, action string) bool {
	if len(p.Models) > 0 && !slices.Contains(p.Models, model) {
		return false
	}
	included := len(p.Actions) == 0 || strings.HasPrefix(p.Actions[0], "!")
	for _, pattern := range p.Actions {
		if out, isOut := strings.CutPrefix(pattern, "!"); isOut {
			included = included && !matches(out, action)
		} else {
			included = included || matches(pattern, action)
		}
	}
	return included
}

// where returns the cases that a property is about.
func (p *Property) where(part *explore.Part) diagram.Node {
	where := diagram.True
	if p.Subject != nil {
		where = p.Subject.where(part, part.SubjectHolds)
	}
	if p.User != nil {
		where = part.And(where, part.And(part.AboutUser(), p.User.where(part, part.UserHolds)))
		switch self := p.User.Self; {
		case self == nil:
		case *self:
			where = part.And(where, part.AboutSelf())
		default:
			where = part.Except(where, part.AboutSelf())
		}
	}
	if len(p.Sets) > 0 {
		any := diagram.False
		for name, texts := range p.Sets {
			any = part.Or(any, part.Sets(name, texts))
		}
		where = part.And(where, any)
	}
	if p.CurrentLocation == given {
		where = part.And(where, part.SaysCurrent())
	}
	return where
}

// where returns where somebody is such a person; holds returns where they hold a role of which something is true.
func (p *Person) where(part *explore.Part, holds func(func(role string) bool) diagram.Node) diagram.Node {
	where := diagram.True
	if len(p.Roles) > 0 {
		where = part.Except(holds(among(p.Roles)), holds(func(role string) bool { return !slices.Contains(p.Roles, role) }))
	}
	if len(p.With) > 0 {
		where = part.And(where, holds(among(p.With)))
	}
	if len(p.Without) > 0 {
		where = part.Except(where, holds(among(p.Without)))
	}
	return where
}

func among(roles []string) func(string) bool {
	return func(role string) bool { return slices.Contains(roles, role) }
}

// names reports whether an answer is a denial with one of the reasons of a property.
func (p *Property) names(answer *ast.Term) bool {
	allow, _, ok := read(answer)
	if !ok || allow {
		return false
	}
	object, isObject := answer.Value.(ast.Object)
	if !isObject {
		return false
	}
	list := object.Get(ast.StringTerm("reasons"))
	if list == nil {
		return false
	}
	all, isList := list.Value.(interface {
		Until(func(*ast.Term) bool) bool
	}) // an array or a set
	return isList && all.Until(func(reason *ast.Term) bool {
		o, isObject := reason.Value.(ast.Object)
		if !isObject {
			return false
		}
		code := o.Get(ast.StringTerm("code"))
		text, isText := ast.String(""), false
		if code != nil {
			text, isText = code.Value.(ast.String)
		}
		return isText && slices.Contains(p.Reasons, string(text))
	})
}
