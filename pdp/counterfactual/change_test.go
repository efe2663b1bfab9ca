package counterfactual_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/counterfactual"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// users have one of everything that a record can have.
var users = []string{
	fixture.Nurse("nurse", "ed_normal", "ghi"),
	fixture.Nurse("region", "regional_admin", "metro"),
	`{"id": "gone", "username": "gone@example.org", "status": "deactivated", "default_location": "jkl",
		"assignments": [{"location": "ghi", "role": "ed_admin"}, {"location": "jkl", "role": "ed_normal"}]}`,
	`{"id": "many", "username": "many@example.org", "default_location": "ghi", "assignments": [{"location": "ghi", "role": "ed_admin"},
		{"location": "grp", "role": "owner", "access": {"level": "full", "areas": {"users": false}}}, {"location": "alone", "role": "entity_admin"}]}`,
	`{"id": "member", "username": "member@example.org", "assignments": [{"location": "grp", "role": "practitioner", "access": {"level": "limited"}, "profession": "nurse"},
		{"location": "p1", "role": "practitioner"}, {"location": "p2", "role": "practitioner", "status": "deactivated"}]}`,
	`{"id": "invited", "assignments": [{"location": "grp", "role": "administrator", "status": "invited"}]}`,
	`{"id": "system", "assignments": [{"location": "hs", "role": "system_admin"}, {"location": "e1", "role": "user"}]}`,
	`{"id": "nobody"}`,
}

// eachWorld calls f with a question of each user, about each of them, from and about locations of all models.
func eachWorld(t *testing.T, f func(d *directory.Directory, w *counterfactual.World)) {
	document := strings.Replace(fixture.WithUsers(strings.Join(users, ",")), `{"id": "north"`, `{"id": "south", "kind": "division", "parent": "metro"}, {"id": "north"`, 1)
	d, err := directory.Parse([]byte(document), fixture.Vocabulary())
	require.NoError(t, err)
	vocabulary := fixture.Vocabulary()
	places := []string{"metro", "north", "ghi", "hs", "e1", "alone", "grp", "p1", ""}
	for _, subject := range d.AllUsers() {
		for i, user := range d.AllUsers() {
			current, _ := d.Location(t.Context(), places[i%len(places)])
			for _, id := range places {
				place, _ := d.Location(t.Context(), id)
				f(d, &counterfactual.World{
					Question: authzen.Evaluation{
						Subject:  authzen.Entity{Type: "user", ID: subject.ID()},
						Action:   authzen.Action{Name: "assignment.add", Properties: map[string]any{"role": "ed_normal", "confirmed": true}},
						Resource: authzen.Entity{Type: "user", ID: user.ID(), Properties: map[string]any{"location": id}},
						Context:  map[string]any{"current_location": places[i%len(places)], "supported_obligations": []any{}},
					},
					View: d, Subject: subject, User: user, Current: current, Place: place,
					Terms: counterfactual.Terms{Roles: vocabulary.Roles, Levels: vocabulary.Levels, Areas: vocabulary.Areas,
						Properties: []string{"confirmed", "level", "role"}, FromCurrentLocation: true},
				})
			}
		}
	}
}

// documentOf returns the document of what a view has of a directory's records.
func documentOf(t *testing.T, d *directory.Directory, v facts.View) string {
	var locations []record.Location
	for _, l := range d.AllLocations() {
		seen, err := v.Location(t.Context(), l.ID())
		require.NoError(t, err)
		locations = append(locations, record.Location{LocationRecord: seen.Record()})
	}
	var all []string
	for _, u := range d.AllUsers() {
		seen, err := v.User(t.Context(), u.ID())
		require.NoError(t, err)
		all = append(all, string(record.EncodeUser(nil, &record.User{UserRecord: seen.Record()})))
	}
	return fmt.Sprintf(`{"locations": %s, "users": [%s]}`, record.EncodeLocations(nil, locations), strings.Join(all, ","))
}

