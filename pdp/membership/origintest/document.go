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

// Document is the document of a directory. Tests can change it.
type Document struct {
	Locations []Location `json:"locations"`
	Users     []User     `json:"users"`
}

// Location is a location in a [Document].
type Location struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Kind   string `json:"kind"`
	Parent string `json:"parent,omitempty"`
	Model  string `json:"model,omitempty"`
	Plan   string `json:"plan,omitempty"`
}

// User is a user in a [Document].
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

// Assignment is an assignment of a [User].
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

// String returns the document in JSON.
func (doc *Document) String() string { return string(asJSON(doc)) }

func asJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // cannot happen: the values are texts and numbers
	}
	return bytes.TrimSpace(b.Bytes())
}

func (doc *Document) user(id string) *User {
	for i := range doc.Users {
		if doc.Users[i].ID == id {
			return &doc.Users[i]
		}
	}
	panic("no user " + id)
}

func (doc *Document) location(id string) *Location {
	for i := range doc.Locations {
		if doc.Locations[i].ID == id {
			return &doc.Locations[i]
		}
	}
	panic("no location " + id)
}

// OddIDs are valid ids that a URL, a query language, a template or a comparison could misinterpret.
var OddIDs = []string{
	"a/b", "/", "//", ".", "..", "../users/by-username", "%", "100%", "%2e%2e", "%2F", "%00", "?", "?id=jane", "#x", "a&b=c", "id=jane",
	"a b", " a", "a ", "a+b", "+", "{id}", "{", "{{x}}", "[a-z]", "*", "\\", `"quoted"`, "'; DROP TABLE users; --", "$1", "a:b", "a,b", "a;b",
	"null", "0", "-1", "Jane", "JANE", "é", "e\u0301", "日本語", "👩‍⚕️", "\u00a0", "\u2028", "\ufeff", "ﬀ", "<b>", "~", "_", "\U0010ffff",
	strings.Repeat("x", 1024), strings.Repeat("é", 512), strings.Repeat("%", 1024),
}

// SampleDocument returns a document with organizations of every model, locations and users with [OddIDs], and random
// users from a seed, some of whom lack optional members.
func SampleDocument(seed uint64, users int) *Document {
	doc := &Document{}
	if err := json.Unmarshal([]byte(fixture.WithUsers(fixture.Everyone)), doc); err != nil {
		panic(err) // cannot happen: the document is a constant
	}
	doc.Locations = append(doc.Locations, Location{ID: "odd {group}/%2e", Name: "Odd & Co.", Kind: "group", Model: "practice_group"})
	for i, id := range OddIDs {
		doc.Locations = append(doc.Locations, Location{ID: id, Name: id, Kind: "practice", Parent: "odd {group}/%2e"})
		// Usernames must differ by more than case and Unicode composition, and not every id is a valid username.
		username := fmt.Sprintf("%.16s%d@%%2e/ É?", id, i)
		if !facts.IsUsername(username) {
			username = fmt.Sprintf("odd%d@%%2e/ E\u0301?", i)
		}
		doc.Users = append(doc.Users, User{ID: id, Username: username, Assignments: []Assignment{
			{Location: "odd {group}/%2e", Role: "owner"}, {Location: id, Role: "owner"},
		}})
	}
	random := rand.New(rand.NewPCG(seed, 2))
	for i := range users {
		doc.Users = append(doc.Users, randomUser(random, i))
	}
	return doc
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
	if r.IntN(3) > 0 { // not finer than microseconds, as in databases
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

// UserFromRecord converts a record to a user of a document.
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
