package review

import (
	"context"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// What becomes of an answer.
const (
	Gained = "gained" // it was denied, and is allowed
	Lost   = "lost"   // it was allowed, and is denied
)

// Form is a question but for who asks, from where, and about whom or which place.
type Form struct {
	Change   string // [Gained] or [Lost]: what becomes of the answers to some questions of the form
	Over     string // [OverUsers], [OverNewUsers], [OverLocations] or [OverPatients], each of one location
	Action   authzen.Action
	Subject  map[string]any // properties
	Resource map[string]any // properties but the location, and the locations of a patient
	Context  map[string]any // but the current location
	// Location and Locations are the properties of the action that name a location, and a list of one: each that can matter is tried.
	Location, Locations []string
}

// form is a form with what its action is.
type form struct {
	Form
	standsNowhere bool // the action needs no current location
	changes       bool
}

// readForms sorts the forms by what they are asked about.
func (r *shared) readForms(policies ...*pdp.Policy) {
	r.empowering, r.forms = map[string]bool{}, map[string][]form{}
	for _, f := range r.Forms {
		one, over := form{Form: f, standsNowhere: true}, f.Over
		for _, p := range policies {
			a, known := p.FactsOf(f.Action.Name)
			if !known {
				continue
			}
			one.standsNowhere = one.standsNowhere && a.NeedsNoCurrentLocation
			r.seesAll = r.seesAll || a.Model != "" && !a.NeedsNoCurrentLocation
			one.changes = one.changes || !p.ReadOnly(f.Action.Name)
			if a.CrossesOrganizations {
				over = OverNewLocations // and all others
			}
			roles := p.Roles(f.Action.Name)
			if a.NeedsNoCurrentLocation || len(roles) == 0 {
				roles = []string{""} // any, and none
			}
			for _, role := range roles {
				r.empowering[role] = true
			}
		}
		r.forms[over] = append(r.forms[over], one)
	}
}

// comparing reports whether two policies are asked.
func (r *shared) comparing() bool { return r.Was != nil }

// Holder is somebody for whom something becomes otherwise.
type Holder struct {
	ID       string `json:"id"`
	Location string `json:"location"` // where the role is held
	Count    int    `json:"count"`    // over how many
}

// Change says who gains or loses an action by a role.
type Change struct {
	Change string   `json:"change"` // [Gained] or [Lost]
	Action string   `json:"action"`
	Role   string   `json:"role"`
	Kind   string   `json:"kind"` // of the location where the role is held
	Over   string   `json:"over"`
	People int      `json:"people"`
	Count  int      `json:"count"`   // over how many all of them together
	Held   []Holder `json:"holders"` // by location; who holds the role at several is there several times
}

// group is what a change is about.
type group struct{ change, action, role, kind, over string }

func (c *Change) group() group { return group{c.Change, c.Action, c.Role, c.Kind, c.Over} }

// touch notes over what something becomes otherwise for those who hold a role at a location.
func (r *run) touch(kind uint16, role string, at *location, id string) {
	if !r.comparing() {
		return
	}
	k := r.kind(kind)
	of := group{k.change, k.action, role, at.Kind(), k.over}
	if r.touched[of] == nil {
		r.touched[of] = map[string]bool{}
	}
	r.touched[of][id] = true
}

// Compare asks two policies, cfg.Was and cfg.Reviewers, the questions of cfg.Forms, and returns who gains or loses what. Questions are
// taken together as in a review. Row and Orphan of the configuration are not called.
func Compare(ctx context.Context, cfg Config) ([]Change, Counts, error) {
	found, people := map[group]*Change{}, map[group]map[string]bool{}
	cfg.Row = func(row Row) error {
		c := Change{Change: row.Change, Action: row.Action, Role: row.Role, Kind: row.Location.Kind(), Over: row.Over}
		of := c.group()
		if found[of] == nil {
			found[of], people[of] = &c, map[string]bool{}
		}
		found[of].Held = append(found[of].Held, Holder{row.Subject.ID(), row.Location.ID(), row.Count})
		people[of][row.Subject.ID()] = true
		return nil
	}
	cfg.Orphan = func(Orphan) error { return nil }
	over := map[group]map[string]bool{}
	cfg.touched = func(all map[group]map[string]bool) {
		for of, ids := range all {
			if over[of] == nil {
				over[of] = ids
				continue
			}
			maps.Copy(over[of], ids)
		}
	}
	counts, err := Run(ctx, cfg)
	if err != nil {
		return nil, Counts{}, err
	}
	all := []Change{}
	for of, c := range found {
		c.People, c.Count = len(people[of]), len(over[of])
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Change) int {
		return comparePairs(a.Change, b.Change, a.Action, b.Action, a.Kind, b.Kind, a.Role, b.Role, a.Over, b.Over)
	})
	return all, counts, nil
}
