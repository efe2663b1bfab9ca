package facts

import (
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Location is one node of an organization's tree, immutable and safe for concurrent use. It knows its path to the root, so
// that no rule has to walk the tree.
type Location struct {
	rec     LocationRecord
	version uint64
	parent  *Location
	root    *Location
	built   atomic.Pointer[locationFacts]
	recent  *builtLocations // of a root
}

// locationFacts is what rules see of a location. Most locations of a large organization are rarely asked about, so it is built when it
// is needed.
type locationFacts struct {
	id   *ast.Term
	path *ast.Term // {ID: true} of the location and those above
	fact *ast.Term // {id, kind, model, organization, path, plan?}

	// Of a root: the facts organization and model.
	organization, model *ast.Term
}

// NewLocation joins a record with its parent, nil for a root. The record is not validated: that is the source's task
// (policies/DOMAIN.md section 1).
func NewLocation(rec LocationRecord, parent *Location, version uint64) *Location {
	l := &Location{rec: rec, version: version, parent: parent}
	if parent == nil {
		l.root, l.recent = l, &builtLocations{}
		return l
	}
	l.root = parent.root
	if l.rec.Parent == parent.rec.ID {
		l.rec.Parent = parent.rec.ID // one copy of it for all
	}
	return l
}

// facts returns what rules see of the location.
func (l *Location) facts() *locationFacts {
	if f := l.built.Load(); f != nil {
		return f
	}
	f := l.build()
	if l.built.CompareAndSwap(nil, f) {
		l.root.recent.add(l)
	}
	return f
}

func (l *Location) build() *locationFacts {
	f := &locationFacts{id: ast.StringTerm(l.rec.ID)}
	path := ast.NewObject([2]*ast.Term{f.id, termTrue})
	for at := l.parent; at != nil; at = at.parent {
		path.Insert(at.facts().id, termTrue)
	}
	f.path = ast.NewTerm(path)
	fact := ast.NewObject(
		item(keyID, f.id),
		item(keyKind, ast.StringTerm(l.rec.Kind)),
		item(keyModel, ast.StringTerm(l.Model())),
		item(keyOrganization, ast.StringTerm(l.Organization())),
		item(keyPath, f.path),
	)
	if plan := l.Plan(); plan != "" {
		fact.Insert(keyPlan, ast.StringTerm(plan))
	}
	f.fact = sorted(ast.NewTerm(fact))
	if l.parent == nil {
		f.model = ast.StringTerm(l.rec.Model)
		f.organization = ast.ObjectTerm(item(keyID, f.id))
	}
	return f
}

// MaxBuiltLocations limits the locations of an organization that keep the facts built from them.
const MaxBuiltLocations = 4096

// builtLocations bounds how many locations of an organization keep the facts built from them. The first in is evicted first.
type builtLocations struct {
	mu   sync.Mutex
	all  []*Location // a ring, once it is full
	next int
}

func (b *builtLocations) add(l *Location) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) < MaxBuiltLocations {
		b.all = append(b.all, l)
		return
	}
	b.all[b.next].built.Store(nil)
	b.all[b.next] = l
	b.next = (b.next + 1) % len(b.all)
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
