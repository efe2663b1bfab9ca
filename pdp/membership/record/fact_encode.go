package record

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// The tags of a token. What follows firstWord is a word of the dictionary.
const (
	TagEnd byte = iota
	TagObject
	TagArray
	TagFalse
	TagTrue
	tagText    // length, bytes
	tagAgain   // index among the texts so far
	tagInstant // seconds since 1970, zigzag; nanoseconds
	FirstWord  = 16
)

// worthAgain is how long a text must be to be told by reference when it comes again.
const worthAgain = 3

// FactEncoder writes records as tokens. The same record always gives the same bytes.
type FactEncoder struct {
	B    []byte
	Seen map[string]int // texts, by their index
}

// EncodeUser appends a user as binary tokens.
func EncodeUser(b []byte, u *User) []byte {
	e := FactEncoder{B: b, Seen: make(map[string]int, 8)}
	e.user(u)
	return e.B
}

// EncodeLocations appends a list of locations, in the order of their ids.
func EncodeLocations(b []byte, l []Location) []byte {
	e := FactEncoder{B: b, Seen: make(map[string]int, len(l))}
	order := make([]*Location, len(l))
	for i := range l {
		order[i] = &l[i]
	}
	slices.SortStableFunc(order, func(a, b *Location) int { return cmp.Compare(a.ID, b.ID) })
	e.Tag(TagArray)
	for _, one := range order {
		e.location(one)
	}
	e.Tag(TagEnd)
	return e.B
}

func (e *FactEncoder) location(l *Location) {
	e.Tag(TagObject)
	e.member("id", l.ID)
	e.member("name", l.Name)
	e.member("kind", l.Kind)
	e.member("parent", l.Parent)
	e.member("model", l.Model)
	e.member("plan", l.Plan)
	e.Tag(TagEnd)
}

func (e *FactEncoder) user(u *User) {
	e.Tag(TagObject)
	e.member("id", u.ID)
	e.member("username", u.Username)
	if u.Name != (facts.Name{}) {
		e.Text("name")
		e.Tag(TagObject)
		e.member("title", u.Name.Title)
		e.member("given", u.Name.Given)
		e.member("family", u.Name.Family)
		e.Tag(TagEnd)
	}
	if u.Status != facts.StatusActive {
		e.member("status", u.Status)
	}
	e.member("default_location", u.DefaultLocation)
	if !u.LastLogin.IsZero() {
		e.Text("last_login")
		e.instant(u.LastLogin)
	}
	if len(u.Assignments) > 0 {
		e.Text("assignments")
		e.Tag(TagArray)
		for i := range u.Assignments {
			var carries carried
			if i < len(u.Carries) {
				carries = u.Carries[i]
			}
			e.assignment(&u.Assignments[i], carries)
		}
		e.Tag(TagEnd)
	}
	e.Tag(TagEnd)
}

// assignment keeps members that are there but empty, since where they may be is a rule of its own.
func (e *FactEncoder) assignment(a *facts.AssignmentRecord, carries carried) {
	e.Tag(TagObject)
	e.member("location", a.Location)
	e.member("role", a.Role)
	if a.Status != facts.StatusActive {
		e.member("status", a.Status)
	}
	if a.Access != nil || carries&carriesAccess != 0 {
		e.Text("access")
		e.access(a.Access)
	}
	if a.Profession != "" || carries&carriesProfession != 0 {
		e.Text("profession")
		e.Text(a.Profession)
	}
	if a.RegistrationNumber != "" || carries&carriesRegistrationNumber != 0 {
		e.Text("registration_number")
		e.Text(a.RegistrationNumber)
	}
	e.Tag(TagEnd)
}

func (e *FactEncoder) access(a *facts.Access) {
	e.Tag(TagObject)
	if a != nil {
		e.member("level", a.Level)
		if a.Areas != nil {
			e.Text("areas")
			e.areas(a.Areas)
		}
	}
	e.Tag(TagEnd)
}

func (e *FactEncoder) areas(areas map[string]bool) {
	e.Tag(TagObject)
	for _, area := range slices.Sorted(maps.Keys(areas)) {
		e.Text(area)
		if areas[area] {
			e.Tag(TagTrue)
		} else {
			e.Tag(TagFalse)
		}
	}
	e.Tag(TagEnd)
}

// member leaves out what is empty.
func (e *FactEncoder) member(name, text string) {
	if text != "" {
		e.Text(name)
		e.Text(text)
	}
}

func (e *FactEncoder) Text(s string) {
	if word, ok := FactWordAt[s]; ok {
		e.Tag(FirstWord + word)
		return
	}
	if at, ok := e.Seen[s]; ok {
		e.Tag(tagAgain)
		e.B = binary.AppendUvarint(e.B, uint64(at))
		return
	}
	if len(s) >= worthAgain {
		e.Seen[s] = len(e.Seen)
	}
	e.Tag(tagText)
	e.B = appendText(e.B, s)
}

func (e *FactEncoder) instant(t time.Time) {
	e.Tag(tagInstant)
	e.B = binary.AppendVarint(e.B, t.Unix())
	e.B = binary.AppendUvarint(e.B, uint64(t.Nanosecond()))
}

func (e *FactEncoder) Tag(t byte) { e.B = append(e.B, t) }
