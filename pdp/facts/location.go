package facts

import "github.com/open-policy-agent/opa/v1/ast"

// Location is one node of an organization's tree, immutable and safe for concurrent use. It knows its path to the root, so
// that no rule has to walk the tree.
type Location struct {
	rec     LocationRecord
	version uint64
	parent  *Location
	root    *Location
	id      *ast.Term
	path    *ast.Term // {ID: true} of the location and those above
	term    *ast.Term // the fact: {id, kind, model, organization, path, plan?}

	// Of a root: the facts organization and model.
	organizationTerm, modelTerm *ast.Term
}

// NewLocation joins a record with its parent, nil for a root. The record is not validated: that is the source's task
// (policies/DOMAIN.md section 1).
func NewLocation(rec LocationRecord, parent *Location, version uint64) *Location {
	l := &Location{rec: rec, version: version, parent: parent, id: ast.StringTerm(rec.ID)}
	l.root = l
	if parent != nil {
		l.root = parent.root
	}
	path := ast.NewObject()
	for at := l; at != nil; at = at.parent {
		path.Insert(at.id, termTrue)
	}
	l.path = ast.NewTerm(path)
	fact := ast.NewObject(
		item(keyID, l.id),
		item(keyKind, ast.StringTerm(rec.Kind)),
		item(keyModel, ast.StringTerm(l.Model())),
		item(keyOrganization, ast.StringTerm(l.Organization())),
		item(keyPath, l.path),
	)
	if plan := l.Plan(); plan != "" {
		fact.Insert(keyPlan, ast.StringTerm(plan))
	}
	l.term = sorted(ast.NewTerm(fact))
	if parent == nil {
		l.modelTerm = ast.StringTerm(rec.Model)
		l.organizationTerm = ast.ObjectTerm(item(keyID, l.id))
	}
	return l
}

// ID returns the id, which is unique in the whole directory.
func (l *Location) ID() string { return l.rec.ID }

// Name returns the location's display name, which may be empty.
func (l *Location) Name() string { return l.rec.Name }

// Kind returns the level in the tree, such as "region" or "practice".
func (l *Location) Kind() string { return l.rec.Kind }

// Model returns the model whose rules decide questions of this location's organization.
func (l *Location) Model() string { return l.root.rec.Model }

// Plan returns the organization's plan, which is empty if its model has none.
func (l *Location) Plan() string { return l.root.rec.Plan }

// Organization returns the id of the root.
func (l *Location) Organization() string { return l.root.rec.ID }

// Root returns the root of the location's tree.
func (l *Location) Root() *Location { return l.root }

// Parent returns the location directly above, or nil for a root.
func (l *Location) Parent() *Location { return l.parent }

// Record returns the location as its source delivered it.
func (l *Location) Record() LocationRecord { return l.rec }

// Version returns a number that grows whenever the location's record changes.
func (l *Location) Version() uint64 { return l.version }

// CoveredBy reports whether the location has the id, or is beneath the location that has it.
func (l *Location) CoveredBy(id string) bool {
	for at := l; at != nil; at = at.parent {
		if at.rec.ID == id {
			return true
		}
	}
	return false
}
