package pdp_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// world is a small directory that tests generate and change, in the shape of policies/DOMAIN.md section 1.
type world struct {
	Locations []*spot   `json:"locations"`
	Users     []*person `json:"users"`
}

type spot struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Kind   string `json:"kind"`
	Parent string `json:"parent,omitempty"`
	Model  string `json:"model,omitempty"`
	Plan   string `json:"plan,omitempty"`
}

type person struct {
	ID          string       `json:"id"`
	Username    string       `json:"username,omitempty"`
	Name        *fullName    `json:"name,omitempty"`
	Status      string       `json:"status,omitempty"`
	Default     string       `json:"default_location,omitempty"`
	LastLogin   string       `json:"last_login,omitempty"`
	Assignments []assignment `json:"assignments,omitempty"`
}

type fullName struct {
	Given  string `json:"given,omitempty"`
	Family string `json:"family,omitempty"`
}

type assignment struct {
	Location     string  `json:"location"`
	Role         string  `json:"role"`
	Status       string  `json:"status,omitempty"`
	Access       *access `json:"access,omitempty"`
	Profession   string  `json:"profession,omitempty"`
	Registration string  `json:"registration_number,omitempty"`
}

type access struct {
	Level string          `json:"level,omitempty"`
	Areas map[string]bool `json:"areas,omitempty"`
}

// The tables of policies/DOMAIN.md sections 4.1, 5.1 and 6.1, stated a second time on purpose.
var (
	offered = map[string][]string{
		"region":   {"regional_admin"},
		"division": {"division_admin", "public_health_admin", "public_health"},
		"facility": {"ed_admin", "ed_normal"},
		"system":   {"entity_admin", "system_admin"},
		"entity":   {"user", "entity_admin"},
		"group":    {"owner", "practitioner", "administrator"},
		"practice": {"owner", "practitioner", "administrator"},
		"vendor":   {"vendor_staff"},
	}
	reachesDown = []string{"regional_admin", "division_admin", "public_health_admin", "entity_admin", "system_admin", "owner"}
	areaNames   = []string{"patient_records", "calendars", "invoices", "locations", "credit_settings", "reminder_settings", "users"}
	levelNames  = []string{"full", "standard", "limited"}

	models = []string{"regional", "health_system", "practice_group", "vendor"}
)

// actionEntry is what tests read of an action in a model's table.
type actionEntry struct {
	Resource               string
	ReadOnly               bool `yaml:"read_only"`
	NeedsNoCurrentLocation bool `yaml:"needs_no_current_location"`
}

// actionTables are the tables of actions by model and name, as policies/authz states them.
// policies/authz/tables_test.rego states them a second time on purpose.
var actionTables = sync.OnceValue(func() map[string]map[string]actionEntry {
	tables := map[string]map[string]actionEntry{}
	for _, model := range models {
		data, err := fs.ReadFile(policies.Files(), "authz/"+model+"/data.yaml")
		if err != nil {
			panic(err)
		}
		var table struct{ Actions map[string]actionEntry }
		if err := yaml.Unmarshal(data, &table); err != nil {
			panic(err)
		}
		tables[model] = table.Actions
	}
	return tables
})

// actionsOf are the actions of a model, sorted.
func actionsOf(model string) []string { return slices.Sorted(maps.Keys(actionTables()[model])) }

