package directory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func withLocations(more string) string {
	return `{"locations": [` + fixture.Tree + `, ` + more + `], "users": []}`
}

// janeAssigned returns a document whose user "jane" has one assignment with the given members.
func janeAssigned(members string) string {
	return fixture.WithUsers(`{"id": "jane", "assignments": [{` + members + `}]}`)
}

// janeRegional returns a document whose user "jane" has a regional assignment and the given members.
func janeRegional(members string) string {
	return fixture.WithUsers(`{"id": "jane", "default_location": "ghi", "assignments": [{"location": "ghi", "role": "ed_normal"}], ` + members + `}`)
}

type faultCase struct{ name, document, fault string }

var locationFaults = []faultCase{
	{"unknown parent", withLocations(`{"id": "x", "kind": "division", "parent": "nowhere"}`), `location "x": parent is unknown`},
	{"parent of a kind that does not allow it", withLocations(`{"id": "x", "kind": "facility", "parent": "metro"}`), `location "x": a facility cannot lie beneath a region, as "metro" is`},
	{"parent in another model", withLocations(`{"id": "x", "kind": "practice", "parent": "hs"}`), `location "x": a practice cannot lie beneath a system, as "hs" is`},
	{"practice beneath a practice", withLocations(`{"id": "x", "kind": "practice", "parent": "p1"}`), `location "x": a practice cannot lie beneath a practice, as "p1" is`},
	{"entity beneath a standalone entity", withLocations(`{"id": "x", "kind": "entity", "parent": "alone"}`), `location "x": an entity cannot lie beneath an entity, as "alone" is`},
	{"root kind with a parent", withLocations(`{"id": "x", "kind": "group", "parent": "hs"}`), `location "x": a group has no parent`},
	{"beneath a vendor", withLocations(`{"id": "x", "kind": "entity", "parent": "acme"}`), `location "x": an entity cannot lie beneath a vendor, as "acme" is`},
	{"no root, no parent", withLocations(`{"id": "x", "kind": "facility"}`), `location "x": parent is missing: a facility is no root`},
	{"root without a model", withLocations(`{"id": "x", "kind": "region"}`), `location "x": a root must have a model, for a region regional`},
	{"root of an unfitting model", withLocations(`{"id": "x", "kind": "vendor", "model": "regional"}`), `location "x": model does not fit a vendor`},
	{"system without a plan", withLocations(`{"id": "x", "kind": "system", "model": "health_system"}`), `location "x": a root of model health_system must have a plan`},
	{"standalone entity without a plan", withLocations(`{"id": "x", "kind": "entity", "model": "health_system"}`), `location "x": a root of model health_system must have a plan`},
	{"plan elsewhere", withLocations(`{"id": "x", "kind": "group", "model": "practice_group", "plan": "paid"}`), `location "x": plan does not belong to a group`},
	{"plan beneath a root", withLocations(`{"id": "x", "kind": "entity", "parent": "hs", "plan": "paid"}`), `location "x": plan belongs to a root`},
	{"model beneath a root", withLocations(`{"id": "x", "kind": "entity", "parent": "hs", "model": "health_system"}`), `location "x": model belongs to a root`},
	{"duplicate id", withLocations(`{"id": "ghi", "kind": "facility", "parent": "north"}`), `location "ghi": another location has this id`},
	{"kind not listed", withLocations(`{"id": "x", "kind": "ward", "parent": "ghi"}`), `location "x": kind is not one of region, division, facility, system, entity, group, practice, vendor`},
	{"model not listed", withLocations(`{"id": "x", "kind": "region", "model": "local"}`), `location "x": model is not one of regional, health_system, practice_group, vendor`},
	{"plan not listed", withLocations(`{"id": "x", "kind": "system", "model": "health_system", "plan": "gold"}`), `location "x": plan is not one of free, paid`},
	{"id missing", withLocations(`{"kind": "region", "model": "regional"}`), `locations[11]: id is missing`},
	{"id empty", withLocations(`{"id": "", "kind": "region", "model": "regional"}`), `locations[11]: id must not be empty`},
	{"id a number", withLocations(`{"id": 5, "kind": "region", "model": "regional"}`), `locations[11]: id must be text, not a number`},
	{"id null", withLocations(`{"id": null, "kind": "region", "model": "regional"}`), `locations[11]: id must be text, not null`},
	{"id with a control character", withLocations(`{"id": "a\nb", "kind": "region", "model": "regional"}`), `location "a\nb": id has a control character`},
	{"kind missing", withLocations(`{"id": "x", "parent": "hs"}`), `location "x": kind is missing`},
	{"name null", withLocations(`{"id": "x", "name": null, "kind": "region", "model": "regional"}`), `location "x": name must be text, not null`},
	{"parent empty", withLocations(`{"id": "x", "kind": "entity", "parent": ""}`), `location "x": parent must not be empty`},
	{"unknown field", withLocations(`{"id": "x", "kind": "entity", "parent": "hs", "beds": 5}`), `location "x": unknown field "beds"`},
	{"a user's field", withLocations(`{"id": "x", "kind": "entity", "parent": "hs", "username": "x"}`), `location "x": unknown field "username"`},
	{"member twice", withLocations(`{"id": "x", "kind": "entity", "kind": "system", "parent": "hs"}`), `location "x": kind is there twice`},
	{"no object", withLocations(`"x"`), `locations[11]: must be an object, not text`},
}

