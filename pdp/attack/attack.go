package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Directory is one state of a directory as a whole.
type Directory interface {
	facts.View
	AllLocations() []*facts.Location // by ascending id
	AllUsers() []*facts.User         // by ascending id
}

// The goals of an attack.
const (
	Power             = "power"              // a power that was denied at first
	Strand            = "strand"             // a user is left where nobody can help
	LastAdministrator = "last-administrator" // nobody is left who can do what somebody could
)

// Goals are all goals.
var Goals = []string{Power, Strand, LastAdministrator}

// Controls are the actions that can give the one who asks control of the account: a new account has the password or the address that
// the inviter says, and whoever resets a password can know it. Editing an account can change the address to which a new password is
// sent; whether it does is the application's affair, so it is none of the default.
var Controls = []string{"user.reset_password", invite, "user.edit"}

// The bounds of a search.
const (
	MaxDepth    = 8
	maxAccounts = 200     // of an organization, each counted that can matter
	maxPlaces   = 100     // of an organization
	maxForms    = 500_000 // different records that were met in an organization
)

// Config configures an attack.
type Config struct {
	Policy    *pdp.Policy
	Directory Directory
	// Organization is the id of the only one to attack; "" is each.
	Organization string
	From         string   // the role of the attacker; "" is any
	Reach        string   // the role to be reached, of the goal [Power]; "" is any
	Goals        []string // some of [Goals]
	Control      []string // some of [Controls]
	Depth        int      // how many changes at most, up to [MaxDepth]
	MaxStates    int      // how many states are looked at for each attacker and goal
	// Progress is called now and then with the number of states looked at and questions decided. It may be nil.
	Progress func(states, decisions int)
}

// The outcomes of a search.
const (
	Found = "found"
	None  = "none" // there is no path of at most Depth changes
	Open  = "open" // none was found, but not everything was looked at
)

// Finding is what was found for a goal, from attackers that hold alike.
type Finding struct {
	Goal         string   `json:"goal"`
	Organization string   `json:"organization"`
	Attacker     string   `json:"attacker"` // the id of one of them
	Roles        []string `json:"roles"`    // that the attacker holds in the organization, as ROLE at LOCATION
	Outcome      string   `json:"outcome"`
	States       int      `json:"states"`           // that were looked at
	Result       string   `json:"result,omitempty"` // what the path leads to, in words
	Path         []Step   `json:"path,omitempty"`   // a shortest one, and among these one that gains most
	// Gain is how many changes of sample accounts the role reached allows that were denied, of the goal [Power].
	Gain int `json:"gain,omitempty"`
}

// Step is one allowed change.
type Step struct {
	Question authzen.Evaluation `json:"question"` // allowed after the steps before
	Rule     string             `json:"rule,omitempty"`
	Says     string             `json:"says"` // who does what to whom, in words
	After    facts.UserRecord   `json:"-"`    // the record that the step changes
}

// Report is what an attack found.
type Report struct {
	Depth     int       `json:"depth"`
	Control   []string  `json:"control"`
	Findings  []Finding `json:"findings"` // by organization, attacker and goal
	States    int       `json:"states"`
	Decisions int       `json:"decisions"`
	LeftOut   []string  `json:"left_out,omitempty"` // that could matter, as sentences
}

// Outcome returns the outcome of the whole: [Found] if anything was, [None] if nothing was and everything was looked at.
func (r *Report) Outcome() string {
	has := func(outcome string) bool {
		return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Outcome == outcome })
	}
	switch {
	case has(Found):
		return Found
	case len(r.LeftOut) > 0 || has(Open):
		return Open
	}
	return None
}

// ErrTellsApart reports that the policy decided a question otherwise about real people than about people of the same records.
var ErrTellsApart = errors.New("the policy tells people apart by their ids or names, so that it cannot be attacked by what they hold")

// run is an attack.
type run struct {
	Config
	ctx           context.Context
	report        *Report
	names         map[string]bool // that the policy knows
	byID          map[string]*facts.Location
	roles         map[string][]string
	levels, areas []string
	control       map[string]bool
	itself        map[string]bool // actions of an account on itself
	decisions     int
	searched      int // states
}

// Run attacks each organization of a directory.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r, err := newRun(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, l := range cfg.Directory.AllLocations() {
		if l.Parent() != nil || !r.attacked(l.ID()) {
			continue
		}
		if err := r.attack(l); err != nil {
			return nil, err
		}
	}
	r.report.States, r.report.Decisions = r.searched, r.decisions
	return r.report, nil
}

