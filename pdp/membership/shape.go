package membership

import (
	"github.com/wardkeeper/wardkeeper/pdp"
)

// draft is a directory whose records have the right shape, before anything is known of how they fit together.
type draft struct {
	locations []locationDraft
	users     []userDraft
}

type locationDraft struct {
	pdp.LocationRecord
	about subject
}

type userDraft struct {
	pdp.UserRecord
	about   subject
	carries []carried // for each assignment
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
	accountStatuses    = []string{pdp.StatusActive, pdp.StatusDeactivated}
	assignmentStatuses = []string{pdp.StatusActive, pdp.StatusInvited, pdp.StatusDeactivated}
	plans              = []string{"free", "paid"}
)

// read reads a document of either format.
func (r *reader) read(data []byte, f Format) (*draft, error) {
	if f == JSON {
		r.in = newJSONTokens(data, newInterned(r.vocab.words()...))
		return r.directory()
	}
	if sections := splitYAML(data, blockSize); sections != nil {
		r.in = &yamlBlocks{sections: sections}
		if d, err := r.directory(); err == nil {
			return d, nil
		}
		*r.faults = Faults{}
	}
	whole, err := newYAMLTokens(data)
	if err != nil {
		return nil, err
	}
	r.in = whole
	return r.directory()
}

// directory reads the document. An error means that it cannot be read to its end.
func (r *reader) directory() (*draft, error) {
	t, err := r.in.next()
	if err != nil {
		return nil, err
	}
	d := &draft{}
	if t.kind != kindObject {
		v, err := r.value(t, 0)
		r.faults.add(subject{}, "the document must be an object, not %s", describe(v))
		return d, err
	}
	seen := map[string]bool{}
	for {
		t, err := r.in.next()
		if err != nil {
			return nil, err
		}
		if t.kind == kindEnd {
			break
		}
		if err := r.section(d, t, seen); err != nil {
			return nil, err
		}
	}
	for _, name := range listNames[locations:] {
		if !seen[name] {
			r.faults.add(subject{}, "%s is missing", name)
		}
	}
	return d, r.finish()
}

// section reads one of the two lists, record by record: a whole list as values would be many times the file.
func (r *reader) section(d *draft, t token, seen map[string]bool) error {
	name, err := r.name(t, 1)
	if err != nil {
		return err
	}
	if t, err = r.in.next(); err != nil {
		return err
	}
	var take func(i int, v value)
	switch {
	case name == unreadable:
		r.faults.add(subject{}, "a member's name must be text")
	case seen[name]:
		r.faults.add(subject{}, "%s is there twice", madeUp(name))
	case name == listNames[locations]:
		take = func(i int, v value) {
			if l := r.location(i, v); v.kind == kindObject {
				d.locations = append(d.locations, l)
			}
		}
	case name == listNames[users]:
		take = func(i int, v value) {
			if u := r.user(i, v); v.kind == kindObject {
				d.users = append(d.users, u)
			}
		}
	default:
		r.faults.add(subject{}, "unknown field %s", madeUp(name))
	}
	seen[name] = true
	if t.kind != kindArray || take == nil {
		v, err := r.value(t, 1)
		if take != nil {
			r.faults.add(subject{}, "%s must be a list, not %s", name, describe(v))
		}
		return err
	}
	for i := 0; ; i++ {
		if t, err = r.in.next(); err != nil || t.kind == kindEnd {
			return err
		}
		v, err := r.value(t, 2)
		if err != nil {
			return err
		}
		take(i, v)
	}
}

func (r *reader) location(i int, v value) locationDraft {
	l := locationDraft{about: subject{list: locations, index: i, id: idOf(v)}}
	s := l.about
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
	if v.kind == kindObject {
		r.require(s, "id", l.ID)
		r.require(s, "kind", l.Kind)
	}
	return l
}

func (r *reader) user(i int, v value) userDraft {
	u := userDraft{about: subject{list: users, index: i, id: idOf(v)}}
	s := u.about
	u.Status = pdp.StatusActive
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
	if v.kind == kindObject {
		r.require(s, "id", u.ID)
	}
	return u
}

func (r *reader) personName(s subject, v value) (n pdp.Name) {
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

func (r *reader) assignment(u *userDraft, i int, v value) {
	s := u.about
	s.assignment = i + 1
	for _, m := range v.items {
		if m.name == "location" && m.kind == kindText {
			s.location = m.text
		}
	}
	a := pdp.AssignmentRecord{Status: pdp.StatusActive}
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
	if v.kind == kindObject {
		r.require(s, "location", a.Location)
		r.require(s, "role", a.Role)
	}
	u.Assignments = append(u.Assignments, a)
	u.carries = append(u.carries, carries)
}

func (r *reader) access(s subject, v value) *pdp.Access {
	a := &pdp.Access{}
	r.members(s, v.name, v, func(m value) bool {
		switch m.name {
		case "level":
			a.Level = r.text(s, v.name, m)
			if !r.vocab.level(a.Level) {
				r.faults.add(s, "access.level does not exist")
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

func (r *reader) areas(s subject, v value, into map[string]bool) {
	const at = "access.areas"
	r.members(s, at, v, func(m value) bool {
		switch {
		case !r.vocab.area(m.name):
			r.faults.add(s, "%s does not exist", madeUp(join(at, m.name)))
		case m.kind != kindBoolean:
			r.faults.add(s, "%s must be true or false, not %s", label(join(at, m.name)), describe(m))
		case m.text != "true" && m.text != "false": // YAML has True and TRUE
			r.faults.add(s, "%s must be written true or false", label(join(at, m.name)))
		default:
			into[m.name] = m.text == "true"
		}
		return true
	})
}

func (r *reader) require(s subject, name, got string) {
	if got == "" {
		r.faults.add(s, "%s is missing", name)
	}
}
