package origintest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// Document is a directory document that a test can change.
type Document struct {
	Locations []Location `json:"locations"`
	Users     []User     `json:"users"`
}

type Location struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Kind   string `json:"kind"`
	Parent string `json:"parent,omitempty"`
	Model  string `json:"model,omitempty"`
	Plan   string `json:"plan,omitempty"`
}

type User struct {
	ID              string       `json:"id"`
	Username        string       `json:"username,omitempty"`
	Name            *personName  `json:"name,omitempty"`
	Status          string       `json:"status,omitempty"`
	DefaultLocation string       `json:"default_location,omitempty"`
	LastLogin       string       `json:"last_login,omitempty"`
	Assignments     []Assignment `json:"assignments,omitempty"`
}

type personName struct {
	Title  string `json:"title,omitempty"`
	Given  string `json:"given,omitempty"`
	Family string `json:"family,omitempty"`
}

type Assignment struct {
	Location           string  `json:"location"`
	Role               string  `json:"role"`
	Status             string  `json:"status,omitempty"`
	Access             *access `json:"access,omitempty"`
	Profession         string  `json:"profession,omitempty"`
	RegistrationNumber string  `json:"registration_number,omitempty"`
}

type access struct {
	Level string          `json:"level,omitempty"`
	Areas map[string]bool `json:"areas,omitempty"`
}

func (r *Document) String() string { return string(asJSON(r)) }

func asJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // texts and numbers only
	}
	return bytes.TrimSpace(b.Bytes())
}

func (r *Document) user(id string) *User {
	for i := range r.Users {
		if r.Users[i].ID == id {
			return &r.Users[i]
		}
	}
	panic("no user " + id)
}

func (r *Document) location(id string) *Location {
	for i := range r.Locations {
		if r.Locations[i].ID == id {
			return &r.Locations[i]
		}
	}
	panic("no location " + id)
}

// oddIDs are what an id may be, and some way on its way could take for something else.
var OddIDs = []string{
	"a/b", "/", "//", ".", "..", "../users/by-username", "%", "100%", "%2e%2e", "%2F", "%00", "?", "?id=jane", "#x", "a&b=c", "id=jane",
	"a b", " a", "a ", "a+b", "+", "{id}", "{", "{{x}}", "[a-z]", "*", "\\", `"quoted"`, "'; DROP TABLE users; --", "$1", "a:b", "a,b", "a;b",
	"null", "0", "-1", "Jane", "JANE", "é", "e\u0301", "日本語", "👩‍⚕️", "\u00a0", "\u2028", "\ufeff", "ﬀ", "<b>", "~", "_", "\U0010ffff",
	strings.Repeat("x", 1024), strings.Repeat("é", 512), strings.Repeat("%", 1024),
}

// SampleDocument has every model; users who lack this and that, by a seed; and odd ids of users and locations.
func SampleDocument(seed uint64, users int) *Document {
	r := &Document{}
	if err := json.Unmarshal([]byte(fixture.WithUsers(fixture.Everyone)), r); err != nil {
		panic(err) // it is ours
	}
	r.Locations = append(r.Locations, Location{ID: "odd {group}/%2e", Name: "Odd & Co.", Kind: "group", Model: "practice_group"})
	for i, id := range OddIDs {
		r.Locations = append(r.Locations, Location{ID: id, Name: id, Kind: "practice", Parent: "odd {group}/%2e"})
		// Usernames are unique without regard to case and composition, and not every id can be one.
		username := fmt.Sprintf("%.16s%d@%%2e/ É?", id, i)
		if !facts.IsUsername(username) {
			username = fmt.Sprintf("odd%d@%%2e/ E\u0301?", i)
		}
		r.Users = append(r.Users, User{ID: id, Username: username, Assignments: []Assignment{
			{Location: "odd {group}/%2e", Role: "owner"}, {Location: id, Role: "owner"},
		}})
	}
	random := rand.New(rand.NewPCG(seed, 2))
	for i := range users {
		r.Users = append(r.Users, randomUser(random, i))
	}
	return r
}

func randomUser(r *rand.Rand, i int) User {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	u := User{
		ID:     fmt.Sprintf("%s%d", pick("u", "U", "ü"), i),
		Name:   &personName{Family: pick("", "smith", "Smith", "SMITH", "Ångström", "ångström", "Zoë", "van 100%"), Given: pick("", "Ann", "ann", "Bob", "Éa")},
		Status: pick("", "active", "deactivated"),
	}
	if r.IntN(4) > 0 {
		u.Username = fmt.Sprintf("%s%d@Example.org", pick("anna", "Anna", "Émile", "ÉMILE", "\u212aelvin", "straße", "STRASSE"), i)
	}
	if r.IntN(3) > 0 { // databases keep microseconds
		at := time.Date(2024, 1, 1+r.IntN(5), 0, 0, 0, 1000*r.IntN(2), time.FixedZone("", 3600*r.IntN(3)))
		u.LastLogin = at.Format(time.RFC3339Nano)
	}
	switch r.IntN(5) {
	case 0:
		u.Assignments = []Assignment{{Location: "grp", Role: "owner", Status: "deactivated"}, {Location: "p1", Role: "owner"}}
	case 1:
		u.Assignments = []Assignment{{Location: "ghi", Role: "ed_admin"}, {Location: "jkl", Role: "ed_normal"}}
		u.DefaultLocation = pick("ghi", "jkl")
	case 2:
		u.Assignments = []Assignment{{Location: "north", Role: "public_health"}}
		u.DefaultLocation = "north"
	case 3: // in three organizations
		u.Assignments = []Assignment{
			{Location: "ghi", Role: "ed_admin"}, {Location: "alone", Role: "entity_admin"},
			{Location: "grp", Role: "owner", Profession: "Dentist", Access: &access{Level: "full", Areas: map[string]bool{"users": false}}},
		}
		u.DefaultLocation = pick("ghi", "grp", "alone")
	}
	return u
}

// UserFromRecord writes a record as a document has it.
func UserFromRecord(rec facts.UserRecord) User {
	u := User{ID: rec.ID, Username: rec.Username, Status: rec.Status, DefaultLocation: rec.DefaultLocation}
	if rec.Name != (facts.Name{}) {
		u.Name = &personName{Title: rec.Name.Title, Given: rec.Name.Given, Family: rec.Name.Family}
	}
	if !rec.LastLogin.IsZero() {
		u.LastLogin = rec.LastLogin.Format(time.RFC3339Nano)
	}
	for _, a := range rec.Assignments {
		out := Assignment{Location: a.Location, Role: a.Role, Status: a.Status, Profession: a.Profession, RegistrationNumber: a.RegistrationNumber}
		if a.Access != nil {
			out.Access = &access{Level: a.Access.Level, Areas: a.Access.Areas}
		}
		u.Assignments = append(u.Assignments, out)
	}
	return u
}
