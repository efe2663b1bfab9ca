package review

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Directory is one state of a directory as a whole.
type Directory interface {
	facts.View
	AllLocations() []*facts.Location // by ascending id
	AllUsers() []*facts.User         // by ascending id
}

// What a row is over.
const (
	OverUsers        = "users"         // of those assigned at or beneath the location
	OverLocations    = "locations"     // at or beneath the location; of any organization, where the action crosses organizations
	OverNewUsers     = "new users"     // the locations at or beneath it to which a new user can be invited
	OverNewLocations = "new locations" // an id that no location has
)

// Row says that somebody may do an action, given suitable properties (policies/DOMAIN.md section 8), standing at a location where
// they hold a role, or beneath it.
type Row struct {
	Subject  *facts.User
	Role     string
	Location *facts.Location // where the role is held
	Action   string
	Over     string // one of the constants, such as [OverUsers]
	Count    int    // on how many; each is counted once, however many places and standings allow it
	Rule     string // that judges it; "" if the policy does not say
	Changes  bool   // the action changes something
}

// Orphan is an account that nobody else may change anything of, in one organization.
type Orphan struct {
	User          *facts.User
	Organization  *facts.Location // nil: the account has no assignment
	Administrator bool            // the account may change others
}

// Config configures a review.
type Config struct {
	Reviewer  *pdp.Reviewer // over Directory
	Directory Directory
	// Each decides every question, and takes none to be equal to another.
	Each bool
	// Row and Orphan take what is found: organization by organization, and there by location, subject and action.
	Row    func(Row) error
	Orphan func(Orphan) error
	// Progress is called with the number of locations that are done. It may be nil.
	Progress func(done, of int)
}

// Counts says how much was found, and by how many decisions.
type Counts struct {
	Users         int `json:"users"`
	Locations     int `json:"locations"`
	Organizations int `json:"organizations"`
	Rows          int `json:"rows"`
	Orphans       int `json:"orphans"`
	Decisions     int `json:"decisions"` // that were made
}

// ErrTellsApart reports that the policy decided two questions differently that it was taken to decide alike.
var ErrTellsApart = errors.New("the policy tells people or locations apart by their ids or names: decide each question")

// Run reviews a whole directory.
func Run(ctx context.Context, cfg Config) (Counts, error) {
	names, err := cfg.Reviewer.Policy().Revision().Names(ctx)
	if err != nil {
		return Counts{}, err
	}
	r := &run{Config: cfg, ctx: ctx, known: map[string]*answer{}, names: names, reaches: reaches{none: map[string]int{}}, words: map[string]int{}}
	r.readActions()
	r.readDirectory()
	if err := r.findUnknown(); err != nil {
		return Counts{}, err
	}
	for _, root := range r.roots {
		if err := ctx.Err(); err != nil {
			return r.counts, err
		}
		if err := r.organization(root); err != nil {
			return r.counts, err
		}
	}
	return r.counts, r.unassigned()
}

// run is one run of a review.
type run struct {
	Config
	ctx    context.Context
	counts Counts
	done   int // locations

	onUsers, onNewUsers, onLocations, crossing []string // actions
	empowering                                 map[string]bool

	locations []*location // by id
	roots     []*location
	at        map[string]*location

	kinds []kindOfRow // by id
	known map[string]*answer
	names map[string]bool // texts that the policy knows
	words map[string]int  // that keys are made of
	key   []byte
	numbered
	reaches
	unknownUser, unknownLocation string // ids that nobody and no location has
	err                          error  // the first one, which ends the run
}

// kindOfRow is what a question can be a row of.
type kindOfRow struct{ action, over, rule string }

// location is a location with those beneath it and those assigned there.
type location struct {
	*facts.Location
	children []*location
	byKind   [][]*location // the locations at or beneath it; nil until needed
	users    []int         // with an assignment here, of any status
}

// readActions sorts the actions by what they are asked about. Those that need no current location are what everybody does with an
// account of their own, and give no power over others.
func (r *run) readActions() {
	policy := r.Reviewer.Policy()
	r.empowering = map[string]bool{}
	for _, name := range policy.Actions() {
		a, _ := policy.FactsOf(name)
		if a.NeedsNoCurrentLocation {
			continue
		}
		switch kind := policy.ResourceType(name); {
		case a.CrossesOrganizations:
			r.crossing = append(r.crossing, name)
		case kind == "user" && a.Has("new"):
			r.onNewUsers = append(r.onNewUsers, name)
		case kind == "user":
			r.onUsers = append(r.onUsers, name)
		case kind == "location":
			r.onLocations = append(r.onLocations, name)
		}
		for _, role := range policy.Roles(name) {
			r.empowering[role] = true
		}
		if len(policy.Roles(name)) == 0 {
			r.empowering[""] = true
		}
	}
}