var userFaults = []faultCase{
	{"duplicate id", fixture.WithUsers(`{"id": "jane"}, {"id": "jane"}`), `user "jane": another user has this id`},
	{"duplicate username", fixture.WithUsers(`{"id": "jane", "username": "J@example.org"}, {"id": "joe", "username": "j@EXAMPLE.org"}`), `user "joe": username is that of user "jane" too`},
	{"duplicate username beyond ASCII", fixture.WithUsers(`{"id": "jane", "username": "STRASSE"}, {"id": "joe", "username": "Straße"}`), `user "joe": username is that of user "jane" too`},
	{"duplicate username composed otherwise", fixture.WithUsers(`{"id": "jane", "username": "jose\u0301@example.org"}, {"id": "joe", "username": "JOS\u00c9@example.org"}`), `user "joe": username is that of user "jane" too`},
	{"username with a space before", fixture.WithUsers(`{"id": "jane", "username": " a"}`), `user "jane": username must not begin or end with white space, nor have a character that cannot be seen`},
	{"username with a zero-width space", fixture.WithUsers(`{"id": "jane", "username": "a\u200bb"}`), `user "jane": username must not begin or end with white space, nor have a character that cannot be seen`},
	{"username with a variation selector", fixture.WithUsers(`{"id": "jane", "username": "a\ufe0f"}`), `user "jane": username must not begin or end with white space, nor have a character that cannot be seen`},
	{"username too long", fixture.WithUsers(`{"id": "jane", "username": "` + strings.Repeat("x", 1025) + `"}`), `user "jane": username is longer than 1024 bytes`},
	{"username too long once folded", fixture.WithUsers(`{"id": "jane", "username": "` + strings.Repeat("\u0130", 500) + `"}`), `user "jane": username is longer than 1024 bytes`},
	{"id missing", fixture.WithUsers(`{"username": "x"}`), `users[0]: id is missing`},
	{"id a boolean", fixture.WithUsers(`{"id": true}`), `users[0]: id must be text, not a boolean`},
	{"username null", fixture.WithUsers(`{"id": "jane", "username": null}`), `user "jane": username must be text, not null`},
	{"username with a control character", fixture.WithUsers(`{"id": "jane", "username": "a\r\nb"}`), `user "jane": username has a control character`},
	{"name is text", fixture.WithUsers(`{"id": "jane", "name": "Jane"}`), `user "jane": name must be an object, not text`},
	{"name null", fixture.WithUsers(`{"id": "jane", "name": null}`), `user "jane": name must be an object, not null`},
	{"unknown part of a name", fixture.WithUsers(`{"id": "jane", "name": {"middle": "M"}}`), `user "jane": unknown field "name.middle"`},
	{"part of a name a number", fixture.WithUsers(`{"id": "jane", "name": {"given": 1}}`), `user "jane": name.given must be text, not a number`},
	{"part of a name a list", fixture.WithUsers(`{"id": "jane", "name": {"title": ["Dr."]}}`), `user "jane": name.title must be text, not a list`},
	{"part of a name twice", fixture.WithUsers(`{"id": "jane", "name": {"family": "A", "family": "B"}}`), `user "jane": name.family is there twice`},
	{"status not listed", fixture.WithUsers(`{"id": "jane", "status": "invited"}`), `user "jane": status is not one of active, deactivated`},
	{"last login no time", fixture.WithUsers(`{"id": "jane", "last_login": "yesterday"}`), `user "jane": last_login must be an RFC 3339 time`},
	{"last login a date", fixture.WithUsers(`{"id": "jane", "last_login": "2024-05-01"}`), `user "jane": last_login must be an RFC 3339 time`},
	{"last login a number", fixture.WithUsers(`{"id": "jane", "last_login": 1714521600}`), `user "jane": last_login must be text, not a number`},
	{"unknown field", fixture.WithUsers(`{"id": "jane", "email": "x"}`), `user "jane": unknown field "email"`},
	{"a location's field", fixture.WithUsers(`{"id": "jane", "parent": "metro"}`), `user "jane": unknown field "parent"`},
	{"assignments an object", fixture.WithUsers(`{"id": "jane", "assignments": {}}`), `user "jane": assignments must be a list, not an object`},
	{"assignments null", fixture.WithUsers(`{"id": "jane", "assignments": null}`), `user "jane": assignments must be a list, not null`},
	{"default location missing", janeAssigned(`"location": "ghi", "role": "ed_normal"`), `user "jane": default_location is missing, for an assignment in a regional organization`},
	{"default location not assigned", fixture.WithUsers(`{"id": "jane", "default_location": "jkl", "assignments": [{"location": "ghi", "role": "ed_normal"}]}`), `user "jane": default_location is none of the user's assignments`},
	{"default location outside regional not assigned", fixture.WithUsers(`{"id": "jane", "default_location": "alone", "assignments": [{"location": "e1", "role": "user"}]}`), `user "jane": default_location is none of the user's assignments`},
	{"default location without assignments", fixture.WithUsers(`{"id": "jane", "default_location": "ghi"}`), `user "jane": default_location is none of the user's assignments`},
	{"default location empty", fixture.WithUsers(`{"id": "jane", "default_location": ""}`), `user "jane": default_location must not be empty`},
	{"profession of a user", janeRegional(`"profession": "x"`), `user "jane": unknown field "profession"`},
	{"no object", fixture.WithUsers(`[]`), `users[0]: must be an object, not a list`},
}

