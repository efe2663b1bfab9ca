package attack

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// The power of an account is taken role by role: what a role at a location alone allows on sample accounts, one for each role at each
// location. An ability is one change of one such account.

// ability is a change of a sample account.
type ability struct {
	sample int32 // form
	number int   // of the candidate
}

// power is a set of abilities.
type power []uint64

func (p power) has(i int) bool { return i/64 < len(p) && p[i/64]&(1<<(i%64)) != 0 }

func (p *power) add(i int) {
	for len(*p) <= i/64 {
		*p = append(*p, 0)
	}
	(*p)[i/64] |= 1 << (i % 64)
}

// union adds the abilities of another power.
func (p *power) union(other power) {
	for i, word := range other {
		for len(*p) <= i {
			*p = append(*p, 0)
		}
		(*p)[i] |= word
	}
}

// beyond counts the abilities that a power has and another lacks, and returns the first of them.
func (p power) beyond(other power) (first, count int) {
	for i := range 64 * len(p) {
		if !p.has(i) || other.has(i) {
			continue
		}
		if count++; count == 1 {
			first = i
		}
	}
	return first, count
}

type abilities struct {
	abilities []ability
	samples   []int32 // forms
}

// findAbilities finds the changes of the sample accounts.
func (o *organization) findAbilities() {
	o.sample(facts.UserRecord{ID: o.forms.fresh})
	o.sample(facts.UserRecord{ID: o.forms.user, Username: address(o.forms.user), Status: facts.StatusActive})
	for _, at := range o.places {
		for _, role := range o.roles[at.Kind()] {
			rec := o.holding(facts.AssignmentRecord{Location: at.ID(), Role: role}, nil)
			o.sample(rec)
			o.sampleOfMore(rec, at)
			deactivated := rec
			deactivated.Status = facts.StatusDeactivated
			o.sample(deactivated, "user.reactivate")
		}
	}
}

// sampleOfMore finds what may be done to an account with another location, which is its default: rules about the only location, or the
// default one, hide it from the first sample.
func (o *organization) sampleOfMore(rec facts.UserRecord, at *facts.Location) {
	for _, other := range slices.Backward(o.places) {
		if other == at || len(o.roles[other.Kind()]) == 0 || o.root.Model() == facts.ModelPracticeGroup {
			continue
		}
		rec.Assignments = slices.Concat(rec.Assignments, []facts.AssignmentRecord{{Location: other.ID(), Role: o.roles[other.Kind()][len(o.roles[other.Kind()])-1]}})
		if rec.DefaultLocation != "" {
			rec.DefaultLocation = other.ID()
		}
		o.sample(rec, "assignment.remove", "default_location.change")
		return
	}
}

// sample adds the changes of one account; those of some actions alone, if actions are named.
func (o *organization) sample(rec facts.UserRecord, actions ...string) {
	n := o.forms.of(rec)
	for i, c := range o.candidatesOf(n) {
		a := ability{n, i}
		if !c.itself && (len(actions) == 0 || slices.Contains(actions, c.action)) && !slices.Contains(o.abilities.abilities, a) {
			o.abilities.abilities = append(o.abilities.abilities, a)
		}
	}
	if !slices.Contains(o.samples, n) {
		o.samples = append(o.samples, n)
	}
}

// holding returns the record of an account that holds one role, with what that role needs to be held (policies/DOMAIN.md section 1).
func (o *organization) holding(a facts.AssignmentRecord, member *facts.AssignmentRecord) facts.UserRecord {
	rec := facts.UserRecord{ID: o.forms.user, Username: address(o.forms.user), Status: facts.StatusActive, Assignments: []facts.AssignmentRecord{a}}
	switch o.root.Model() {
	case facts.ModelRegional:
		rec.DefaultLocation = a.Location
	case facts.ModelPracticeGroup:
		if a.Location == o.root.ID() {
			break
		}
		if member == nil {
			member = &facts.AssignmentRecord{Location: o.root.ID(), Role: a.Role}
		}
		rec.Assignments = append(rec.Assignments, *member)
	}
	return rec
}

// holdsOf returns what an account of a form holds here, each as the form of an account that holds nothing else.
func (o *organization) holdsOf(n int32) []int32 {
	f := o.forms.all[n]
	if f.holds != nil {
		return f.holds
	}
	u := o.forms.subjectOf(n)
	f.holds = []int32{}
	for _, a := range u.Assignments() {
		if !f.active || !a.Active || a.At.Organization() != o.root.ID() {
			continue
		}
		var member *facts.AssignmentRecord
		if at := u.AssignmentAt(o.root.ID()); at != nil {
			member = &at.AssignmentRecord
		}
		rec := o.holding(a.AssignmentRecord, member)
		if f.named {
			rec.ID, rec.Username = f.rec.ID, f.rec.Username
		}
		f.holds = append(f.holds, o.forms.of(rec))
	}
	return f.holds
}

// powerOf returns what holding one role alone allows.
func (o *organization) powerOf(hold int32) (power, error) {
	if p, known := o.powers[hold]; known {
		return p, nil
	}
	p := power{}
	for i, a := range o.abilities.abilities {
		c := &o.forms.all[a.sample].candidates[a.number]
		_, ok, err := o.may(hold, a.sample, false, a.number, c)
		if err != nil {
			return nil, err
		}
		if ok {
			p.add(i)
		}
	}
	o.powers[hold] = p
	return p, nil
}

// powerOfAll returns what an account of a form may do by all of its roles.
func (o *organization) powerOfAll(n int32) (power, error) {
	var all power
	for _, hold := range o.holdsOf(n) {
		p, err := o.powerOf(hold)
		if err != nil {
			return nil, err
		}
		all.union(p)
	}
	return all, nil
}
