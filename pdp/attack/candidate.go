package attack

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

const invite = "user.invite"

// candidate is a change that somebody may want to make, whoever asks and from wherever.
type candidate struct {
	action     string
	place      string         // "" is where the subject stands
	properties map[string]any // of the action
	to         int32          // the form of the record afterwards
	control    bool           // who asks then has the account
	itself     bool           // only the account itself asks, without a current location
}

// question returns the question of a candidate.
func (c *candidate) question(subject, user, from string) authzen.Evaluation {
	q := authzen.Evaluation{
		Subject: authzen.Entity{Type: "user", ID: subject}, Action: authzen.Action{Name: c.action, Properties: c.properties},
		Resource: authzen.Entity{Type: "user", ID: user},
	}
	if c.place != "" {
		q.Resource.Properties = map[string]any{"location": c.place}
	}
	if from != "" {
		q.Context = map[string]any{"current_location": from}
	}
	return q
}

// candidatesOf returns the changes of an account of a form. Several may lead to the same record, since one may be allowed where another
// is not.
func (o *organization) candidatesOf(n int32) []candidate {
	f := o.forms.all[n]
	if f.candidates != nil {
		return f.candidates
	}
	f.candidates = o.listCandidates(n, false)
	return f.candidates
}

// listCandidates lists the changes of an account of a form. Where nobody goes on from them, they lead nowhere: what they lead to would be
// kept.
func (o *organization) listCandidates(n int32, nowhere bool) []candidate {
	l := &candidateList{o: o, of: n, rec: o.forms.all[n].rec, nowhere: nowhere, found: []candidate{}}
	l.ofAccount()
	l.ofAssignments()
	l.ofInvitations()
	return l.found
}

type candidateList struct {
	o       *organization
	of      int32
	rec     facts.UserRecord
	nowhere bool
	found   []candidate
}

// add adds a candidate of an action that the organization's model knows and that changes something.
func (l *candidateList) add(action, place string, properties map[string]any) {
	if !l.o.knows[action] {
		return
	}
	c := candidate{action: action, place: place, properties: properties, control: l.o.control[action], itself: l.o.itself[action]}
	if action == invite && l.of != l.o.nobody {
		c.control = false // the account is somebody's already
	}
	at := place
	if at == "" {
		at = l.o.root.ID()
	}
	after, ok := Apply(c.question("", l.rec.ID, at), l.rec, l.o.locate)
	if !ok {
		return
	}
	if l.o.forms.key(&after) == l.o.forms.key(&l.rec) && !c.control {
		return
	}
	if !l.nowhere {
		c.to = l.o.forms.of(after)
	}
	l.found = append(l.found, c)
}

func (l *candidateList) ofAccount() {
	for _, action := range []string{"user.reset_password", "user.edit", "user.deactivate", "user.reactivate"} {
		l.add(action, "", nil)
	}
	for _, action := range []string{"user.delete", "invitation.accept", "invitation.reject"} {
		l.add(action, l.o.root.ID(), nil)
	}
	for i := range l.rec.Assignments {
		a := &l.rec.Assignments[i]
		if a.Location != l.o.root.ID() {
			continue
		}
		for _, level := range l.o.levels {
			l.add("access.change", a.Location, map[string]any{"level": level})
		}
		recorded := map[string]any{}
		if a.Access != nil {
			for area, on := range a.Access.Areas {
				recorded[area] = on
			}
		}
		for _, area := range l.o.areas {
			areas := maps.Clone(recorded)
			on, _ := areas[area].(bool)
			areas[area] = !on
			l.add("access.change", a.Location, map[string]any{"areas": areas})
		}
	}
}

func (l *candidateList) ofAssignments() {
	held := map[string]string{}
	for i := range l.rec.Assignments {
		held[l.rec.Assignments[i].Location] = l.rec.Assignments[i].Role
	}
	for _, at := range l.o.places {
		id := at.ID()
		role, has := held[id]
		for _, other := range l.o.roles[at.Kind()] {
			if other == role {
				l.add("admin.revoke", id, map[string]any{"role": role})
				continue
			}
			l.add("admin.grant", id, map[string]any{"role": other})
			if has {
				l.add("assignment.edit", id, map[string]any{"new_role": other})
			} else {
				l.add("assignment.add", id, map[string]any{"role": other})
			}
		}
		if !has {
			continue
		}
		l.add("assignment.remove", id, nil)
		if l.rec.DefaultLocation != id {
			l.add("default_location.change", id, nil)
		}
		l.moves(id, role, held)
	}
}

// moves adds the moves of an assignment to another location.
func (l *candidateList) moves(id, role string, held map[string]string) {
	if l.o.root.Model() == facts.ModelPracticeGroup {
		return // an edit there is of the role
	}
	for _, to := range l.o.places {
		if held[to.ID()] != "" {
			continue
		}
		for _, other := range l.o.roles[to.Kind()] {
			properties := map[string]any{"new_location": to.ID()}
			if other != role {
				properties["new_role"] = other
			}
			l.add("assignment.edit", id, properties)
		}
	}
}

func (l *candidateList) isMember() bool {
	return slices.ContainsFunc(l.rec.Assignments, func(a facts.AssignmentRecord) bool { return a.Location == l.o.root.ID() })
}

// ofInvitations adds the invitations of the account, or of a new one if the record is that of nobody.
func (l *candidateList) ofInvitations() {
	isNew := l.of == l.o.nobody
	username := address(l.o.forms.user)
	if isNew {
		username = address(l.o.forms.fresh)
	}
	add := func(place string, properties map[string]any) {
		if isNew {
			properties["new"], properties["username"] = true, username
		}
		l.add(invite, place, properties)
	}
	if l.o.root.Model() != facts.ModelPracticeGroup {
		for _, at := range l.o.places {
			for _, role := range l.o.roles[at.Kind()] {
				add(at.ID(), map[string]any{"role": role})
			}
		}
		return
	}
	practices := []any{}
	for _, at := range l.o.places {
		if at.Parent() != nil {
			practices = append(practices, at.ID())
		}
	}
	for _, role := range l.o.roles[l.o.root.Kind()] {
		for _, level := range l.o.levels {
			for _, area := range slices.Concat([]string{""}, l.o.areas) {
				if (area != "" || l.isMember()) && level != l.o.levels[0] || area != "" && l.isMember() {
					continue // enough to see whether it is allowed at all
				}
				for _, number := range []string{"", "1"} { // required or refused by the role
					properties := map[string]any{"role": role, "level": level, "profession": "nurse", "locations": practices,
						"username": username, "username_confirmation": username}
					if area != "" {
						properties["areas"] = map[string]any{area: true}
					}
					if number != "" {
						properties["registration_number"] = number
					}
					if isNew {
						properties["name"], properties["password_supplied"] = map[string]any{"given": "New", "family": "User"}, true
					}
					add(l.o.root.ID(), properties)
				}
			}
		}
	}
}
