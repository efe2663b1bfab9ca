package pdp

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// readDecision reads what a policy answered: a boolean, or an object with `allow` and optional `reasons`,
// `obligations`, `advice` and `context` (AUTHZEN.md, policies that are not ours). Anything else, undefined included, is
// an error and no decision. The error is for the log: it names the fault, and nothing that the policy said.
func readDecision(term *ast.Term) (Decision, error) {
	if term == nil {
		return Decision{}, errors.New("the decision is undefined")
	}
	switch value := term.Value.(type) {
	case ast.Boolean:
		return Decision{Allow: bool(value)}, nil
	case ast.Object:
		return readObject(value)
	}
	return Decision{}, fmt.Errorf("the decision is a %s", ast.ValueName(term.Value))
}

func readObject(object ast.Object) (d Decision, err error) {
	allowed := false
	err = object.Iter(func(key, value *ast.Term) error {
		name, _ := key.Value.(ast.String)
		switch name {
		case "allow":
			allow, ok := value.Value.(ast.Boolean)
			if !ok {
				return errors.New("allow is no boolean")
			}
			d.Allow, allowed = bool(allow), true
			return nil
		case "reasons":
			d.Reasons, err = readList(name, value)
		case "advice":
			d.Advice, err = readList(name, value)
		case "obligations":
			d.Obligations, err = readObligations(value)
		case "context":
			d.Context, err = readMembers(name, value)
		default:
			err = errors.New("there is a member that no decision has")
		}
		return err
	})
	if err == nil && !allowed {
		err = errors.New("allow is missing")
	}
	if err != nil {
		return Decision{}, err
	}
	return d, nil
}

// readList reads an array, or a set in its order.
func readList(name ast.String, term *ast.Term) ([]any, error) {
	switch term.Value.(type) {
	case *ast.Array, ast.Set:
	default:
		return nil, fmt.Errorf("%s is no list", string(name))
	}
	value, err := ast.JSON(term.Value)
	if err != nil {
		return nil, err
	}
	return value.([]any), nil
}

func readMembers(name ast.String, term *ast.Term) (map[string]any, error) {
	value, err := ast.JSON(term.Value)
	if err != nil {
		return nil, err
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is no object", string(name))
	}
	return members, nil
}
