package bundles

import (
	"context"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// inputReads describes what rules can read of a value in the input: all of it, or some members.
type inputReads struct {
	all     bool
	members map[string]*inputReads
}

// InputMembers names the members that the policy's rules can read of an object in the input, at a path such as {"action",
// "properties"}. all reports that rules may read any member: one names a member by a variable, or reads the whole object.
// The result may have more members than any evaluation reads, but never fewer.
func (r *Revision) InputMembers(path ...string) (members []string, all bool) {
	node := &r.inputs
	for _, name := range path {
		if node.all {
			return nil, true
		}
		if node = node.members[name]; node == nil {
			return nil, false
		}
	}
	return slices.Sorted(maps.Keys(node.members)), node.all
}

// Constants returns the set of string constants in the policy's rules. It includes every name that rules use and that comes
// from neither data nor the input.
func (r *Revision) Constants() map[string]bool { return r.constants }

// Names returns every text that the policy can compare with: the constants of its rules, and the keys and texts of its data.
func (r *Revision) Names(ctx context.Context) (map[string]bool, error) {
	data, err := r.store.Read(ctx, r.txn, storage.Path{})
	if err != nil {
		return nil, err
	}
	value, err := ast.InterfaceToValue(data) // a value already, if the store keeps such
	if err != nil {
		return nil, err
	}
	names := maps.Clone(r.constants)
	ast.NewGenericVisitor(func(node any) bool {
		if text, ok := node.(ast.String); ok {
			names[string(text)] = true
		}
		return false
	}).Walk(value)
	return names, nil
}

func constantsOf(modules map[string]*ast.Module) map[string]bool {
	constants := map[string]bool{}
	for _, module := range modules {
		ast.NewGenericVisitor(func(node any) bool {
			if text, ok := node.(ast.String); ok {
				constants[string(text)] = true
			}
			return false
		}).Walk(module)
	}
	return constants
}

// readsOf examines modules before they are compiled, because the compiler rewrites references.
func readsOf(modules map[string]*ast.Module) (reads inputReads) {
	for _, module := range modules {
		ast.NewGenericVisitor(reads.visit).Walk(module)
	}
	return reads
}

// visit records what one node of a rule reads. It returns true if it has visited the node's children itself.
func (n *inputReads) visit(node any) bool {
	switch node := node.(type) {
	case *ast.Expr:
		terms, ok := node.Terms.([]*ast.Term)
		return ok && len(node.With) == 0 && n.visitGet(terms)
	case ast.Call:
		return n.visitGet(node)
	case *ast.Head:
		for _, inner := range node.Reference {
			ast.NewGenericVisitor(n.visit).Walk(inner)
		}
	case ast.Ref:
		if !isInput(node[0]) {
			return false
		}
		n.record(node[1:])
		for _, inner := range node[1:] {
			ast.NewGenericVisitor(n.visit).Walk(inner)
		}
		return true
	case ast.Var:
		n.all = n.all || node.Equal(ast.InputRootDocument.Value)
	}
	return false
}

// visitGet treats object.get(input..., NAME or LIST OF NAMES, default) as the reference that it stands for.
func (n *inputReads) visitGet(call []*ast.Term) bool {
	if len(call) < 4 || !call[0].Equal(ast.NewTerm(ast.ObjectGet.Ref())) {
		return false
	}
	from, ok := call[1].Value.(ast.Ref)
	if !ok {
		if !isInput(call[1]) {
			return false
		}
		from = ast.Ref{call[1]}
	}
	if !isInput(from[0]) {
		return false
	}
	path := slices.Clone(from[1:])
	if list, ok := call[2].Value.(*ast.Array); ok {
		list.Foreach(func(name *ast.Term) { path = append(path, name) })
	} else {
		path = append(path, call[2])
	}
	n.record(path)
	for _, inner := range slices.Concat(path, ast.Ref(call[3:])) {
		ast.NewGenericVisitor(n.visit).Walk(inner)
	}
	return true
}

// record records a path. The value at its end, or after the first name that is not a constant, is read as a whole.
func (n *inputReads) record(path []*ast.Term) {
	for _, name := range path {
		text, ok := name.Value.(ast.String)
		if !ok {
			break
		}
		if n.members == nil {
			n.members = map[string]*inputReads{}
		}
		if n.members[string(text)] == nil {
			n.members[string(text)] = &inputReads{}
		}
		n = n.members[string(text)]
	}
	n.all = true
}

func isInput(term *ast.Term) bool { return term.Equal(ast.InputRootDocument) }
