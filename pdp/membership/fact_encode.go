package membership

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// The tags of a token. What follows firstWord is a word of the dictionary.
const (
	tagEnd byte = iota
	tagObject
	tagArray
	tagFalse
	tagTrue
	tagText    // length, bytes
	tagAgain   // index among the texts so far
	tagInstant // seconds since 1970, zigzag; nanoseconds
	firstWord  = 16
)

// worthAgain is how long a text must be to be told by reference when it comes again.
const worthAgain = 3

// factEncoder writes records as tokens. The same record always gives the same bytes.
type factEncoder struct {
	b    []byte
	seen map[string]int // texts, by their index
}

// encodeUser appends a user as binary tokens.
func encodeUser(b []byte, u *userDraft) []byte {
	e := factEncoder{b: b, seen: make(map[string]int, 8)}
	e.user(u)
	return e.b
}

// encodeLocations appends a list of locations, in the order of their ids.
func encodeLocations(b []byte, l []locationDraft) []byte {
	e := factEncoder{b: b, seen: make(map[string]int, len(l))}
	order := make([]*locationDraft, len(l))
	for i := range l {
		order[i] = &l[i]
	}
	slices.SortStableFunc(order, func(a, b *locationDraft) int { return cmp.Compare(a.ID, b.ID) })
	e.tag(tagArray)
	for _, one := range order {
		e.location(one)
	}
	e.tag(tagEnd)
	return e.b
}

func (e *factEncoder) location(l *locationDraft) {
	e.tag(tagObject)
	e.member("id", l.ID)
	e.member("name", l.Name)
	e.member("kind", l.Kind)
	e.member("parent", l.Parent)
	e.member("model", l.Model)
	e.member("plan", l.Plan)
	e.tag(tagEnd)
}

func (e *factEncoder) user(u *userDraft) {
	e.tag(tagObject)
	e.member("id", u.ID)
	e.member("username", u.Username)
	if u.Name != (pdp.Name{}) {
		e.text("name")
		e.tag(tagObject)
		e.member("title", u.Name.Title)
		e.member("given", u.Name.Given)
		e.member("family", u.Name.Family)
		e.tag(tagEnd)
	}
	if u.Status != pdp.StatusActive {
		e.member("status", u.Status)
	}
	e.member("default_location", u.DefaultLocation)
	if !u.LastLogin.IsZero() {
		e.text("last_login")
		e.instant(u.LastLogin)
	}
	if len(u.Assignments) > 0 {
		e.text("assignments")
		e.tag(tagArray)
		for i := range u.Assignments {
			var carries carried
			if i < len(u.carries) {
				carries = u.carries[i]
			}
			e.assignment(&u.Assignments[i], carries)
		}
		e.tag(tagEnd)
	}
	e.tag(tagEnd)
}

// assignment keeps members that are there but empty, since where they may be is a rule of its own.
func (e *factEncoder) assignment(a *pdp.AssignmentRecord, carries carried) {
	e.tag(tagObject)
	e.member("location", a.Location)
	e.member("role", a.Role)
	if a.Status != pdp.StatusActive {
		e.member("status", a.Status)
	}
	if a.Access != nil || carries&carriesAccess != 0 {
		e.text("access")
		e.access(a.Access)
	}
	if a.Profession != "" || carries&carriesProfession != 0 {
		e.text("profession")
		e.text(a.Profession)
	}
	if a.RegistrationNumber != "" || carries&carriesRegistrationNumber != 0 {
		e.text("registration_number")
		e.text(a.RegistrationNumber)
	}
	e.tag(tagEnd)
}

func (e *factEncoder) access(a *pdp.Access) {
	e.tag(tagObject)
	if a != nil {
		e.member("level", a.Level)
		if a.Areas != nil {
			e.text("areas")
			e.areas(a.Areas)
		}
	}
	e.tag(tagEnd)
}

func (e *factEncoder) areas(areas map[string]bool) {
	e.tag(tagObject)
	for _, area := range slices.Sorted(maps.Keys(areas)) {
		e.text(area)
		if areas[area] {
			e.tag(tagTrue)
		} else {
			e.tag(tagFalse)
		}
	}
	e.tag(tagEnd)
}

// member leaves out what is empty.
func (e *factEncoder) member(name, text string) {
	if text != "" {
		e.text(name)
		e.text(text)
	}
}

func (e *factEncoder) text(s string) {
	if word, ok := factWordAt[s]; ok {
		e.tag(firstWord + word)
		return
	}
	if at, ok := e.seen[s]; ok {
		e.tag(tagAgain)
		e.b = binary.AppendUvarint(e.b, uint64(at))
		return
	}
	if len(s) >= worthAgain {
		e.seen[s] = len(e.seen)
	}
	e.tag(tagText)
	e.b = appendText(e.b, s)
}

func (e *factEncoder) instant(t time.Time) {
	e.tag(tagInstant)
	e.b = binary.AppendVarint(e.b, t.Unix())
	e.b = binary.AppendUvarint(e.b, uint64(t.Nanosecond()))
}

func (e *factEncoder) tag(t byte) { e.b = append(e.b, t) }
