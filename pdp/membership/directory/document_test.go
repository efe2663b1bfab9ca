package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

const everyoneYAML = `---
locations: # every model
  - {id: metro, name: Metro Region, kind: region, model: regional}
  - {id: north, kind: division, parent: metro}
  - {id: ghi, kind: facility, parent: north}
  - {id: jkl, kind: facility, parent: north}
  - {id: hs, kind: system, model: health_system, plan: paid}
  - {id: e1, kind: entity, parent: hs}
  - {id: alone, kind: entity, model: health_system, plan: free}
  - {id: grp, kind: group, model: practice_group}
  - {id: p1, kind: practice, parent: grp}
  - {id: p2, kind: practice, parent: grp}
  - {id: acme, kind: vendor, model: vendor}
users:
  - id: nobody
  - id: ghi
    username: "Jan\u00e9@Example.org"
    name:
      title: Dr.
      given: Jané
      family: O'Neil
    status: deactivated
    default_location: ghi
    last_login: 2026-02-03T04:05:06.7+02:00
    assignments:
    - location: metro
      role: regional_admin
    - location: north
      role: public_health
      status: active
    - {location: ghi, role: ed_admin}
  - id: sys
    username: ""
    name: {}
    status: active
    default_location: e1
    assignments:
      - {location: hs, role: entity_admin}
      - {location: e1, role: user}
      - {location: alone, role: entity_admin}
  - id: anna
    username: ''
    assignments:
      - location: grp
        role: practitioner
        status: invited
        profession: Dentist
        registration_number: "D 1"
        access:
          level: standard
          areas: {users: true, calendars: false}
      - {location: p1, role: practitioner, status: deactivated}
  - id: otto
    assignments: [{location: p2, role: owner}, {location: grp, role: owner, access: {}}]
  - id: vera
    assignments:
      - {location: acme, role: vendor_staff}
`

func parseDirectory(t testing.TB, document string) *Directory {
	t.Helper()
	d, err := Parse([]byte(document), fixture.Vocabulary())
	require.NoError(t, err)
	return d
}

// recordsOf returns the records of a directory, which are the same for equal directories.
func recordsOf(d *Directory) (locations []facts.LocationRecord, users []facts.UserRecord) {
	for _, l := range d.All {
		locations = append(locations, l.Record())
	}
	for _, u := range d.users {
		users = append(users, u.Record())
	}
	return locations, users
}

func assertSameDirectory(t *testing.T, a, b *Directory) {
	t.Helper()
	locationsA, usersA := recordsOf(a)
	locationsB, usersB := recordsOf(b)
	assert.Equal(t, locationsA, locationsB)
	assert.Equal(t, usersA, usersB)
}

func TestParseReadsEveryModel(t *testing.T) {
	ctx := context.Background()
	d := parseDirectory(t, fixture.WithUsers(fixture.Everyone))
	assert.Equal(t, 11, d.LocationCount())
	assert.Equal(t, 6, d.UserCount())
	assert.Regexp(t, `^[0-9a-f]{12}$`, d.Revision())

	l, err := d.Location(ctx, "ghi")
	require.NoError(t, err)
	assert.Equal(t, "metro", l.Organization())
	assert.Equal(t, "regional", l.Model())
	assert.Equal(t, "north", l.Parent().ID())
	alone, _ := d.Location(ctx, "alone")
	assert.Equal(t, "free", alone.Plan())

	assert.Equal(t, facts.UserRecord{
		ID: "ghi", Username: "Jané@Example.org", Name: facts.Name{Title: "Dr.", Given: "Jané", Family: "O'Neil"},
		Status: "deactivated", DefaultLocation: "ghi", LastLogin: time.Date(2026, 2, 3, 2, 5, 6, 700_000_000, time.UTC),
		Assignments: []facts.AssignmentRecord{
			{Location: "metro", Role: "regional_admin", Status: "active"},
			{Location: "north", Role: "public_health", Status: "active"},
			{Location: "ghi", Role: "ed_admin", Status: "active"},
		},
	}, fixture.UserOf(t, d, "ghi").Record(), "a location and a user may share an id")
	assert.Equal(t, facts.AssignmentRecord{
		Location: "grp", Role: "practitioner", Status: "invited", Profession: "Dentist", RegistrationNumber: "D 1",
		Access: &facts.Access{Level: "standard", Areas: map[string]bool{"users": true, "calendars": false}},
	}, fixture.UserOf(t, d, "anna").Record().Assignments[0])
	assert.True(t, fixture.UserOf(t, d, "nobody").Record().LastLogin.IsZero())

	byName, err := d.UserByUsername(ctx, "JANÉ@EXAMPLE.ORG")
	require.NoError(t, err)
	assert.Same(t, fixture.UserOf(t, d, "ghi"), byName)
	for _, unknown := range []string{"", "ghi", "jané"} {
		u, err := d.UserByUsername(ctx, unknown)
		assert.NoError(t, err)
		assert.Nil(t, u, "no user has username %q", unknown)
	}
	assert.Nil(t, fixture.UserOf(t, d, "NOBODY"), "ids are compared byte by byte")
	unknown, err := d.Location(ctx, "jane")
	assert.NoError(t, err)
	assert.Nil(t, unknown)
}