var assignmentFaults = []faultCase{
	{"role not offered", janeAssigned(`"location": "e1", "role": "system_admin"`), `user "jane": assignment at "e1": role is not offered at an entity`},
	{"role unknown", janeAssigned(`"location": "acme", "role": "king"`), `user "jane": assignment at "acme": role is not offered at a vendor`},
	{"unknown location", janeAssigned(`"location": "nowhere", "role": "user"`), `user "jane": assignments[0]: location is unknown`},
	{"two at one location", fixture.WithUsers(`{"id": "jane", "assignments": [{"location": "e1", "role": "user"}, {"location": "e1", "role": "entity_admin"}]}`), `user "jane": assignment at "e1": the user has another at this location`},
	{"location missing", janeAssigned(`"role": "user"`), `user "jane": assignments[0]: location is missing`},
	{"location null", janeAssigned(`"location": null, "role": "user"`), `user "jane": assignments[0]: location must be text, not null`},
	{"role missing", janeAssigned(`"location": "e1"`), `user "jane": assignment at "e1": role is missing`},
	{"role empty", janeAssigned(`"location": "e1", "role": ""`), `user "jane": assignment at "e1": role must not be empty`},
	{"role a list", janeAssigned(`"location": "e1", "role": ["user"]`), `user "jane": assignment at "e1": role must be text, not a list`},
	{"status not listed", janeAssigned(`"location": "grp", "role": "owner", "status": "gone"`), `user "jane": assignment at "grp": status is not one of active, invited, deactivated`},
	{"invited elsewhere", janeAssigned(`"location": "e1", "role": "user", "status": "invited"`), `user "jane": assignment at "e1": its status belongs to model practice_group alone`},
	{"deactivated elsewhere", janeAssigned(`"location": "acme", "role": "vendor_staff", "status": "deactivated"`), `user "jane": assignment at "acme": its status belongs to model practice_group alone`},
	{"practice without its group", janeAssigned(`"location": "p1", "role": "owner"`), `user "jane": assignment at "p1": there is none at the group "grp"`},
	{"another role at a practice", fixture.WithUsers(`{"id": "jane", "assignments": [{"location": "p1", "role": "owner"}, {"location": "grp", "role": "administrator"}]}`), `user "jane": assignment at "p1": role is not the one at the group "grp"`},
	{"access elsewhere", janeAssigned(`"location": "e1", "role": "user", "access": {}`), `user "jane": assignment at "e1": access belongs to the assignment at a practice group`},
	{"profession elsewhere, if empty", janeAssigned(`"location": "e1", "role": "user", "profession": ""`), `user "jane": assignment at "e1": profession belongs to the assignment at a practice group`},
	{"registration number at a practice", fixture.WithUsers(`{"id": "jane", "assignments": [{"location": "grp", "role": "owner"}, {"location": "p1", "role": "owner", "registration_number": "1"}]}`), `user "jane": assignment at "p1": registration_number belongs to the assignment at a practice group`},
	{"access null", janeAssigned(`"location": "grp", "role": "owner", "access": null`), `user "jane": assignment at "grp": access must be an object, not null`},
	{"unknown field of access", janeAssigned(`"location": "grp", "role": "owner", "access": {"until": "x"}`), `user "jane": assignment at "grp": unknown field "access.until"`},
	{"level unknown", janeAssigned(`"location": "grp", "role": "owner", "access": {"level": "total"}`), `user "jane": assignment at "grp": access.level does not exist`},
	{"level null", janeAssigned(`"location": "grp", "role": "owner", "access": {"level": null}`), `user "jane": assignment at "grp": access.level must be text, not null`},
	{"area unknown", janeAssigned(`"location": "grp", "role": "owner", "access": {"areas": {"garden": true}}`), `user "jane": assignment at "grp": "access.areas.garden" does not exist`},
	{"area text", janeAssigned(`"location": "grp", "role": "owner", "access": {"areas": {"users": "yes"}}`), `user "jane": assignment at "grp": access.areas.users must be true or false, not text`},
	{"area twice", janeAssigned(`"location": "grp", "role": "owner", "access": {"areas": {"users": true, "users": false}}`), `user "jane": assignment at "grp": access.areas.users is there twice`},
	{"areas a list", janeAssigned(`"location": "grp", "role": "owner", "access": {"areas": ["users"]}`), `user "jane": assignment at "grp": access.areas must be an object, not a list`},
	{"profession a number", janeAssigned(`"location": "grp", "role": "owner", "profession": 4`), `user "jane": assignment at "grp": profession must be text, not a number`},
	{"unknown field", janeAssigned(`"location": "e1", "role": "user", "since": "2024"`), `user "jane": assignment at "e1": unknown field "since"`},
	{"no object", fixture.WithUsers(`{"id": "jane", "assignments": ["e1"]}`), `user "jane": assignments[0]: must be an object, not text`},
}

