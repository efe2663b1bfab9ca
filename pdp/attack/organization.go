package attack

import (
	"context"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// organization is one organization with its accounts, and what the policy allows among them as far as that was asked.
type organization struct {
	*run
	root    *facts.Location
	places  []*facts.Location // of the organization, by id
	knows   map[string]bool   // the actions of its model
	forms   *forms
	nobody  int32 // the form of an account that there is not
	people  []*facts.User
	start   []int32 // the forms of people
	view    *pairView
	asks    *pdp.Reviewer
	answers map[asked]int16 // where the subject stands, by place among places; denied, or nowhere
	powers  map[int32]power // of holds
	ranked  []int32         // the forms at first, by power; nil until needed
	abilities
}

// asked is what an answer depends on.
type asked struct {
	subject, user int32 // forms
	candidate     int16
	self          bool
}

const (
	denied  = -1
	nowhere = -2 // the action needs no current location
)

func (r *run) newOrganization(root *facts.Location, people []*facts.User) (*organization, error) {
	o := &organization{run: r, root: root, people: people, knows: map[string]bool{}, answers: map[asked]int16{}, powers: map[int32]power{}}
	for _, l := range r.Directory.AllLocations() {
		if l.Organization() == root.ID() {
			o.places = append(o.places, l)
		}
	}
	for _, action := range r.Policy.Actions() {
		models := r.Policy.Models(action)
		o.knows[action] = !r.Policy.ReadOnly(action) && (len(models) == 0 || slices.Contains(models, root.Model()))
	}
	o.forms = newForms(r.names, r.locate)
	o.nobody = o.forms.of(facts.UserRecord{ID: o.forms.fresh})
	for _, u := range people {
		o.start = append(o.start, o.forms.of(u.Record()))
	}
	o.view = &pairView{View: r.Directory}
	var err error
	if o.asks, err = r.reviewer(o.view); err != nil {
		return nil, err
	}
	o.findAbilities()
	return o, nil
}

// may reports whether an account of one form may make a change to another one of another form, or to itself, and from where.
func (o *organization) may(subject, user int32, self bool, number int, c *candidate) (from string, ok bool, err error) {
	key := asked{subject, user, int16(number), self}
	at, known := o.answers[key]
	if !known {
		if at, err = o.ask(subject, user, self, c); err != nil {
			return "", false, err
		}
		o.answers[key] = at
	}
	switch at {
	case denied:
		return "", false, nil
	case nowhere:
		return "", true, nil
	}
	return o.places[at].ID(), true, nil
}

func (o *organization) ask(subject, user int32, self bool, c *candidate) (int16, error) {
	s, u := o.forms.subjectOf(subject), o.forms.userOf(user)
	o.view.subject, o.view.user = s, u
	id := u.ID()
	if self {
		id, o.view.user = s.ID(), nil
	}
	if user == o.nobody {
		id, o.view.user = o.forms.fresh, nil
	}
	if c.itself {
		ok, err := o.allows(c.question(s.ID(), id, ""))
		if !ok || err != nil {
			return denied, err
		}
		return nowhere, nil
	}
	for i, from := range o.places {
		if !o.near(s, u, from, c.place) {
			continue
		}
		if ok, err := o.allows(c.question(s.ID(), id, from.ID())); ok || err != nil {
			return int16(i), err
		}
	}
	return denied, nil
}

// near reports whether it can matter that somebody stands at a location: they hold a role there; or one above, and it is the place, or
// where the user is, or above those.
func (o *organization) near(subject, user *facts.User, from *facts.Location, place string) bool {
	if subject.AssignmentAt(from.ID()) != nil {
		return true
	}
	covers := func(id string) bool { l := o.locate(id); return l != nil && l.CoveredBy(from.ID()) }
	return slices.ContainsFunc(subject.Assignments(), func(a facts.Assignment) bool { return from.CoveredBy(a.Location) }) &&
		(place != "" && covers(place) || slices.ContainsFunc(user.Assignments(), func(a facts.Assignment) bool { return covers(a.Location) }))
}

func (o *organization) allows(q pdp.Request) (bool, error) {
	if err := o.ctx.Err(); err != nil {
		return false, err
	}
	if o.decisions++; o.decisions%1024 == 0 && o.Progress != nil {
		o.Progress(o.searched, o.decisions)
	}
	return o.asks.Allows(o.ctx, q)
}

// pairView is a directory with two accounts. It is not safe for concurrent use.
type pairView struct {
	facts.View
	subject, user *facts.User // nil if there is no such account
}

func (v *pairView) User(_ context.Context, id string) (*facts.User, error) {
	for _, u := range []*facts.User{v.subject, v.user} {
		if u != nil && u.ID() == id {
			return u, nil
		}
	}
	return nil, nil
}

func (v *pairView) UserByUsername(_ context.Context, username string) (*facts.User, error) {
	for _, u := range []*facts.User{v.subject, v.user} {
		if u != nil && u.Username() != "" && facts.FoldCanonical(u.Username()) == facts.FoldCanonical(username) {
			return u, nil
		}
	}
	return nil, nil
}
