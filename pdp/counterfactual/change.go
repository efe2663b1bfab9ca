package counterfactual

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// What a change is of.
const (
	Subject  = "subject"
	User     = "user"
	Location = "location"
	Question = "question"
)

// The facts that a change can be about.
const (
	Status           = "status"            // of an account
	DefaultLocation  = "default_location"  // of a user
	Assignment       = "assignment"        // the role at the location At, with the assignment itself
	AssignmentStatus = "assignment_status" // of the assignment at At
	Level            = "level"             // of the access in the group At
	Area             = "area"              // the switch called Name over the level
	Plan             = "plan"              // of an organization
	Parent           = "parent"            // of a location
	CurrentLocation  = "current_location"  // from where the subject asks
	Place            = "location"          // that the question is about
	Obligations      = "supported_obligations"
	Property         = "property" // of the action, called Name
)

// Change is one fact, or one part of the question, with another value.
type Change struct {
	Of   string `json:"of"`             // what it is of, one of the constants
	ID   string `json:"id,omitempty"`   // of the user or the location
	Fact string `json:"fact"`           // one of the constants
	At   string `json:"at,omitempty"`   // the location of an assignment
	Name string `json:"name,omitempty"` // of a property or an area
	From any    `json:"from,omitempty"` // nil: it is absent
	To   any    `json:"to,omitempty"`   // nil: it would be absent

	cost     int
	user     func() *facts.UserRecord // made when it is needed: there can be many large ones
	location *facts.LocationRecord
	question *authzen.Evaluation
}

// Same reports whether two changes are one.
func (c *Change) Same(other *Change) bool {
	return c.Of == other.Of && c.ID == other.ID && c.Fact == other.Fact && c.At == other.At && c.Name == other.Name && reflect.DeepEqual(c.To, other.To)
}

// The costs of changes, by which they are sorted: what a person can do at once comes first, and what changes an organization
// last.
const (
	costQuestion = iota
	costDefault
	costStatus
	costArea
	costLevel
	costRole
	costAdded
	costRemoved
	costPlan
	costParent
)

// MaxChanges limits the changes of a world.
const MaxChanges = 1000

// maxLocations limits the other parents that are tried of a location.
const maxLocations = 50

// Terms are the values that facts can have.
type Terms struct {
	Roles               map[string][]string // by the kind of the location
	Levels, Areas       []string
	Properties          []string // of the action
	FromCurrentLocation bool     // the question is judged from where the subject stands
}

// World is a question with the records that it is about, in a view that has them.
type World struct {
	Question authzen.Evaluation
	View     facts.View
	Terms    Terms

	Subject, User  *facts.User     // nil if unknown; User also if the question is about no user
	MadeUp         bool            // the user is made up: nothing that the record says is told, only what could be added to it
	Current, Place *facts.Location // nil if unknown
}

// Changes returns the single changes of a world, the most plausible first: of the question, of the subject, of the user asked about,
// and of the locations. Each leaves the directory valid (policies/DOMAIN.md section 1). There are at most [MaxChanges] of them; all
// says whether these are all. The error is that of the view.
func (w *World) Changes(ctx context.Context) (changes []Change, all bool, err error) {
	changes = w.ofQuestion()
	if w.Subject != nil {
		changes = append(changes, w.ofUser(Subject, w.Subject)...)
	}
	if w.User != nil && (w.Subject == nil || w.User.ID() != w.Subject.ID()) {
		changes = append(changes, w.ofUser(User, w.User)...)
		if w.MadeUp {
			changes = slices.DeleteFunc(changes, func(c Change) bool {
				return c.Of == User && (c.Fact != Assignment || c.From != nil)
			})
		}
	}
	ofLocations, err := w.ofLocations(ctx)
	if err != nil {
		return nil, false, err
	}
	changes = append(changes, ofLocations...)
	slices.SortStableFunc(changes, Compare)
	if len(changes) > MaxChanges {
		return changes[:MaxChanges], false, nil
	}
	return changes, true, nil
}

// whose is the order of changes of one cost: what is done to the user is more plausible than that the subject is somebody else.
var whose = []string{Question, User, Subject, Location}

// Compare compares changes by how plausible they are, the most plausible first.
func Compare(a, b Change) int {
	return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(slices.Index(whose, a.Of), slices.Index(whose, b.Of)),
		cmp.Compare(a.Fact, b.Fact), cmp.Compare(a.At, b.At), cmp.Compare(a.Name, b.Name), cmp.Compare(fmt.Sprint(a.To), fmt.Sprint(b.To)))
}

// With returns the question, and the view, in which a change has been made.
func (w *World) With(c Change) (authzen.Evaluation, facts.View) {
	if c.question != nil {
		return *c.question, w.View
	}
	v := &view{View: w.View, location: c.location}
	if c.user != nil {
		v.user = c.user()
	}
	return w.Question, v
}

// inScope reports whether a location is in an organization that the question is about.
func (w *World) inScope(at *facts.Location) bool {
	if w.Current == nil && w.Place == nil {
		return true
	}
	return slices.ContainsFunc(w.roots(), func(root *facts.Location) bool { return root.ID() == at.Organization() })
}

func (w *World) roots() []*facts.Location {
	var roots []*facts.Location
	for _, at := range []*facts.Location{w.Current, w.Place} {
		if at != nil && !slices.Contains(roots, at.Root()) {
			roots = append(roots, at.Root())
		}
	}
	return roots
}

// places returns the locations that the question names, and the roots above them.
func (w *World) places() []*facts.Location {
	var places []*facts.Location
	for _, at := range append([]*facts.Location{w.Current, w.Place}, w.roots()...) {
		if at != nil && !slices.ContainsFunc(places, func(other *facts.Location) bool { return other.ID() == at.ID() }) {
			places = append(places, at)
		}
	}
	return places
}
