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
	Locations []*byID   `json:"locations"`
	Users     []*person `json:"users"`
}

type byID struct {
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

// models are the folders of policies/authz whose tables the tests read, so that a change of a table needs no change
// here.
var models = []string{"regional", "health_system", "practice_group", "vendor"}

// modelTables is the part of a model's tables that tests read. If order affects what is generated, it is the order of
// the file.
type modelTables struct {
	Roles   ordered[roleEntry]
	Levels  ordered[ordered[bool]]
	Actions map[string]actionEntry
}

type roleEntry struct {
	OfferedAt   []string `yaml:"offered_at"`
	ReachesDown bool     `yaml:"reaches_down"`
	Columns     map[string]string
}

type actionEntry struct {
	Resource               string
	ReadOnly               bool `yaml:"read_only"`
	NeedsNoCurrentLocation bool `yaml:"needs_no_current_location"`
}

// ordered is a YAML mapping in the order of the file.
type ordered[T any] struct {
	names   []string
	entries []T
}

func (o *ordered[T]) UnmarshalYAML(node *yaml.Node) error {
	for i := 0; i < len(node.Content); i += 2 {
		var entry T
		if err := node.Content[i+1].Decode(&entry); err != nil {
			return err
		}
		o.names, o.entries = append(o.names, node.Content[i].Value), append(o.entries, entry)
	}
	return nil
}

// tables returns the tables of each model. policies/authz/tables_test.rego repeats their contents on purpose.
var tables = sync.OnceValue(func() map[string]modelTables {
	all := map[string]modelTables{}
	for _, model := range models {
		var t modelTables
		readTables("authz/"+model+"/data.yaml", &t)
		all[model] = t
	}
	return all
})

func readTables(name string, into any) {
	data, err := fs.ReadFile(policies.Files(), name)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		panic(err)
	}
}

// rolesWhere lists the roles of all models whose entries satisfy a condition.
func rolesWhere(satisfied func(roleEntry) bool) []string {
	var names []string
	for _, model := range models {
		roles := tables()[model].Roles
		for i, name := range roles.names {
			if satisfied(roles.entries[i]) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

var (
	// offered maps each kind of location to the roles that can be assigned there.
	offered = func() map[string][]string {
		byKind := map[string][]string{}
		for _, kind := range []string{"region", "division", "facility", "system", "entity", "group", "practice", "vendor"} {
			byKind[kind] = rolesWhere(func(r roleEntry) bool { return slices.Contains(r.OfferedAt, kind) })
		}
		return byKind
	}()
	reachesDown = rolesWhere(func(r roleEntry) bool { return r.ReachesDown })
	hasColumn   = rolesWhere(func(r roleEntry) bool { return len(r.Columns) > 0 })
	levelNames  = slices.Clip(tables()["practice_group"].Levels.names) // tests append to them, at the same time
	areaNames   = slices.Clip(tables()["practice_group"].Levels.entries[0].names)
)

// actionsOf returns the actions of a model, sorted.
func actionsOf(model string) []string { return slices.Sorted(maps.Keys(tables()[model].Actions)) }

// allActions returns the actions of all models, without duplicates.
func allActions() []string {
	var all []string
	for _, model := range models {
		all = append(all, actionsOf(model)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// entryOf returns the entry of an action; all models that have the action agree. An unknown action counts as an action
// on users.
func entryOf(action string) actionEntry {
	for _, model := range models {
		if entry, ok := tables()[model].Actions[action]; ok {
			return entry
		}
	}
	return actionEntry{Resource: "user"}
}

// typeOf returns the resource type of an action.
func typeOf(action string) string { return entryOf(action).Resource }

// needsNoCurrentLocation reports whether only the place of an action counts.
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

// clone returns a deep copy.
func (w *world) clone() *world {
	c := &world{}
	if err := json.Unmarshal(w.json(), c); err != nil {
		panic(err)
	}
	return c
}

func (w *world) byID(id string) *byID {
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

func (w *world) root(l *byID) *byID {
	for l.Parent != "" {
		l = w.byID(l.Parent)
	}
	return l
}

// covers reports whether b is a or below a.
func (w *world) covers(a, b *byID) bool {
	for ; b.ID != a.ID; b = w.byID(b.Parent) {
		if b.Parent == "" {
			return false
		}
	}
	return true
}

// inside lists the locations of an organization.
func (w *world) inside(organization *byID) []*byID {
	var all []*byID
	for _, l := range w.Locations {
		if w.root(l).ID == organization.ID {
			all = append(all, l)
		}
	}
	return all
}

// belongs reports whether a user has an assignment in an organization, whatever its status.
func (w *world) belongs(u *person, organization *byID) bool {
	return slices.ContainsFunc(u.Assignments, func(a assignment) bool { return w.root(w.byID(a.Location)).ID == organization.ID })
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

// active returns the assignments that are in effect.
func (w *world) active(u *person) []assignment {
	var all []assignment
	for _, a := range u.Assignments {
		l := w.byID(a.Location)
		group := u.at(l.Parent)
		if isActive(a.Status) && (l.Kind != "practice" || group != nil && isActive(group.Status)) {
			all = append(all, a)
		}
	}
	return all
}

// canStandAt reports whether a user may stand at a location (ALL-3).
func (w *world) canStandAt(u *person, l *byID) bool {
	return slices.ContainsFunc(w.active(u), func(a assignment) bool {
		return a.Location == l.ID || slices.Contains(reachesDown, a.Role) && w.covers(w.byID(a.Location), l)
	})
}

// standings lists where a user may stand.
func (w *world) standings(u *person) []*byID {
	var all []*byID
	for _, l := range w.Locations {
		if w.canStandAt(u, l) {
			all = append(all, l)
		}
	}
	return all
}

// hasPower reports whether an active assignment of a user gives power over others.
func (w *world) hasPower(u *person) bool {
	return isActive(u.Status) && slices.ContainsFunc(w.active(u), func(a assignment) bool {
		return slices.Contains(reachesDown, a.Role) || slices.Contains(hasColumn, a.Role) || a.Access != nil && a.Access.Areas["users"]
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

// sortedIDs returns the ids of hits, sorted.
func sortedIDs(hits []pdp.Hit) []string {
	ids := names(hits)
	slices.Sort(ids)
	return ids
}

// names returns the ids or names of hits, in their order.
func names(hits []pdp.Hit) []string {
	all := make([]string, 0, len(hits))
	for _, hit := range hits {
		all = append(all, hit.ID+hit.Name)
	}
	return all
}

// sameName compares usernames as directories do.
func sameName(a, b string) bool { return strings.EqualFold(a, b) }
