package accessreview

import (
	"errors"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// maxUses bounds the different uses of a log that are kept: a subject, an action and a location.
const maxUses = 5_000_000

var errTooManyUses = errors.New("the log has more than 5,000,000 different uses: review a shorter period (--since)")

// Uses are what a log of decisions says that people did.
type Uses struct {
	policy *pdp.Policy
	keys   [][]byte                    // of pseudonyms
	by     map[string]map[string][]use // by subject as in the log, and action
	kept   int
	Period LogPeriod
}

type use struct {
	from  string // where the subject stood, or the place of an action that needs no current location; "" if the record does not say
	count int
	last  time.Time
}

// LogPeriod says how much of a log was read.
type LogPeriod struct {
	Name    string    `json:"name"`
	Records int       `json:"records"` // allowed decisions and lists
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"` // of the first and the last of them; zero if there is none
	// UnknownSubjects are those of the log who are no users of the directory, or whose pseudonyms cannot be told.
	UnknownSubjects int `json:"unknown_subjects"`
}

// NewUses makes an empty collection, of actions of a policy. If the log has pseudonyms, the keys say what they stand for.
func NewUses(policy *pdp.Policy, name string, keys [][]byte) *Uses {
	return &Uses{policy: policy, keys: keys, by: map[string]map[string][]use{}, Period: LogPeriod{Name: name}}
}

// Add adds a record: an allowed decision or a list is a use of the action.
func (u *Uses) Add(e *decisionrecord.Entry) error {
	if e.Outcome != decisionrecord.Allowed && e.Outcome != decisionrecord.Listed || e.Action() == "" || e.Subject() == "" {
		return nil
	}
	p := &u.Period
	p.Records++
	if p.From.IsZero() || e.Time.Before(p.From) {
		p.From = e.Time
	}
	if e.Time.After(p.To) {
		p.To = e.Time
	}
	actions := u.by[e.Subject()]
	if actions == nil {
		actions = map[string][]use{}
		u.by[e.Subject()] = actions
	}
	from := e.From()
	if u.needsNoCurrentLocation(e.Action()) { // one that is given is ignored
		from = ""
		if e.ResourceType() == "location" {
			from = e.Resource()
		}
	}
	uses := actions[e.Action()]
	for i := range uses {
		if uses[i].from == from {
			uses[i].count++
			if e.Time.After(uses[i].last) {
				uses[i].last = e.Time
			}
			return nil
		}
	}
	if u.kept++; u.kept > maxUses {
		return errTooManyUses
	}
	actions[e.Action()] = append(uses, use{from, 1, e.Time})
	return nil
}

func (u *Uses) needsNoCurrentLocation(action string) bool {
	a, _ := u.policy.FactsOf(action)
	return a.NeedsNoCurrentLocation
}

// Of returns how many times somebody did an action standing at a location or beneath it, and when last. One that needs no current location
// counts where its place is at, beneath or above the location. A record that does not say where, or names a location that is not known now,
// counts everywhere: that a right was never used is said on evidence only.
func (u *Uses) Of(subject, action string, at *facts.Location, locate func(id string) *facts.Location) (count int, last time.Time) {
	above := u.needsNoCurrentLocation(action)
	for _, name := range u.namesOf(subject) {
		for _, use := range u.by[name][action] {
			if from := locate(use.from); from != nil && !from.CoveredBy(at.ID()) && !(above && at.CoveredBy(from.ID())) {
				continue
			}
			count += use.count
			if use.last.After(last) {
				last = use.last
			}
		}
	}
	return count, last
}

// CountUnknown counts the subjects of the log who are none of the users.
func (u *Uses) CountUnknown(users []*facts.User) {
	known := 0
	for _, user := range users {
		for _, name := range u.namesOf(user.ID()) {
			if u.by[name] != nil {
				known++
			}
		}
	}
	u.Period.UnknownSubjects = len(u.by) - known
}

func (u *Uses) namesOf(subject string) []string {
	names := append(make([]string, 0, 3), subject)
	for _, key := range u.keys {
		names = append(names, decisionrecord.Pseudonym(key, subject))
	}
	return names
}
