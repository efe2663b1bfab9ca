package bundles

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inputReads is what rules can read of a value of the input: all of it, or some members.
type inputReads struct {
	all     bool
	members map[string]*inputReads
}

// InputMembers says which members the policy's rules can read of an object in the input, at a path such as {"action",
// "properties"}. Where that cannot be told, it is all of them: a rule names a member by a variable, or reads the object as a
// whole. It looks at what is written alone, so it may name more than any evaluation reads, and never less.
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

// Constants are the texts that the policy's rules have as constants: a name that rules make use of, and that neither data nor
// input has, is among them.
func (r *Revision) Constants() map[string]bool { return r.words }

func wordsOf(modules map[string]*ast.Module) map[string]bool {
	words := map[string]bool{}
	for _, module := range modules {
		ast.NewGenericVisitor(func(node any) bool {
			if word, ok := node.(ast.String); ok {
				words[string(word)] = true
			}
			return false
		}).Walk(module)
	}
	return words
}

// readsOf looks through modules as they are written: the compiler takes references apart.
func readsOf(modules map[string]*ast.Module) (reads inputReads) {
	for _, module := range modules {
		ast.NewGenericVisitor(reads.visit).Walk(module)
	}
	return reads
}

// visit notes what one node of a rule reads. true says that what is inside has been looked at.
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
		n.note(node[1:])
		for _, inner := range node[1:] {
			ast.NewGenericVisitor(n.visit).Walk(inner)
		}
		return true
	case ast.Var:
		n.all = n.all || node.Equal(ast.InputRootDocument.Value)
	}
	return false
}

// visitGet takes object.get(input..., a name or a list of names, default) for the reference that it stands for.
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
	n.note(path)
	for _, inner := range slices.Concat(path, ast.Ref(call[3:])) {
		ast.NewGenericVisitor(n.visit).Walk(inner)
	}
	return true
}

// note notes a path: what is at its end, or behind the first name that is not written out, is read as a whole.
func (n *inputReads) note(path []*ast.Term) {
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
