package pdp

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// input puts a question and its facts side by side. A caller's words are under subject, action, resource and context
// alone, so that none can pass for a fact.
func input(r Request, facts *ast.Term) (ast.Value, error) {
	subject, err := entityTerm(r.Subject)
	if err != nil {
		return nil, err
	}
	resource, err := entityTerm(r.Resource)
	if err != nil {
		return nil, err
	}
	action := ast.NewObject(item("name", ast.StringTerm(r.Action.Name)))
	if err := addMembers(action, "properties", r.Action.Properties); err != nil {
		return nil, err
	}
	in := ast.NewObject(
		item("subject", subject),
		item("action", ast.NewTerm(action)),
		item("resource", resource),
	)
	if err := addMembers(in, "context", r.Context); err != nil {
		return nil, err
	}
	if facts != nil {
		in.Insert(ast.InternedTerm("facts"), facts)
	}
	return in, nil
}

func entityTerm(e authzen.Entity) (*ast.Term, error) {
	object := ast.NewObject(item("type", ast.StringTerm(e.Type)), item("id", ast.StringTerm(e.ID)))
	if err := addMembers(object, "properties", e.Properties); err != nil {
		return nil, err
	}
	return ast.NewTerm(object), nil
}

func addMembers(object ast.Object, key string, members map[string]any) error {
	if members == nil {
		return nil
	}
	value, err := ast.InterfaceToValue(members)
	if err != nil {
		return &Error{Kind: Invalid, Message: key + " cannot be read", Err: err}
	}
	object.Insert(ast.InternedTerm(key), ast.NewTerm(value))
	return nil
}
