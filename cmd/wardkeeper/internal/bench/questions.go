package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Kinds of requests.
const (
	Single = "single"
	Batch  = "batch"
	Search = "search"
)

// Kinds returns the kinds of requests.
func Kinds() []string { return []string{Single, Batch, Search} }

const (
	batchSize = 20 // questions, such as about the buttons of a page
	pageSize  = 20
)

// Request is one request of the load.
type Request struct {
	Kind string
	Path string
	Body []byte
}

// Directory is what questions are about.
type Directory interface {
	AllUsers() []*facts.User
}

// practice is how often an action is asked for in an organization of a model, of a hundred.
type practice struct {
	action string
	weight int
}

var practices = map[string][]practice{
	facts.ModelRegional: {
		{"user.view", 25}, {"user.view_locations", 8}, {"user.list", 6}, {"user.edit", 9}, {"user.reset_password", 4}, {"user.deactivate", 2},
		{"assignment.add", 8}, {"assignment.edit", 5}, {"assignment.remove", 5}, {"default_location.change", 3},
		{"location.switch", 8}, {"patient.view", 12}, {"incident.view", 5},
	},
	facts.ModelHealthSystem: {
		{"user.view", 34}, {"user.view_locations", 6}, {"user.list", 10}, {"user.edit", 14}, {"user.reset_password", 6}, {"user.deactivate", 2},
		{"assignment.remove", 6}, {"admin.grant", 3}, {"admin.revoke", 2}, {"user.invite", 5}, {"location.switch", 12},
	},
	facts.ModelPracticeGroup: {
		{"area.access", 35}, {"user.view", 20}, {"user.list", 8}, {"user.edit", 9}, {"assignment.add", 6}, {"assignment.remove", 5},
		{"user.deactivate", 2}, {"user.invite", 3}, {"location.switch", 12},
	},
	facts.ModelVendor: {{"user.view", 60}, {"user.list", 20}, {"location.switch", 20}},
}

var areas = []string{"calendars", "credit_settings", "invoices", "locations", "patient_records", "reminder_settings", "users"}

// generator makes questions about a directory. Most subjects are administrators, since it is they who ask about others.
type generator struct {
	*rand.Rand
	standings, powerful []standing
	members             map[string][]*facts.User // by organization
}

// standing is an active user at a location where it has a role.
type standing struct {
	user *facts.User
	held facts.Assignment
}

func newGenerator(d Directory, seed uint64) (*generator, error) {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), members: map[string][]*facts.User{}}
	for _, u := range d.AllUsers() {
		for _, held := range u.Assignments() {
			id := held.At.Organization()
			if members := g.members[id]; len(members) == 0 || members[len(members)-1] != u { // it may be there twice
				g.members[id] = append(members, u)
			}
			if !held.Active || u.Record().Status != facts.StatusActive {
				continue
			}
			g.standings = append(g.standings, standing{u, held})
			if strings.Contains(held.Role, "admin") || held.Role == "owner" {
				g.powerful = append(g.powerful, standing{u, held})
			}
		}
	}
	if len(g.standings) == 0 {
		return nil, errors.New("nobody in the directory can ask: it has no active user with an active assignment")
	}
	return g, nil
}