func TestJSONAndYAMLGiveTheSameDirectory(t *testing.T) {
	splittable := strings.Replace(everyoneYAML, " # every model", "", 1)
	require.Nil(t, splitYAML([]byte(everyoneYAML), blockSize))
	require.NotNil(t, splitYAML([]byte(splittable), blockSize))
	inJSON := parseDirectory(t, fixture.WithUsers(fixture.Everyone))
	assertSameDirectory(t, inJSON, parseDirectory(t, everyoneYAML))
	assertSameDirectory(t, inJSON, parseDirectory(t, splittable))
	asYAML, err := ParseDocument([]byte(fixture.WithUsers(fixture.Everyone)), record.YAML, fixture.Vocabulary(), nil)
	require.NoError(t, err)
	assertSameDirectory(t, inJSON, asYAML)
	assertSameDirectory(t, parseDirectory(t, string(fixture.GenerateDocument(3000, record.JSON))), parseDirectory(t, string(fixture.GenerateDocument(3000, record.YAML))))
}

// JSON has no counterpart of these constructs.
func TestYAMLOnlyConstructsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ access, fault string }{
		"yes":          {`{areas: {users: yes}}`, `access.areas.users must be true or false, not text`},
		"on":           {`{areas: {users: on}}`, `access.areas.users must be true or false, not text`},
		"True":         {`{areas: {users: True}}`, `access.areas.users must be written true or false`},
		"number key":   {`{5: full}`, `access a member's name must be text`},
		"true key":     {`{areas: {true: true}}`, `access.areas a member's name must be text`},
		"object key":   {`{{a: b}: full}`, `access a member's name must be text`},
		"merge":        {`{<<: {level: full}}`, `access a member's name must be text`},
		"tag":          {`{level: !!str full}`, `access.level must be text, not a tag`},
		"own tag":      {`!access {level: full}`, `access must be an object, not a tag`},
		"anchor":       {`{level: &l full}`, `access.level must be text, not an anchor or alias`},
		"no value":     {`{level: }`, `access.level must be text, not null`},
		"tilde":        {`{level: ~}`, `access.level must be text, not null`},
		"octal":        {`{level: 0o7}`, `access.level must be text, not a number`},
		"not a number": {`{level: .nan}`, `access.level must be text, not a number`},
		"date":         {`{level: 2024-01-01}`, `access.level must be text, not a timestamp`},
	} {
		t.Run(name, func(t *testing.T) {
			document := everyoneYAML + "  - id: last\n    assignments:\n      - {location: grp, role: owner, access: " + c.access + "}\n"
			assert.Equal(t, []string{`user "last": assignment at "grp": ` + c.fault}, faultsOf(t, document, record.Auto))
		})
	}
}

func TestUnreadableDocumentIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ document, fault string }{
		"empty":              {"", "the document is empty"},
		"comment":            {"# nothing\n", "the document is empty"},
		"two documents":      {"locations: []\nusers: []\n---\nlocations: []\nusers: []\n", "more follows after the document"},
		"two JSON documents": {`{"locations": [], "users": []} {}`, "more follows after the document"},
		"trailing comma":     {"{\"locations\": [],\n\"users\": [],}", "line 2, column 12: invalid character"},
		"cut off":            {`{"locations": [`, "line 1, column 16: unexpected EOF"},
		"invalid UTF-8":      {"{\"locations\": [{\"id\": \"a\xff\"}], \"users\": []}", "line 1, column 25: invalid UTF-8"},
		"half a character":   {`{"locations": [{"id": "\ud800"}], "users": []}`, ""},
		"UTF-16":             {"\xff\xfel\x00", "the document is not UTF-8"},
		"alias":              {"locations: *jane\nusers: []\n", "anchors and aliases are not accepted"},
		"bad YAML":           {"locations: [\n", "yaml: line 1: did not find expected node content"},
	} {
		t.Run(name, func(t *testing.T) {
			got := faultsOf(t, c.document, record.Auto)
			require.Len(t, got, 1)
			assert.Contains(t, got[0], c.fault)
		})
	}
	deep := `{"locations": [], "users": [{"id": "jane", "name": ` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}]}`
	assert.Equal(t, []string{`user "jane": name must be an object, not a list`}, faultsOf(t, deep, record.JSON))
	deeper := `{"locations": [], "users": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`
	for _, f := range []record.Format{record.JSON, record.YAML} {
		assert.Contains(t, faultsOf(t, deeper, f)[0], "depth")
	}
	bomb := "locations: []\nusers:\n- &a [x]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("- &%c [%s]\n", 'b'+i, strings.Repeat(fmt.Sprintf("*%c,", 'a'+i), 50))
	}
	assert.Contains(t, faultsOf(t, bomb, record.Auto), "users[0]: must be an object, not an anchor or alias")
	assert.Equal(t, []string{"the document is larger than 268435456 bytes"}, faultsOf(t, string(make([]byte, MaxSize+1)), record.JSON))
	long := strings.Repeat("x", facts.MaxID)
	parseDirectory(t, fixture.WithUsers(`{"id": "`+long+`"}`))
	assert.Equal(t, []string{`users[0]: id is longer than 1024 bytes`}, faultsOf(t, fixture.WithUsers(`{"id": "`+long+`x"}`), record.JSON))
}

// Faults are logged, and the log must not contain names or addresses of users.
func TestFaultsContainNoPersonalData(t *testing.T) {
	got := faultsOf(t, fixture.WithUsers(`
		{"id": "a", "username": "Jane.Doe@example.org", "name": {"title": "Dr.", "given": "Jane", "family": "Doe", "family": "Doe"}},
		{"id": "b", "username": "jane.doe@example.org", "name": ["Jane", "Doe"], "status": "x"},
		{"id": "c", "username": ["jane.doe"], "name": {"given": {"Jane": "Doe"}}},
		{"id": "d", "username": "Jane Doe\n"}`), record.JSON)
	assert.Len(t, got, 7, "%q", got)
	for _, text := range got {
		assert.NotContains(t, strings.ToLower(text), "jane")
		assert.NotContains(t, strings.ToLower(text), "doe")
	}
}

// The errors of the parsers quote their input.
func TestSyntaxErrorsDoNotQuoteTheDocument(t *testing.T) {
	for document, fault := range map[string]string{
		`{"users": [{"name": {"family": "\ud800Johnson"}}]}`:     "line 1, column 33: invalid surrogate pair",
		`{"users": [{"name": {"family": "\Johnson"}}]}`:          "line 1, column 33: invalid escape sequence",
		`{"users": [{"name": {"family": "\uJohnson"}}]}`:         "line 1, column 33: invalid escape sequence",
		`{"users": [{"name": {"family": Johnson}}]}`:             "line 1, column 32: invalid character",
		`{"users": [{"name": {"family": nohnson}}]}`:             "line 1, column 33: invalid character",
		`{"users": [{"name": {"family": "a" Johnson}}]}`:         "line 1, column 36: invalid character",
		"{\"users\": [{\"name\": {\"family\": \"Johnson\n\"}}]}": "line 1, column 40: invalid character",
		"users:\n- name: {family: *Johnson}\n":                   "anchors and aliases are not accepted",
		"users:\n- name: &Johnson {family: *Johnson}\n":          "locations is missing",
		"users:\n- name: {family: !Johnson!x Johnson}\n":         "yaml: line 1: found undefined tag handle",
		"users:\n- name: {family: \"\\Johnson\"}\n":              "yaml: line 2: found unknown escape character",
		"users:\n- name: {family: \"Johnson}\n":                  "yaml: line 2: found unexpected end of stream",
		"users:\n- name: {family: Johnson\n":                     "yaml: line 1: did not find expected ',' or '}'",
		"users:\n- name: Johnson: Johnson\n":                     "yaml: line 2: mapping values are not allowed in this context",
		"%Johnson\n---\nusers: []\n":                             "yaml: found unknown directive name",
	} {
		got := faultsOf(t, document, record.Auto)
		require.NotEmpty(t, got)
		assert.Equal(t, fault, got[0], document)
		assert.NotContains(t, strings.ToLower(strings.Join(got, "\n")), "ohnson")
	}
	assert.Equal(t, "not well-formed JSON", record.JSONErrorText(errors.New("`Johnson`")))
}

func TestFaultsDoNotRepeatLongOrOddNames(t *testing.T) {
	long := strings.Repeat("x", 500)
	odd := fixture.WithUsers(`{"id": "jane", "status": "` + long + `", "` + long + `": 1, "` + long + `": 1, "a\nb": 1, "a\nb": 1}`)
	assert.Equal(t, []string{
		`user "jane": status is not one of active, deactivated`,
		`user "jane": unknown field (whose name is no word)`,
		`user "jane": (whose name is no word) is there twice`,
		`user "jane": unknown field (whose name is no word)`,
		`user "jane": (whose name is no word) is there twice`,
	}, faultsOf(t, odd, record.JSON))
}

// Faults are written to logs and responses.
func TestFaultsDoNotQuoteValues(t *testing.T) {
	const secret = "s3cret"
	for _, value := range []string{`"s3cret"`, `"s3cret\u0000"`, `" s3cret"`, `["s3cret"]`, `{"s3cret@example.org": "s3cret"}`, `["s3cret", 1]`, `"` + strings.Repeat(secret, 1000) + `"`} {
		for _, member := range []string{"username", "name", "status", "default_location", "last_login", "assignments", "s3cret@example.org"} {
			document := fixture.WithUsers(`{"id": "jane", "more": 1, "` + member + `": ` + value + `}`)
			assert.NotContains(t, strings.Join(faultsOf(t, document, record.JSON), "\n"), secret, "%s %s", member, value)
		}
		for _, member := range []string{"role", "status", "access", "profession", "registration_number"} {
			document := fixture.WithUsers(`{"id": "jane", "more": 1, "assignments": [{"location": "grp", "role": "owner"}, {"location": "grp", "` + member + `": ` + value + `}]}`)
			assert.NotContains(t, strings.Join(faultsOf(t, document, record.JSON), "\n"), secret, "%s %s", member, value)
		}
		for _, member := range []string{"name", "kind", "parent", "model", "plan"} {
			document := `{"users": [], "locations": [{"id": "x", "more": 1, "` + member + `": ` + value + `}]}`
			assert.NotContains(t, strings.Join(faultsOf(t, document, record.JSON), "\n"), secret, "%s %s", member, value)
		}
		for _, access := range []string{`{"level": ` + value + `}`, `{"areas": ` + value + `}`, `{"areas": {"users": ` + value + `}}`} {
			document := fixture.WithUsers(`{"id": "jane", "more": 1, "assignments": [{"location": "grp", "role": "owner", "access": ` + access + `}]}`)
			assert.NotContains(t, strings.Join(faultsOf(t, document, record.JSON), "\n"), secret, access)
		}
	}
	nowhere := fixture.WithUsers(`{"id": "jane", "more": 1, "default_location": "s3cret", "assignments": [{"location": "s3cret", "role": "owner"}]}`)
	require.NotEmpty(t, faultsOf(t, nowhere, record.JSON))
	assert.NotContains(t, strings.Join(faultsOf(t, nowhere, record.JSON), "\n"), secret)
}

func TestErrorListsAtMost100Faults(t *testing.T) {
	document := fixture.WithUsers(strings.TrimSuffix(strings.Repeat(`{},`, 12_000), ","))
	_, err := Parse([]byte(document), fixture.Vocabulary())
	var faults *record.Faults
	require.ErrorAs(t, err, &faults)
	assert.Equal(t, 12_000, faults.Count())
	assert.Len(t, faults.All(), 10_000)
	lines := strings.Split(err.Error(), "\n")
	assert.Len(t, lines, 102)
	assert.Equal(t, "directory refused, faults: 12000", lines[0])
	assert.Equal(t, "  users[0]: id is missing", lines[1])
	assert.Equal(t, "  and 11900 more", lines[101])
}

func TestReadingInBlocksGivesTheSameDocument(t *testing.T) {
	whole := fixture.GenerateDocument(5000, record.YAML)
	sections := splitYAML(whole, blockSize)
	require.Len(t, sections, 2)
	require.Greater(t, len(sections[1].blocks), 3)
	assert.Equal(t, len(whole), len("locations:\nusers:\n")+len(bytes.Join(append(sections[0].blocks, sections[1].blocks...), nil)))

	for name, document := range map[string]string{
		"dash in a quoted text":   "users:\n" + strings.Repeat("- id: u\n  name: {given: \"\n- id: x\n\"}\n", 1) + "locations: []\n",
		"dash in a literal":       "locations:\n- id: a\n  name: |\n   - id: b\nusers:\n- id: x\n",
		"compact lists":           "locations:\n- - a\nusers:\n- - b\n  - c\n",
		"section in quotes":       "locations:\n- \"\nusers:\n- \"\n",
		"other column":            "locations:\n  - id: a\n - id: b\nusers:\n- id: x\n",
		"item as key":             "locations:\n- ? - a\n  : b\nusers:\n- id: x\n",
		"CRLF":                    "locations:\r\n- id: a\r\n  kind: region\r\n  model: regional\r\nusers:\r\n- id: x\r\n",
		"anchor between sections": "locations:\n- &a {id: a}\nusers:\n- *a\n",
		"document end":            "locations:\n- id: a\nusers:\n- id: x\n...\n",
	} {
		t.Run(name, func(t *testing.T) { assertBlocksAgree(t, []byte(document)) })
	}
	assertBlocksAgree(t, whole)
	// A block boundary falls into a quoted text. The whole document must be read instead, and each fault reported once.
	quoted := "- id: u\n  name: {given: \"" + strings.Repeat("\n- id: x", blockSize/4) + "\"}\n"
	got := faultsOf(t, "locations:\n- {id: a, kind: region, model: regional, beds: 5}\nusers:\n"+quoted, record.YAML)
	assert.Equal(t, []string{`location "a": unknown field "beds"`}, got)
}

// assertBlocksAgree reads a document in the smallest possible blocks and as a whole, and compares. It passes a document that
// cannot be split.
func assertBlocksAgree(t *testing.T, document []byte) {
	t.Helper()
	sections := splitYAML(document, 1)
	if sections == nil {
		return
	}
	read := func(in record.Tokenizer) (*record.Document, []string, error) {
		faults := &record.Faults{}
		d, err := record.ReadDocument(in, fixture.Vocabulary(), faults)
		return d, faults.All(), err
	}
	inBlocks, blockFaults, err := read(&yamlBlocks{sections: sections})
	if err != nil {
		require.ErrorIs(t, err, errNotInBlocks)
		return
	}
	tokens, err := newYAMLTokens(document)
	require.NoError(t, err)
	whole, wholeFaults, err := read(tokens)
	require.NoError(t, err)
	assert.Equal(t, whole, inBlocks)
	assert.Equal(t, wholeFaults, blockFaults)
}
