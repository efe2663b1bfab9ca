package pdp

import "github.com/open-policy-agent/opa/v1/ast"

// input puts a question and its facts side by side. A caller's words are under subject, action, resource and context
// alone, so that none can pass for a fact.
func input(r Request, facts *ast.Term) (*ast.Term, error) {
	subject, err := partTerm([][2]*ast.Term{item(keyType, typeTerm(r.Subject.Type)), item(keyID, ast.StringTerm(r.Subject.ID))}, r.Subject.Properties)
	if err != nil {
		return nil, err
	}
	action, err := partTerm([][2]*ast.Term{item(keyName, ast.StringTerm(r.Action.Name))}, r.Action.Properties)
	if err != nil {
		return nil, err
	}
	resource, err := partTerm([][2]*ast.Term{item(keyType, typeTerm(r.Resource.Type)), item(keyID, ast.StringTerm(r.Resource.ID))}, r.Resource.Properties)
	if err != nil {
		return nil, err
	}
	members := append(make([][2]*ast.Term, 0, 5), item(keySubject, subject), item(keyAction, action), item(keyResource, resource))
	if r.Context != nil {
		context, err := objectTerm(r.Context)
		if err != nil {
			return nil, err
		}
		members = append(members, item(keyContext, context))
	}
	if facts != nil {
		members = append(members, item(keyFacts, facts))
	}
	return ast.ObjectTerm(members...), nil
}

// partTerm is a subject, action or resource: its own members, and its properties where it has any.
func partTerm(members [][2]*ast.Term, properties map[string]any) (*ast.Term, error) {
	if properties != nil {
		object, err := objectTerm(properties)
		if err != nil {
			return nil, err
		}
		members = append(members, item(keyProperties, object))
	}
	return ast.ObjectTerm(members...), nil
}

func objectTerm(members map[string]any) (*ast.Term, error) {
	value, err := ast.InterfaceToValue(members)
	if err != nil {
		return nil, &Error{Kind: Invalid, Message: "The question cannot be read.", Err: err}
	}
	return ast.NewTerm(value), nil
}