var documentFaults = []faultCase{
	{"a list", `[]`, `the document must be an object, not a list`},
	{"locations missing", `{"users": []}`, `locations is missing`},
	{"users missing", `{"locations": []}`, `users is missing`},
	{"unknown field", `{"locations": [], "users": [], "version": {"a": [1]}}`, `unknown field "version"`},
	{"a list twice", `{"locations": [], "users": [], "users": []}`, `"users" is there twice`},
	{"users null", `{"locations": [], "users": null}`, `users must be a list, not null`},
	{"locations an object", `{"locations": {"a": {}}, "users": []}`, `locations must be a list, not an object`},
}

// The documents are JSON, which is also valid YAML.
func TestEachFaultIsReportedOnceInBothFormats(t *testing.T) {
	for group, cases := range map[string][]faultCase{
		"document": documentFaults, "location": locationFaults, "user": userFaults, "assignment": assignmentFaults,
	} {
		for _, c := range cases {
			for format, f := range map[string]record.Format{"json": record.JSON, "yaml": record.YAML} {
				t.Run(group+"/"+c.name+"/"+format, func(t *testing.T) {
					assert.Equal(t, []string{c.fault}, faultsOf(t, c.document, f))
				})
			}
		}
	}
}

func faultsOf(t *testing.T, document string, f record.Format) []string {
	t.Helper()
	d, err := ParseDocument([]byte(document), f, fixture.Vocabulary(), nil)
	assert.Nil(t, d)
	var faults *record.Faults
	require.ErrorAs(t, err, &faults)
	assert.Equal(t, len(faults.All()), faults.Count())
	return faults.All()
}