func (r *run) readDirectory() {
	all := r.Directory.AllLocations()
	r.at = make(map[string]*location, len(all))
	for _, l := range all {
		at := &location{Location: l}
		r.at[l.ID()] = at
		r.locations = append(r.locations, at)
	}
	for _, l := range r.locations {
		if l.Parent() == nil {
			r.roots = append(r.roots, l)
			continue
		}
		above := r.at[l.Parent().ID()]
		above.children = append(above.children, l)
	}
	users := r.Directory.AllUsers()
	for i, u := range users {
		for _, a := range u.Assignments() {
			at := r.at[a.Location]
			at.users = append(at.users, i)
		}
	}
	r.counts.Users, r.counts.Locations, r.counts.Organizations = len(users), len(all), len(r.roots)
}

// findUnknown finds ids that nobody and no location has.
func (r *run) findUnknown() error {
	for r.unknownUser = "new"; ; r.unknownUser += "-" {
		u, err := r.Directory.User(r.ctx, r.unknownUser)
		named, fault := r.Directory.UserByUsername(r.ctx, r.unknownUser)
		if err := errors.Join(err, fault); err != nil {
			return err
		}
		if u == nil && named == nil {
			break
		}
	}
	for r.unknownLocation = "new"; r.at[r.unknownLocation] != nil; {
		r.unknownLocation += "-"
	}
	return nil
}

// organization reviews one organization.
func (r *run) organization(root *location) error {
	all := r.Directory.AllUsers()
	governed, administers := map[int]bool{}, map[int]bool{}
	var err error
	root.walk(func(at *location) bool {
		err = r.holdersAt(at, governed, administers)
		if r.done++; r.Progress != nil {
			r.Progress(r.done, len(r.locations))
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, i := range root.usersBeneath() {
		if governed[i] {
			continue
		}
		r.counts.Orphans++
		if err := r.Orphan(Orphan{all[i], root.Location, administers[i]}); err != nil {
			return err
		}
	}
	return nil
}

// unassigned reports the accounts that no organization has.
func (r *run) unassigned() error {
	for _, u := range r.Directory.AllUsers() {
		if len(u.Assignments()) > 0 {
			continue
		}
		r.counts.Orphans++
		if err := r.Orphan(Orphan{User: u}); err != nil {
			return err
		}
	}
	return nil
}

// walk visits a location and those beneath it, in order, until visit returns false.
func (l *location) walk(visit func(*location) bool) bool {
	if !visit(l) {
		return false
	}
	for _, child := range l.children {
		if !child.walk(visit) {
			return false
		}
	}
	return true
}

// usersBeneath returns the users with an assignment at the location or beneath, in order, each once.
func (l *location) usersBeneath() []int {
	var all []int
	l.walk(func(at *location) bool {
		all = append(all, at.users...)
		return true
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// rowsOf sends the rows of one subject at one location.
func (r *run) rowsOf(u *facts.User, at *location, counts []int) error {
	var rows []Row
	for kind, n := range counts {
		if n == 0 {
			continue
		}
		k := r.kinds[kind]
		rows = append(rows, Row{u, u.AssignmentAt(at.ID()).Role, at.Location, k.action, k.over, n, k.rule, !r.Reviewer.Policy().ReadOnly(k.action)})
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return comparePairs(a.Action, b.Action, a.Over, b.Over, a.Rule, b.Rule)
	})
	r.counts.Rows += len(rows)
	for _, row := range rows {
		if err := r.Row(row); err != nil {
			return err
		}
	}
	return nil
}

// comparePairs compares pairs of texts, the first pair first.
func comparePairs(pairs ...string) int {
	for i := 0; i < len(pairs); i += 2 {
		if c := strings.Compare(pairs[i], pairs[i+1]); c != 0 {
			return c
		}
	}
	return 0
}

func (r *run) kindID(k kindOfRow) int {
	for i, other := range r.kinds {
		if other == k {
			return i
		}
	}
	r.kinds = append(r.kinds, k)
	return len(r.kinds) - 1
}

func (r *run) changes(kind int) bool { return !r.Reviewer.Policy().ReadOnly(r.kinds[kind].action) }