// NewRequests returns n requests about a directory in their order, by how many of a hundred are of a kind. The same seed gives the
// same.
func NewRequests(d Directory, n int, seed uint64, mix map[string]int) ([]Request, error) {
	g, err := newGenerator(d, seed)
	if err != nil {
		return nil, err
	}
	all := make([]Request, n)
	for i := range all {
		share := g.IntN(100)
		switch {
		case share < mix[Single]:
			all[i], err = newRequest(Single, "/access/v1/evaluation", g.evaluation(g.standing()))
		case share < mix[Single]+mix[Batch]:
			all[i], err = newRequest(Batch, "/access/v1/evaluations", g.batch())
		case g.IntN(3) == 0:
			all[i], err = newRequest(Search, "/access/v1/search/action", g.searchActions())
		default:
			all[i], err = newRequest(Search, "/access/v1/search/resource", g.searchUsers())
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func newRequest(kind, path string, question any) (Request, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return Request{}, fmt.Errorf("a question cannot be written: %w", err)
	}
	return Request{kind, path, body}, nil
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func (g *generator) standing() standing {
	if len(g.powerful) > 0 && g.IntN(100) < 65 {
		return pick(g.Rand, g.powerful)
	}
	return pick(g.Rand, g.standings)
}

// member returns a user of the subject's organization, mostly one with an assignment where the subject stands or beneath, and a
// location of that user there.
func (g *generator) member(s standing) (*facts.User, *facts.Location) {
	organization := s.held.At.Organization()
	user, place := s.user, s.held.At
	for range 8 {
		user = pick(g.Rand, g.members[organization])
		held := slices.DeleteFunc(slices.Clone(user.Assignments()), func(a facts.Assignment) bool { return a.At.Organization() != organization })
		place = pick(g.Rand, held).At
		if user != s.user && (place.CoveredBy(s.held.At.ID()) || g.IntN(100) < 15) {
			break
		}
	}
	return user, place
}

// evaluation returns a question of somebody who stands at a location.
func (g *generator) evaluation(s standing) authzen.Evaluation {
	user, place := g.member(s)
	e := authzen.Evaluation{
		Subject:  authzen.Entity{Type: "user", ID: s.user.ID()},
		Action:   authzen.Action{Name: g.action(s.held.At.Model())},
		Resource: authzen.Entity{Type: "user", ID: user.ID(), Properties: map[string]any{"location": place.ID()}},
		Context:  map[string]any{"current_location": s.held.At.ID()},
	}
	property := func(name string, value any) { e.Action.Properties = map[string]any{name: value} }
	switch e.Action.Name {
	case "user.list", "location.switch", "incident.view", "area.access":
		e.Resource = authzen.Entity{Type: "location", ID: place.ID()}
		if e.Action.Name == "area.access" {
			property("area", pick(g.Rand, areas))
		}
	case "patient.view":
		e.Resource = authzen.Entity{Type: "patient", ID: "4711", Properties: map[string]any{"locations": []string{place.ID()}}}
	case "assignment.add", "user.invite":
		property("role", pick(g.Rand, g.standings).held.Role)
	case "assignment.edit":
		property("new_role", pick(g.Rand, g.standings).held.Role)
	case "admin.grant", "admin.revoke":
		property("role", "entity_admin")
	}
	if g.IntN(100) < 30 {
		e.Context["confirmed"] = true
	}
	return e
}

func (g *generator) action(model string) string {
	n := g.IntN(100)
	for _, p := range practices[model] {
		if n -= p.weight; n < 0 {
			return p.action
		}
	}
	return "user.view"
}

// batch returns questions of one subject, who stands at one location.
func (g *generator) batch() any {
	s := g.standing()
	var items []any
	first := authzen.Evaluation{}
	for range batchSize {
		e := g.evaluation(s)
		items = append(items, map[string]any{"action": e.Action, "resource": e.Resource})
		first = e
	}
	return map[string]any{"subject": first.Subject, "context": map[string]any{"current_location": s.held.At.ID()}, "evaluations": items}
}

// searchUsers returns the search of the user list of a page.
func (g *generator) searchUsers() any {
	s := g.standing()
	return map[string]any{
		"subject": authzen.Entity{Type: "user", ID: s.user.ID()}, "action": authzen.Action{Name: "user.view"}, "resource": map[string]any{"type": "user"},
		"context": map[string]any{"current_location": s.held.At.ID()}, "page": map[string]any{"limit": pageSize},
	}
}

// searchActions returns the question what somebody may do with a user.
func (g *generator) searchActions() any {
	s := g.standing()
	user, place := g.member(s)
	return map[string]any{
		"subject":  authzen.Entity{Type: "user", ID: s.user.ID()},
		"resource": authzen.Entity{Type: "user", ID: user.ID(), Properties: map[string]any{"location": place.ID()}},
		"context":  map[string]any{"current_location": s.held.At.ID()},
	}
}