// allActions are the actions of all models, once each.
func allActions() []string {
	var all []string
	for _, model := range models {
		all = append(all, actionsOf(model)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// entryOf is the entry of an action; the models that have it agree. An unknown action counts as one on users.
func entryOf(action string) actionEntry {
	for _, model := range models {
		if entry, ok := actionTables()[model][action]; ok {
			return entry
		}
	}
	return actionEntry{Resource: "user"}
}

// typeOf is the type of resource of an action.
func typeOf(action string) string { return entryOf(action).Resource }

// needsNoCurrentLocation reports whether an action is judged at its place alone.
func needsNoCurrentLocation(action string) bool { return entryOf(action).NeedsNoCurrentLocation }

func (w *world) json() []byte {
	data, err := json.MarshalIndent(w, "", " ")
	if err != nil {
		panic(err)
	}
	return data
}

// directory parses the world as a source would. Generated worlds are valid.
func (w *world) directory(tb require.TestingT) *directory.Directory {
	d, err := directory.Parse(w.json(), vocabulary())
	require.NoError(tb, err)
	return d
}

// clone is a deep copy.
func (w *world) clone() *world {
	c := &world{}
	if err := json.Unmarshal(w.json(), c); err != nil {
		panic(err)
	}
	return c
}

func (w *world) spot(id string) *spot {
	for _, l := range w.Locations {
		if l.ID == id {
			return l
		}
	}
	return nil
}

func (w *world) user(id string) *person {
	for _, u := range w.Users {
		if u.ID == id {
			return u
		}
	}
	return nil
}

// account finds a user by id, or else by username.
func (w *world) account(name string) *person {
	found := w.user(name)
	for _, u := range w.Users {
		if found == nil && u.Username != "" && sameName(u.Username, name) {
			found = u
		}
	}
	return found
}

func (w *world) root(l *spot) *spot {
	for l.Parent != "" {
		l = w.spot(l.Parent)
	}
	return l
}

// covers reports whether b is a or lies beneath it.
func (w *world) covers(a, b *spot) bool {
	for ; b.ID != a.ID; b = w.spot(b.Parent) {
		if b.Parent == "" {
			return false
		}
	}
	return true
}

// inside lists the locations of an organization.
func (w *world) inside(organization *spot) []*spot {
	var all []*spot
	for _, l := range w.Locations {
		if w.root(l).ID == organization.ID {
			all = append(all, l)
		}
	}
	return all
}

// belongs reports whether a user has an assignment, of whatever status, in an organization.
func (w *world) belongs(u *person, organization *spot) bool {
	return slices.ContainsFunc(u.Assignments, func(a assignment) bool { return w.root(w.spot(a.Location)).ID == organization.ID })
}

func (u *person) at(location string) *assignment {
	for i := range u.Assignments {
		if u.Assignments[i].Location == location {
			return &u.Assignments[i]
		}
	}
	return nil
}

func isActive(status string) bool { return status == "" || status == "active" }

// active are the assignments that give something.
func (w *world) active(u *person) []assignment {
	var all []assignment
	for _, a := range u.Assignments {
		l := w.spot(a.Location)
		group := u.at(l.Parent)
		if isActive(a.Status) && (l.Kind != "practice" || group != nil && isActive(group.Status)) {
			all = append(all, a)
		}
	}
	return all
}

// stands reports whether a user may stand at a location (ALL-3).
func (w *world) stands(u *person, l *spot) bool {
	return slices.ContainsFunc(w.active(u), func(a assignment) bool {
		return a.Location == l.ID || slices.Contains(reachesDown, a.Role) && w.covers(w.spot(a.Location), l)
	})
}

// standings lists where a user may stand.
func (w *world) standings(u *person) []*spot {
	var all []*spot
	for _, l := range w.Locations {
		if w.stands(u, l) {
			all = append(all, l)
		}
	}
	return all
}

// powerful reports whether an active assignment of a user gives power over others.
func (w *world) powerful(u *person) bool {
	return isActive(u.Status) && slices.ContainsFunc(w.active(u), func(a assignment) bool {
		return slices.Contains(reachesDown, a.Role) || a.Role == "ed_admin" || a.Access != nil && a.Access.Areas["users"]
	})
}

// subset keeps each element with a probability in percent.
func subset[T any](r *rand.Rand, percent int, all []T) []T {
	var some []T
	for _, x := range all {
		if chance(r, percent) {
			some = append(some, x)
		}
	}
	return some
}

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// sortedIDs are the ids of hits, sorted.
func sortedIDs(hits []pdp.Hit) []string {
	ids := names(hits)
	slices.Sort(ids)
	return ids
}

// names are the ids or names of hits, in their order.
func names(hits []pdp.Hit) []string {
	all := make([]string, 0, len(hits))
	for _, hit := range hits {
		all = append(all, hit.ID+hit.Name)
	}
	return all
}

// sameName compares usernames as directories do.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }
