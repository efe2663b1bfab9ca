package review

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
	OverUsers     = "users"           // of those assigned at or beneath the location
	OverElsewhere = "users elsewhere" // of the others of the organization
	// OverLocations are those at or beneath the location; also those above it, where the action needs no current location; and all of
	// every organization, where it crosses organizations.
	OverLocations    = "locations"
	OverNewUsers     = "new users"             // the locations at or beneath it to which a new user can be invited
	OverNewLocations = "new locations"         // an id that no location has
	OverPatients     = "patients of locations" // the locations at, beneath or above the location whose patients are meant
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
	Change   string // [Gained] or [Lost], where policies are compared; "" otherwise
}

// Orphan is an account that nobody else may change anything of, in one organization.
type Orphan struct {
	User          *facts.User
	Organization  *facts.Location // nil: the account has no assignment
	Administrator bool            // the account may change others
}

// Config configures a review.
type Config struct {
	Reviewers []*pdp.Reviewer // over Directory, of one policy: one for each organization that is reviewed at the same time
	// Was are as many reviewers of another policy, to find out by [Compare] who gains or loses something; nil otherwise.
	Was   []*pdp.Reviewer
	Forms []Form // that are asked, with Was
	// Unscoped asks even where the policies' rule possible_scope says that nothing can be allowed, with Was.
	Unscoped  bool
	Directory Directory
	// Each decides every question, and takes none to be equal to another.
	Each bool
	// Row and Orphan take what is found: organization by organization, and there by location, subject and action.
	Row    func(Row) error
	Orphan func(Orphan) error
	// Progress is called with the number of locations that are done. It may be nil.
	Progress func(done, of int)

	touched func(map[group]map[string]bool) // takes over what something becomes otherwise, by organization
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

func tellsApart(subject *facts.User) error {
	return fmt.Errorf("%w: found at %s", ErrTellsApart, subject.ID())
}

// maxAhead bounds the organizations that are reviewed before an earlier one is done, because their rows wait in memory.
const maxAhead = 512

// Run reviews a whole directory.
func Run(ctx context.Context, cfg Config) (Counts, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &shared{Config: cfg, ctx: ctx, answers: newAnswers()}
	if err := s.readPolicies(); err != nil {
		return Counts{}, err
	}
	s.readDirectory()
	if err := s.findUnknown(); err != nil {
		return Counts{}, err
	}
	done := make([]chan *findings, len(s.roots))
	for i := range done {
		done[i] = make(chan *findings, 1)
	}
	next, ahead := make(chan int), make(chan struct{}, maxAhead)
	var working sync.WaitGroup
	for i, reviewer := range cfg.Reviewers {
		var was *pdp.Reviewer
		if s.comparing() {
			was = cfg.Was[i]
		}
		working.Go(func() {
			for i := range next {
				done[i] <- s.organization(reviewer, was, s.roots[i])
			}
		})
	}
	working.Go(func() {
		defer close(next)
		for i := range s.roots {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	err := s.report(done, ahead)
	cancel()
	working.Wait()
	s.counts.Decisions = int(s.decisions.Load())
	return s.counts, err
}

// report sends what was found, organization by organization.
func (s *shared) report(done []chan *findings, ahead <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, organization := range done {
		var f *findings
		for f == nil {
			select {
			case f = <-organization:
			case <-tick.C:
				if s.Progress != nil {
					s.Progress(int(s.reviewed.Load()), len(s.locations))
				}
			case <-s.ctx.Done():
				return s.ctx.Err()
			}
		}
		<-ahead
		if f.err != nil {
			return f.err
		}
		for _, h := range f.held {
			rows := f.rowsOf(h)
			s.counts.Rows += len(rows)
			for _, row := range rows {
				if err := s.Row(row); err != nil {
					return err
				}
			}
		}
		if s.comparing() {
			s.touched(f.touched)
			continue
		}
		s.counts.Orphans += len(f.orphans)
		for _, orphan := range f.orphans {
			if err := s.Orphan(orphan); err != nil {
				return err
			}
		}
	}
	return s.unassigned()
}

// shared is what the reviews of all organizations share. It is safe for concurrent use once the directory was read.
type shared struct {
	Config
	ctx    context.Context
	counts Counts // without the decisions
	answers

	onUsers, onNewUsers, onLocations, crossing []string          // actions
	uses                                       []use             // actions that need no current location
	seesAll                                    bool              // others are of one model, whose facts are of every organization
	empowering                                 map[string]bool   // roles, for the other actions
	forms                                      map[string][]form // by what they are over, where policies are compared

	locations []*location // by id
	roots     []*location
	at        map[string]*location
	names     map[string]bool // texts that the policy knows

	unknownUser, unknownLocation string       // ids that nobody and no location has
	reviewed                     atomic.Int64 // locations
	decisions                    atomic.Int64
}

// run is the review of one organization.
type run struct {
	*shared
	reviewer *pdp.Reviewer
	root     *location
	was      *pdp.Reviewer // nil: policies are not compared
	*findings

	targetsOf []*targets // of the organization; nil until needed
	made      int64      // decisions

	everybody []*alike       // of the organization, from when they are needed
	profiles  map[string]int // numbers of what is known of users, from when they are needed
	profileOf map[int]int    // by user

	words map[string]int // that keys are made of, as far as they were needed
	key   []byte

	keyOfUser     map[*facts.User]*userKey // in the organization, as far as they were needed
	keyOfLocation map[*facts.Location][]byte
	numbered
	reaches
}

// organization reviews one organization.
func (s *shared) organization(reviewer, was *pdp.Reviewer, root *location) *findings {
	r := &run{shared: s, reviewer: reviewer, was: was, root: root, findings: &findings{touched: map[group]map[string]bool{}},
		words: map[string]int{}, keyOfUser: map[*facts.User]*userKey{}, keyOfLocation: map[*facts.Location][]byte{}}
	all := s.Directory.AllUsers()
	governed, administers := map[int]bool{}, map[int]bool{}
	root.walk(func(at *location) bool {
		r.holdersAt(at, governed, administers)
		s.reviewed.Add(1)
		return r.err == nil
	})
	for _, i := range root.usersBeneath() {
		if !governed[i] {
			r.orphans = append(r.orphans, Orphan{all[i], root.Location, administers[i]})
		}
	}
	root.byKind = nil
	s.decisions.Add(r.made)
	r.kinds = r.allKinds()
	return r.findings
}

// unassigned reports the accounts that no organization has.
func (r *shared) unassigned() error {
	for _, u := range r.Directory.AllUsers() {
		if len(u.Assignments()) > 0 || r.comparing() {
			continue
		}
		r.counts.Orphans++
		if err := r.Orphan(Orphan{User: u}); err != nil {
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
