package record

import "github.com/wardkeeper/wardkeeper/pdp/facts"

// Location is a location as read from its record.
type Location struct {
	facts.LocationRecord
	About Subject
}

// User is a user as read from its record.
type User struct {
	facts.UserRecord
	About   Subject
	carries []carried // by assignment
}

// carried records which of the members an assignment has, even empty ones, that are allowed only at a practice group.
type carried uint8

const (
	carriesAccess carried = 1 << iota
	carriesProfession
	carriesRegistrationNumber
)

var carriedNames = [...]string{"access", "profession", "registration_number"}

var (
	accountStatuses    = []string{facts.StatusActive, facts.StatusDeactivated}
	assignmentStatuses = []string{facts.StatusActive, facts.StatusInvited, facts.StatusDeactivated}
	plans              = []string{facts.PlanFree, facts.PlanPaid}
)

func (r *reader) location(i int, v value) Location {
	l := Location{About: Subject{List: LocationList, Index: i, ID: idOf(v)}}
	s := l.About
	r.members(s, "", v, func(m value) bool {
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
	if v.kind == KindObject {
		r.require(s, "id", l.ID)
		r.require(s, "kind", l.Kind)
	}
	return l
}

func (r *reader) user(i int, v value) User {
	u := User{About: Subject{List: UserList, Index: i, ID: idOf(v)}}
	s := u.About
	u.Status = facts.StatusActive
	r.members(s, "", v, func(m value) bool {
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
			r.list(s, m, func(i int, item value) { r.assignment(&u, i, item) })
		default:
			return false
		}
		return true
	})
	if v.kind == KindObject {
		r.require(s, "id", u.ID)
	}
	return u
}

func (r *reader) personName(s Subject, v value) (n facts.Name) {
	r.members(s, v.name, v, func(m value) bool {
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

func (r *reader) assignment(u *User, i int, v value) {
	s := u.About
	s.assignment = i + 1
	for _, m := range v.items {
		if m.name == "location" && m.kind == KindText {
			s.location = m.text
		}
	}
	a := facts.AssignmentRecord{Status: facts.StatusActive}
	var carries carried
	r.members(s, "", v, func(m value) bool {
		switch m.name {
		case "location":
			a.Location = r.id(s, m)
		case "role":
			a.Role = r.id(s, m)
		case "status":
			a.Status = r.oneOf(s, "", m, assignmentStatuses)
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
	if v.kind == KindObject {
		r.require(s, "location", a.Location)
		r.require(s, "role", a.Role)
	}
	u.Assignments = append(u.Assignments, a)
	u.carries = append(u.carries, carries)
}

func (r *reader) access(s Subject, v value) *facts.Access {
	a := &facts.Access{}
	r.members(s, v.name, v, func(m value) bool {
		switch m.name {
		case "level":
			a.Level = r.text(s, v.name, m)
			if !r.vocab.level(a.Level) {
				r.faults.Add(s, "access.level does not exist")
			}
		case "areas":
			a.Areas = make(map[string]bool, len(m.items))
			r.areas(s, m, a.Areas)
		default:
			return false
		}
		return true
	})
	return a
}

func (r *reader) areas(s Subject, v value, into map[string]bool) {
	const at = "access.areas"
	r.members(s, at, v, func(m value) bool {
		switch {
		case !r.vocab.area(m.name):
			r.faults.Add(s, "%s does not exist", quoteMember(join(at, m.name)))
		case m.kind != KindBoolean:
			r.faults.Add(s, "%s must be true or false, not %s", label(join(at, m.name)), describe(m))
		case m.text != "true" && m.text != "false": // YAML has True and TRUE
			r.faults.Add(s, "%s must be written true or false", label(join(at, m.name)))
		default:
			into[m.name] = m.text == "true"
		}
		return true
	})
}

func (r *reader) require(s Subject, name, got string) {
	if got == "" {
		r.faults.Add(s, "%s is missing", name)
	}
}