func TestCycleOfParentsIsReported(t *testing.T) {
	got := faultsOf(t, withLocations(`
		{"id": "a", "kind": "division", "parent": "c"},
		{"id": "b", "kind": "division", "parent": "a"},
		{"id": "c", "kind": "division", "parent": "b"},
		{"id": "self", "kind": "entity", "parent": "self"},
		{"id": "tail", "kind": "facility", "parent": "a"}`), record.JSON)
	for _, id := range []string{"a", "b", "c", "self"} {
		assert.Contains(t, got, `location "`+id+`": its parents form a cycle`)
	}
	assert.NotContains(t, got, `location "tail": its parents form a cycle`)
	assert.Len(t, got, 8, "for each: a cycle, and a kind that the parent's kind does not allow: %q", got)
}

func TestAllFaultsAreReportedInDocumentOrderWithoutFollowUps(t *testing.T) {
	got := faultsOf(t, `{"users": [
		{"id": "joe", "status": 1, "assignments": [{"location": "x", "role": "nurse"}, {"location": "gone", "role": "user"}]},
		{"username": "a"},
		{"id": "jim", "username": "A", "assignments": [{"location": "bad", "role": "user"}]}],
		"locations": [{"id": "x", "kind": "entity", "model": "health_system", "plan": 1}, {"id": "bad", "kind": "?"}]}`, record.JSON)
	assert.Equal(t, []string{
		`location "x": plan must be text, not a number`,
		`location "bad": kind is not one of region, division, facility, system, entity, group, practice, vendor`,
		`location "bad": a root must have a model`,
		`user "joe": status must be text, not a number`,
		`user "joe": assignment at "x": role is not offered at an entity`,
		`user "joe": assignments[1]: location is unknown`,
		`users[1]: id is missing`,
		`user "jim": username is that of users[1] too`,
	}, got)
}

func TestNilVocabularyIsNotCheckedAndEmptyAllowsNothing(t *testing.T) {
	document := []byte(janeAssigned(`"location": "grp", "role": "king", "access": {"level": "total", "areas": {"garden": true}}`))
	_, err := Parse(document, pdp.Vocabulary{})
	require.NoError(t, err, "a nil vocabulary is not checked")

	_, err = Parse(document, pdp.Vocabulary{Roles: map[string][]string{}, Levels: []string{}, Areas: []string{}})
	var faults *record.Faults
	require.ErrorAs(t, err, &faults)
	assert.Equal(t, 3, faults.Count(), "%v", err)
}
