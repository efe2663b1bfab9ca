package pdp

import (
	"context"
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// scope says which users a list can have as hits. Nobody else is decided.
type scope struct {
	location string // they have an assignment there or beneath
	except   string // the id of a user who is no hit; "" for none
	facts.Only
}

// scopeOf asks the policy for the scope of a list of users. It returns nil if there can be no hits.
func (ev *evaluation) scopeOf(ctx context.Context, question Request) (*scope, error) {
	question.Resource.ID = question.Subject.ID // any user will do: a scope does not depend on the resource
	return ev.readScope(ctx, question, ev.scope)
}

// subjectScopeOf asks the policy who can be allowed an action that needs no current location. It returns nil if nobody can.
func (ev *evaluation) subjectScopeOf(ctx context.Context, question Request) (*scope, error) {
	if ev.subjectScope == nil { // as in bundles of earlier releases
		return &scope{}, nil
	}
	question.Subject.ID = "" // nobody: it does not depend on the subject
	return ev.readScope(ctx, question, ev.subjectScope)
}

func (ev *evaluation) readScope(ctx context.Context, question Request, query *bundles.Query) (*scope, error) {
	term, err := ev.askOne(ctx, question, query)
	if err != nil || term == nil {
		return nil, err
	}
	value, err := ast.JSON(term.Value)
	if err != nil {
		return nil, badScope(err)
	}
	s, err := parseScope(value)
	if err != nil {
		return nil, badScope(err)
	}
	return s, nil
}

func badScope(err error) error {
	return &Error{Kind: Internal, Message: "The policy's scope could not be read.", Err: err}
}

// parseScope reads a scope. A member with an unknown name is ignored, which makes the scope wider; a value that cannot be read is an
// error, because it could be read as one that makes it narrower.
func parseScope(value any) (*scope, error) {
	if id, ok := value.(string); ok { // of bundles of earlier releases
		return &scope{location: id}, nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("it is neither an object nor the id of a location")
	}
	s := &scope{}
	text := func(name string, into *string) (err error) {
		if *into, ok = members[name].(string); !ok && members[name] != nil {
			err = errors.New(name + " is not a string")
		}
		return err
	}
	err := errors.Join(text("location", &s.location), text("status", &s.Status), text("except", &s.except))
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"", facts.StatusActive, facts.StatusDeactivated}, s.Status) {
		return nil, errors.New("status is not one of an account")
	}
	assigned, around := members["assigned"], members["assigned_around"]
	switch {
	case assigned != nil && around != nil:
		err = errors.New("it has both assigned and assigned_around")
	case assigned != nil:
		s.Assigned, err = parseAssigned(assigned)
	case around != nil: // a member of its own, because without beneath it would be narrower
		if s.Assigned, err = parseAssigned(around); err == nil {
			members, _ := around.(map[string]any)
			if s.Assigned.Beneath, ok = members["beneath"].(string); !ok {
				err = errors.New("assigned_around.beneath is not a string")
			}
		}
	}
	return s, err
}

func parseAssigned(value any) (*facts.Assigned, error) {
	members, _ := value.(map[string]any)
	assigned := &facts.Assigned{Locations: append([]string{}, facts.Strings(members, "locations")...)}
	at, one := members["location"].(string)
	if one {
		assigned.Locations = []string{at}
	}
	if !one && !areStrings(members["locations"]) {
		return nil, errors.New("assigned has neither location nor locations")
	}
	var ok bool
	if assigned.Active, ok = members["active"].(bool); !ok && members["active"] != nil {
		return nil, errors.New("assigned.active is not a boolean")
	}
	if roles, given := members["roles"]; given {
		if !areStrings(roles) {
			return nil, errors.New("assigned.roles is not a list of strings")
		}
		assigned.Roles = facts.Strings(members, "roles")
	}
	return assigned, nil
}