// Each change leaves the directory valid (policies/DOMAIN.md section 1), alters one record or the question, and has the value that it
// changes. What is there stays as it is.
func TestChangesLeaveTheDirectoryValid(t *testing.T) {
	t.Parallel()
	made, valid := map[string]int{}, map[string]bool{}
	eachWorld(t, func(d *directory.Directory, w *counterfactual.World) {
		before, question := documentOf(t, d, d), asJSON(t, w.Question)
		changes, all, err := w.Changes(context.Background())
		require.NoError(t, err)
		require.True(t, all)
		require.True(t, slices.IsSortedFunc(changes, counterfactual.Compare))
		for i, c := range changes {
			require.False(t, i > 0 && c.Same(&changes[i-1]), "%s twice", asJSON(t, c))
			require.NotEqual(t, c.From, c.To, asJSON(t, c))
			made[c.Of+"."+c.Fact]++
			require.True(t, c.At == "" || isAbout(t, w, c.At), "%s is in an organization that the question is not about", asJSON(t, c))
			asked, view := w.With(c)
			if c.Of == counterfactual.Question {
				require.NotEqual(t, question, asJSON(t, asked))
				require.Equal(t, w.View, view)
				continue
			}
			require.Equal(t, question, asJSON(t, asked))
			after := documentOf(t, d, view)
			require.Equal(t, 1, differing(t, before, after), asJSON(t, c))
			if !valid[after] {
				_, err := directory.Parse([]byte(after), fixture.Vocabulary())
				require.NoError(t, err, asJSON(t, c))
				valid[after] = true
			}
			require.Equal(t, [2]any{c.From, c.To}, [2]any{valueOf(t, d, &c), valueOf(t, view, &c)}, asJSON(t, c))
		}
		require.Equal(t, before, documentOf(t, d, d))
		require.Equal(t, question, asJSON(t, w.Question))
	})
	kinds := slices.Sorted(maps.Keys(made))
	assert.Equal(t, []string{"location.parent", "location.plan", "question.current_location", "question.location", "question.property", "question.supported_obligations",
		"subject.area", "subject.assignment", "subject.assignment_status", "subject.default_location", "subject.level", "subject.status",
		"user.area", "user.assignment", "user.assignment_status", "user.default_location", "user.level", "user.status"}, kinds)
}

// isAbout reports whether a location is in an organization that a question is about; where it names none, it is about all.
func isAbout(t *testing.T, w *counterfactual.World, id string) bool {
	at, err := w.View.Location(t.Context(), id)
	require.NoError(t, err)
	return w.Current == nil && w.Place == nil || w.Current != nil && w.Current.Organization() == at.Organization() ||
		w.Place != nil && w.Place.Organization() == at.Organization()
}

// differing counts the records in which two documents differ.
func differing(t *testing.T, a, b string) (n int) {
	type lists struct{ Locations, Users []json.RawMessage }
	var x, y lists
	require.NoError(t, json.Unmarshal([]byte(a), &x))
	require.NoError(t, json.Unmarshal([]byte(b), &y))
	count := func(x, y []json.RawMessage) {
		require.Len(t, y, len(x))
		for i := range x {
			if string(x[i]) != string(y[i]) {
				n++
			}
		}
	}
	count(x.Locations, y.Locations)
	count(x.Users, y.Users)
	return n
}

// valueOf returns the fact that a change is about.
func valueOf(t *testing.T, v facts.View, c *counterfactual.Change) any {
	orNil := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	if c.Of == counterfactual.Location {
		l, err := v.Location(t.Context(), c.ID)
		require.NoError(t, err)
		if c.Fact == counterfactual.Plan {
			return orNil(l.Record().Plan)
		}
		return orNil(l.Record().Parent)
	}
	u, err := v.User(t.Context(), c.ID)
	require.NoError(t, err)
	switch a := u.AssignmentAt(c.At); {
	case c.Fact == counterfactual.Status:
		return u.Record().Status
	case c.Fact == counterfactual.DefaultLocation:
		return orNil(u.Record().DefaultLocation)
	case a == nil:
		return nil
	case c.Fact == counterfactual.Assignment:
		return a.Role
	case c.Fact == counterfactual.AssignmentStatus:
		return a.Status
	case a.Access == nil:
		return nil
	case c.Fact == counterfactual.Level:
		return orNil(a.Access.Level)
	default:
		if open, said := a.Access.Areas[c.Name]; said {
			return open
		}
		return nil
	}
}

func asJSON(t *testing.T, v any) string {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}