func newRun(ctx context.Context, cfg Config) (*run, error) {
	names, err := cfg.Policy.Revision().Names(ctx)
	if err != nil {
		return nil, err
	}
	v := cfg.Policy.Vocabulary()
	if v == nil {
		return nil, errors.New("only a policy that judges by membership facts can be attacked")
	}
	r := &run{Config: cfg, ctx: ctx, names: names, byID: map[string]*facts.Location{}, roles: v.Roles, levels: v.Levels, control: map[string]bool{}, itself: map[string]bool{},
		report: &Report{Depth: cfg.Depth, Control: cfg.Control, Findings: []Finding{}}}
	for _, role := range []string{cfg.From, cfg.Reach} {
		if role != "" && !r.isRole(role) {
			return nil, fmt.Errorf("the policy has no role %s", role)
		}
	}
	for _, area := range v.Areas { // no rule is about any other one; the tables have it for those who ask about it by name
		if cfg.Policy.Revision().Constants()[area] {
			r.areas = append(r.areas, area)
		}
	}
	for _, action := range cfg.Control {
		r.control[action] = true
	}
	for _, l := range cfg.Directory.AllLocations() {
		r.byID[l.ID()] = l
	}
	if root := r.byID[cfg.Organization]; cfg.Organization != "" && (root == nil || root.Parent() != nil) {
		return nil, fmt.Errorf("the directory has no organization %s", cfg.Organization)
	}
	if err := r.checkRoles(); err != nil {
		return nil, err
	}
	return r, r.readActions()
}

func (r *run) isRole(name string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(r.roles)), func(roles []string) bool { return slices.Contains(roles, name) })
}

// readActions notes what the search leaves out: the changes whose effect on users is not known.
func (r *run) readActions() error {
	for _, action := range r.Policy.Actions() {
		if a, _ := r.Policy.FactsOf(action); a.NeedsNoCurrentLocation {
			r.itself[action] = true
		}
		if r.Policy.ReadOnly(action) || slices.Contains(keeps, action) || effects[action] != nil {
			continue
		}
		why := unmodeled[action]
		if why == "" {
			r.leaveOut("%s, whose effect is not known", action)
			continue
		}
		concerns, err := r.concerns(action)
		if err != nil {
			return err
		}
		if concerns {
			r.leaveOut("%s, because %s", action, why)
		}
	}
	return nil
}

// concerns reports whether an attacker may do an action about locations: one account is asked for each role.
func (r *run) concerns(action string) (bool, error) {
	asks, err := r.reviewer(r.Directory)
	if err != nil {
		return false, err
	}
	places := []string{"new"}
	for _, l := range r.Directory.AllLocations() {
		if l.Kind() == "entity" && len(places) < maxPlaces {
			places = append(places, l.ID())
		}
	}
	asked := map[string]bool{}
	for _, u := range r.Directory.AllUsers() {
		for _, a := range u.Assignments() {
			if !a.Active || u.Record().Status != facts.StatusActive || asked[a.Role] ||
				!r.attacked(a.At.Organization()) || r.From != "" && a.Role != r.From {
				continue
			}
			asked[a.Role] = true
			for _, place := range places {
				may, err := r.may(asks, u, action, place, a.Location)
				if may || err != nil {
					return may, err
				}
			}
		}
	}
	return false, nil
}

func (r *run) may(asks *pdp.Reviewer, u *facts.User, action, place, from string) (bool, error) {
	r.decisions++
	_, ok, err := asks.May(r.ctx, pdp.Request{
		Subject: authzen.Entity{Type: "user", ID: u.ID()}, Action: authzen.Action{Name: action},
		Resource: authzen.Entity{Type: "location", ID: place}, Context: map[string]any{"current_location": from},
	})
	return ok, err
}

func (r *run) leaveOut(format string, args ...any) {
	r.report.LeftOut = append(r.report.LeftOut, fmt.Sprintf(format, args...))
}

func (r *run) locate(id string) *facts.Location { return r.byID[id] }

// reviewer asks questions over a view.
func (r *run) reviewer(view facts.View) (*pdp.Reviewer, error) {
	return pdp.New(pdp.Config{Policy: r.Policy, Source: only{view}, Timeout: time.Minute, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}).NewReviewer(r.ctx)
}

// only is a source with one view.
type only struct{ view facts.View }

func (s only) View(context.Context, facts.Requirement) (facts.View, error) { return s.view, nil }
