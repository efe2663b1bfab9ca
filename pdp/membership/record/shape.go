package record

import (
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Document is a directory whose records have the right shape, before anything is known of how they fit together.
type Document struct {
	Locations []Location
	Users     []User
}

type Location struct {
	facts.LocationRecord
	About Subject
}

type User struct {
	facts.UserRecord
	About   Subject
	Carries []carried // for each assignment
}

// carried says which of the members that belong to a practice group's root an assignment has, were they empty or not.
type carried uint8

const (
	carriesAccess carried = 1 << iota
	carriesProfession
	carriesRegistrationNumber
)

var carriedNames = [...]string{"access", "profession", "registration_number"}

var (
	accountStatuses    = []string{facts.StatusActive, facts.StatusDeactivated}
	AssignmentStatuses = []string{facts.StatusActive, facts.StatusInvited, facts.StatusDeactivated}
	plans              = []string{"free", "paid"}
)

func (r *Reader) Location(i int, v Value) Location {
	l := Location{About: Subject{List: LocationList, Index: i, Id: idOf(v)}}
	s := l.About
	r.members(s, "", v, func(m Value) bool {
		switch m.name {
		case "id":
			l.ID = r.id(s, m)
		case "name":
			l.Name = r.text(s, "", m)
		case "kind":
			l.Kind = r.oneOf(s, "", m, kindNames)
		case "parent":
			l.Parent = r.id(s, m)
		case "model":
			l.Model = r.oneOf(s, "", m, modelNames)
		case "plan":
			l.Plan = r.oneOf(s, "", m, plans)
		default:
			return false
		}
		return true
	})
	if v.Kind == KindObject {
		r.require(s, "id", l.ID)
		r.require(s, "kind", l.Kind)
	}
	return l
}

func (r *Reader) User(i int, v Value) User {
	u := User{About: Subject{List: UserList, Index: i, Id: idOf(v)}}
	s := u.About
	u.Status = facts.StatusActive
	r.members(s, "", v, func(m Value) bool {
		switch m.name {
		case "id":
			u.ID = r.id(s, m)
		case "username":
			u.Username = r.username(s, m)
		case "name":
			u.Name = r.personName(s, m)
		case "status":
			u.Status = r.oneOf(s, "", m, accountStatuses)
		case "default_location":
			u.DefaultLocation = r.id(s, m)
		case "last_login":
			u.LastLogin = r.instant(s, m)
		case "assignments":
			r.list(s, m, func(i int, item Value) { r.assignment(&u, i, item) })
		default:
			return false
		}
		return true
	})
	if v.Kind == KindObject {
		r.require(s, "id", u.ID)
	}
	return u
}

func (r *Reader) personName(s Subject, v Value) (n facts.Name) {
	r.members(s, v.name, v, func(m Value) bool {
		switch m.name {
		case "title":
			n.Title = r.text(s, v.name, m)
		case "given":
			n.Given = r.text(s, v.name, m)
		case "family":
			n.Family = r.text(s, v.name, m)
		default:
			return false
		}
		return true
	})
	return n
}

func (r *Reader) assignment(u *User, i int, v Value) {
	s := u.About
	s.assignment = i + 1
	for _, m := range v.Items {
		if m.name == "location" && m.Kind == KindText {
			s.location = m.text
		}
	}
	a := facts.AssignmentRecord{Status: facts.StatusActive}
	var carries carried
	r.members(s, "", v, func(m Value) bool {
		switch m.name {
		case "location":
			a.Location = r.id(s, m)
		case "role":
			a.Role = r.id(s, m)
		case "status":
			a.Status = r.oneOf(s, "", m, AssignmentStatuses)
		case "access":
			carries |= carriesAccess
			a.Access = r.access(s, m)
		case "profession":
			carries |= carriesProfession
			a.Profession = r.text(s, "", m)
		case "registration_number":
			carries |= carriesRegistrationNumber
			a.RegistrationNumber = r.text(s, "", m)
		default:
			return false
		}
		return true
	})
	if v.Kind == KindObject {
		r.require(s, "location", a.Location)
		r.require(s, "role", a.Role)
	}
	u.Assignments = append(u.Assignments, a)
	u.Carries = append(u.Carries, carries)
}

func (r *Reader) access(s Subject, v Value) *facts.Access {
	a := &facts.Access{}
	r.members(s, v.name, v, func(m Value) bool {
		switch m.name {
		case "level":
			a.Level = r.text(s, v.name, m)
			if !r.Vocab.level(a.Level) {
				r.Faults.Add(s, "access.level does not exist")
			}
		case "areas":
			a.Areas = make(map[string]bool, len(m.Items))
			r.areas(s, m, a.Areas)
		default:
			return false
		}
		return true
	})
	return a
}

func (r *Reader) areas(s Subject, v Value, into map[string]bool) {
	const at = "access.areas"
	r.members(s, at, v, func(m Value) bool {
		switch {
		case !r.Vocab.area(m.name):
			r.Faults.Add(s, "%s does not exist", MadeUp(join(at, m.name)))
		case m.Kind != KindBoolean:
			r.Faults.Add(s, "%s must be true or false, not %s", label(join(at, m.name)), Describe(m))
		case m.text != "true" && m.text != "false": // YAML has True and TRUE
			r.Faults.Add(s, "%s must be written true or false", label(join(at, m.name)))
		default:
			into[m.name] = m.text == "true"
		}
		return true
	})
}

func (r *Reader) require(s Subject, name, got string) {
	if got == "" {
		r.Faults.Add(s, "%s is missing", name)
	}
}
