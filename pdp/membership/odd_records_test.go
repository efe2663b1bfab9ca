package membership_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// oddRecord is an unusual record of user jane, and the result that every source must return for it.
type oddRecord struct {
	name string
	// json is the record in a document, in JSON and, unless yaml is set, also in YAML. If both are empty, no document can
	// contain the record.
	json, yaml string
	// user and assignment are the SQL of columns that differ from janeInColumns. If both are nil, no table can contain the
	// record.
	user, assignment oddColumns
	// fault is part of the error of every source, or "unreadable" if the whole record cannot be read. If it is empty, the
	// record is valid and equals want.
	fault string
	want  string // "" means jane
}

type oddColumns map[string]string

const jane = `{"id": "jane", "default_location": "ghi", "assignments": [{"location": "ghi", "role": "ed_normal"}]}`

// janeWith returns jane with more members.
func janeWith(members string) string {
	return `{"id": "jane", ` + members + `, "default_location": "ghi", "assignments": [{"location": "ghi", "role": "ed_normal"}]}`
}

func janeAt(assignment string) string {
	return `{"id": "jane", "default_location": "ghi", "assignments": [{"location": "ghi", ` + assignment + `}]}`
}

// janeInGroup returns jane as a member of a practice group.
func janeInGroup(members string) string {
	return `{"id": "jane", "assignments": [{"location": "grp", "role": "owner"` + members + `}]}`
}

var janeInColumns = map[string]oddColumns{
	"users": {
		"id": `'jane'`, "username": "NULL::text", "title": "NULL::text", "given": "NULL::text", "family": "NULL::text",
		"status": `'active'`, "default_location": `'ghi'`, "last_login": "NULL::timestamptz",
	},
	"roles": {
		"user_id": `'jane'`, "location": `'ghi'`, "role": `'ed_normal'`, "status": `'active'`, "access": "NULL::jsonb",
		"profession": "NULL::text", "registration_number": "NULL::text",
	},
}

// inGroup returns the columns of an assignment at the practice group.
func inGroup(more oddColumns) oddColumns {
	c := oddColumns{"location": `'grp'`, "role": `'owner'`}
	maps.Copy(c, more)
	return c
}

var noDefault = oddColumns{"default_location": "NULL::text"}

func access(sql string) oddColumns { return inGroup(oddColumns{"access": sql}) }

var oddRecords = []oddRecord{
	{name: "nothing odd", json: jane, user: oddColumns{}},
	// Absent and null values.
	{name: "status null", json: janeWith(`"status": null`), user: oddColumns{"status": "NULL::text"}, fault: "status"},
	{name: "status of an assignment null", json: janeAt(`"role": "ed_normal", "status": null`), assignment: oddColumns{"status": "NULL::text"}, fault: "status"},
	{name: "username null", json: janeWith(`"username": null`), fault: "username"},
	{name: "username absent", json: jane, user: oddColumns{"username": "NULL::text"}},
	{name: "name null", json: janeWith(`"name": null`), fault: "name"},
	{name: "given name null", json: janeWith(`"name": {"given": null}`), fault: "name.given"},
	{name: "last login null", json: janeWith(`"last_login": null`), fault: "last_login"},
	{name: "default location null", json: `{"id": "jane", "default_location": null, "assignments": [{"location": "ghi", "role": "ed_normal"}]}`, user: noDefault, fault: "default_location"},
	{name: "role null", json: janeAt(`"role": null`), assignment: oddColumns{"role": "NULL::text"}, fault: "role"},
	{name: "location null", json: `{"id": "jane", "assignments": [{"location": null, "role": "owner"}]}`, fault: "location"},
	{name: "access null", json: janeInGroup(`, "access": null`), user: noDefault, assignment: access(`'null'::jsonb`), fault: "access"},
	{name: "access absent", json: janeInGroup(``), user: noDefault, assignment: access(`NULL::jsonb`), want: janeInGroup(``)},
	{name: "access of nothing", json: janeInGroup(`, "access": {}`), user: noDefault, assignment: access(`'{}'::jsonb`), want: janeInGroup(`, "access": {}`)},
	{name: "level null", json: janeInGroup(`, "access": {"level": null}`), user: noDefault, assignment: access(`'{"level": null}'::jsonb`), fault: "access.level"},
	{name: "areas null", json: janeInGroup(`, "access": {"areas": null}`), user: noDefault, assignment: access(`'{"areas": null}'::jsonb`), fault: "access.areas"},
	{name: "an area null", json: janeInGroup(`, "access": {"areas": {"users": null}}`), user: noDefault, assignment: access(`'{"areas": {"users": null}}'::jsonb`), fault: "access.areas.users"},
	// Empty and blank values.
	{name: "status empty", json: janeWith(`"status": ""`), user: oddColumns{"status": `''`}, fault: "status"},
	{name: "status blank", json: janeWith(`"status": "active "`), user: oddColumns{"status": `'active '`}, fault: "status"},
	{name: "status in capitals", json: janeWith(`"status": "Active"`), user: oddColumns{"status": `'Active'`}, fault: "status"},
	{name: "username empty", json: janeWith(`"username": ""`), user: oddColumns{"username": `''`}},
	{name: "username blank", json: janeWith(`"username": " "`), user: oddColumns{"username": `' '`}, fault: "username"},
	{name: "username with a blank before", json: janeWith(`"username": "\u00a0a"`), user: oddColumns{"username": `U&'\00a0a'`}, fault: "username"},
	{name: "username with a blank behind", json: janeWith(`"username": "a\u3000"`), user: oddColumns{"username": `U&'a\3000'`}, fault: "username"},
	{name: "default location empty", json: `{"id": "jane", "default_location": "", "assignments": [{"location": "ghi", "role": "ed_normal"}]}`, user: oddColumns{"default_location": `''`}, fault: "default_location"},
	{name: "default location blank", json: `{"id": "jane", "default_location": "ghi ", "assignments": [{"location": "ghi", "role": "ed_normal"}]}`, user: oddColumns{"default_location": `'ghi '`}, fault: "default_location"},
	{name: "role empty", json: janeAt(`"role": ""`), assignment: oddColumns{"role": `''`}, fault: "role"},
	{name: "role blank", json: janeAt(`"role": "ed_normal "`), assignment: oddColumns{"role": `'ed_normal '`}, fault: "role"},
	{name: "level empty", json: janeInGroup(`, "access": {"level": ""}`), user: noDefault, assignment: access(`'{"level": ""}'::jsonb`), fault: "access.level"},
	{name: "profession blank", json: janeInGroup(`, "profession": " "`), user: noDefault, assignment: inGroup(oddColumns{"profession": `' '`}), want: janeInGroup(`, "profession": " "`)},
	{name: "profession elsewhere, if empty", json: janeAt(`"role": "ed_normal", "profession": ""`), assignment: oddColumns{"profession": `''`}, fault: "profession"},
	{name: "last login empty", json: janeWith(`"last_login": ""`), fault: "last_login"},
	// Wrong types. A numeric column is read as text, because many ids are numbers.
	{name: "status true", json: janeWith(`"status": true`), user: oddColumns{"status": "true"}, fault: "status"},
	{name: "status a number", json: janeWith(`"status": 1`), user: oddColumns{"status": "1"}, fault: "status"},
	{name: "role a list", json: janeAt(`"role": ["ed_normal"]`), assignment: oddColumns{"role": `ARRAY['ed_normal']`}, fault: "role"},
	{name: "profession a number", json: janeInGroup(`, "profession": 4`), fault: "profession"},
	{name: "access text", json: janeInGroup(`, "access": "full"`), user: noDefault, assignment: access(`'"full"'::jsonb`), fault: "access"},
	{name: "access text that is an object", json: janeInGroup(`, "access": "{}"`), user: noDefault, assignment: access(`'{}'::text`), fault: "access"},
	{name: "level a number", json: janeInGroup(`, "access": {"level": 1e400}`), user: noDefault, assignment: access(`'{"level": 1e400}'::jsonb`), fault: "access.level"},
	{name: "area text", json: janeInGroup(`, "access": {"areas": {"users": "true"}}`), user: noDefault, assignment: access(`'{"areas": {"users": "true"}}'::jsonb`), fault: "access.areas.users"},
	{name: "area 1", json: janeInGroup(`, "access": {"areas": {"users": 1}}`), user: noDefault, assignment: access(`'{"areas": {"users": 1}}'::jsonb`), fault: "access.areas.users"},
	{name: "areas a list", json: janeInGroup(`, "access": {"areas": ["users"]}`), user: noDefault, assignment: access(`'{"areas": ["users"]}'::jsonb`), fault: "access.areas"},
	{name: "last login a number", json: janeWith(`"last_login": 1714521600`), user: oddColumns{"last_login": "1714521600"}, fault: "last_login"},
	{name: "last login a huge number", json: janeWith(`"last_login": 1` + strings.Repeat("0", 400)), user: oddColumns{"last_login": "1e400::numeric"}, fault: "last_login"},
	{name: "nested beyond measure", json: janeInGroup(`, "access": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200)), user: noDefault, assignment: access(`repeat('[', 200)::text || repeat(']', 200)`), fault: "access"},
	// Duplicate and unknown members.
	{name: "status twice", json: janeWith(`"status": "deactivated", "status": "active"`), fault: "status"},
	{name: "areas twice", json: janeInGroup(`, "access": {"areas": {}, "areas": {"users": true}}`), user: noDefault, assignment: access(`'{"areas": {}, "areas": {"users": true}}'::json`), fault: "access.areas"},
	{name: "an area twice", json: janeInGroup(`, "access": {"areas": {"users": false, "users": true}}`), user: noDefault, assignment: access(`'{"areas": {"users": false, "users": true}}'::json`), fault: "access.areas.users"},
	{name: "unknown area", json: janeInGroup(`, "access": {"areas": {"garden": true}}`), user: noDefault, assignment: access(`'{"areas": {"garden": true}}'::jsonb`), fault: "garden"},
	{name: "unknown member of access", json: janeInGroup(`, "access": {"until": "x"}`), user: noDefault, assignment: access(`'{"until": "x"}'::jsonb`), fault: "access.until"},
	{name: "unknown member", json: janeWith(`"email": "x"`), fault: "email"},
	{name: "member in capitals", json: janeWith(`"Status": "deactivated"`), fault: "Status"},
	{name: "unknown location", json: `{"id": "jane", "assignments": [{"location": "GHI", "role": "ed_normal"}]}`, user: noDefault, assignment: oddColumns{"location": `'GHI'`}, fault: "location is unknown"},
	// Times.
	{name: "time", json: janeWith(`"last_login": "2024-05-01T10:00:00Z"`), user: oddColumns{"last_login": `'2024-05-01T12:00:00+02'::timestamptz`}, want: janeWith(`"last_login": "2024-05-01T10:00:00Z"`)},
	{name: "time in small letters", json: janeWith(`"last_login": "2024-05-01t10:00:00z"`), want: janeWith(`"last_login": "2024-05-01T10:00:00Z"`)},
	{name: "time with a fraction", json: janeWith(`"last_login": "2024-05-01T10:00:00.000001Z"`), user: oddColumns{"last_login": `'2024-05-01T10:00:00.000001Z'::timestamptz`}, want: janeWith(`"last_login": "2024-05-01T10:00:00.000001Z"`)},
	{name: "time of a leap second", json: janeWith(`"last_login": "2016-12-31T23:59:60Z"`), user: oddColumns{"last_login": `'2016-12-31T23:59:60Z'::timestamptz`}, want: janeWith(`"last_login": "2017-01-01T00:00:00Z"`)},
	{name: "time long ago", json: janeWith(`"last_login": "1850-01-01T00:00:00Z"`), user: oddColumns{"last_login": `'1850-01-01T00:00:00Z'::timestamptz`}, want: janeWith(`"last_login": "1850-01-01T00:00:00Z"`)},
	{name: "time without a zone", json: janeWith(`"last_login": "2024-05-01T10:00:00"`), user: oddColumns{"last_login": `'2024-05-01T10:00:00'::timestamp`}, fault: "last_login"},
	{name: "date", json: janeWith(`"last_login": "2024-05-01"`), user: oddColumns{"last_login": `'2024-05-01'::date`}, fault: "last_login"},
	{name: "time of day 24", json: janeWith(`"last_login": "2024-05-01T24:00:00Z"`), fault: "last_login"},
	{name: "offset of a day", json: janeWith(`"last_login": "2024-05-01T10:00:00+24:00"`), fault: "last_login"},
	{name: "time with a blank", json: janeWith(`"last_login": "2024-05-01 10:00:00Z"`), fault: "last_login"},
	{name: "time without end", json: janeWith(`"last_login": "infinity"`), user: oddColumns{"last_login": `'infinity'::timestamptz`}, fault: "last_login"},
	{name: "time before year 1", json: janeWith(`"last_login": "-0044-03-15T10:00:00Z"`), user: oddColumns{"last_login": `'0044-03-15 10:00:00Z BC'::timestamptz`}, fault: "last_login"},
	{name: "time of year 10000", json: janeWith(`"last_login": "10000-01-01T00:00:00Z"`), user: oddColumns{"last_login": `'10000-01-01 00:00:00Z'::timestamptz`}, fault: "last_login"},
	{name: "time as text", json: janeWith(`"last_login": "yesterday"`), user: oddColumns{"last_login": `'yesterday'::text`}, fault: "last_login"},
	// Characters.
	{name: "role with a control character", json: janeAt(`"role": "ed\tnormal"`), assignment: oddColumns{"role": `E'ed\tnormal'`}, fault: "role"},
	{name: "role with NUL", json: janeAt(`"role": "ed\u0000normal"`), fault: "role"},
	{name: "level NUL", json: janeInGroup(`, "access": {"level": "\u0000"}`), user: noDefault, assignment: access(`'{"level": "\u0000"}'::json`), fault: "access.level"},
	{name: "username with a control character", json: janeWith(`"username": "a\u0085b"`), user: oddColumns{"username": `U&'a\0085b'`}, fault: "username"},
	{name: "username with a zero-width joiner", json: janeWith(`"username": "a\u200db"`), user: oddColumns{"username": `U&'a\200db'`}, fault: "username"},
	{name: "username with a filler", json: janeWith(`"username": "a\u3164"`), user: oddColumns{"username": `U&'a\3164'`}, fault: "username"},
	{name: "username in parts", json: janeWith(`"username": "jose\u0301"`), user: oddColumns{"username": `U&'jose\0301'`}, want: janeWith(`"username": "jose\u0301"`)},
	{name: "username too long", json: janeWith(`"username": "` + strings.Repeat("x", 1025) + `"`), user: oddColumns{"username": `repeat('x', 1025)`}, fault: "username"},
	{name: "half a surrogate pair", json: janeInGroup(`, "access": {"level": "\ud800"}`), user: noDefault, assignment: access(`'{"level": "\ud800"}'::json`), fault: "unreadable"},
	{name: "no UTF-8", json: janeWith("\"name\": {\"given\": \"\xff\"}"), fault: "unreadable"},
	// Syntax that only YAML has.
	{name: "YAML: null", yaml: janeWith(`status: ~`), fault: "status"},
	{name: "YAML: nothing", yaml: janeWith(`status: `), fault: "status"},
	{name: "YAML: yes", yaml: janeInGroup(`, "access": {"areas": {users: yes}}`), fault: "access.areas.users"},
	{name: "YAML: True", yaml: janeInGroup(`, "access": {"areas": {users: True}}`), fault: "access.areas.users"},
	{name: "YAML: anchor", yaml: janeWith(`"username": &a jane`), fault: "username"},
	{name: "YAML: alias", yaml: janeWith(`"name": {"given": &a Jane, "family": *a}`), fault: "name"},
	{name: "YAML: merge key", yaml: janeWith(`<<: {"status": "deactivated"}`), fault: "member's name"},
	{name: "YAML: tag", yaml: janeWith(`"status": !!str active`), fault: "status"},
	{name: "YAML: two names of one member", yaml: janeWith(`status: deactivated, "status": active`), fault: "status"},
	{name: "YAML: time", yaml: janeWith(`last_login: 2024-05-01T10:00:00Z`), want: janeWith(`"last_login": "2024-05-01T10:00:00Z"`)},
	{name: "YAML: time without a zone", yaml: janeWith(`last_login: 2024-05-01T10:00:00`), fault: "last_login"},
	{name: "YAML: time with a blank", yaml: janeWith(`last_login: 2024-05-01 10:00:00`), fault: "last_login"},
	{name: "YAML: date", yaml: janeWith(`last_login: 2024-05-01`), fault: "last_login"},
	{name: "YAML: name a date", yaml: janeWith(`name: {"given": 2024-05-01}`), fault: "name.given"},
	{name: "YAML: number", yaml: janeWith(`username: 007`), fault: "username"},
}

func TestOddRecordsMeanTheSameFromEverySource(t *testing.T) {
	server := servertest.StartPostgres(t)
	url := server.Database()
	conn := servertest.Connect(t, url)
	servertest.Exec(t, conn, pgorigin.Schema)
	d := origintest.ParseDirectory(t, fixture.WithUsers(``))
	require.NoError(t, pgorigin.Import(context.Background(), pgorigin.Target{URL: url}, d, nil))
	for _, c := range oddRecords {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = jane
			}
			check := func(source string, got *facts.UserRecord, err error) {
				t.Helper()
				switch {
				case c.fault == "unreadable":
					assert.Error(t, err, source)
				case c.fault != "":
					assert.ErrorContains(t, err, c.fault, source)
				case assert.NoError(t, err, source):
					all := origintest.ParseDirectory(t, fixture.WithUsers(want)).AllUsers()[0].Record()
					assert.True(t, record.SameUser(origintest.SortAssignments(all), origintest.SortAssignments(*got)), "%s: want %+v, got %+v", source, all, got)
				}
			}
			if c.json != "" {
				got, err := inDocument(fixture.WithUsers(c.json), record.JSON)
				check("JSON", got, err)
				got, err = overHTTP(t, c.json)
				check("HTTP", got, err)
				got, err = inRedis(c.json, d)
				check("Redis", got, err)
			}
			if yaml := c.yaml + c.json; yaml != "" {
				locations, err := json.Marshal(json.RawMessage("[" + fixture.Tree + "]"))
				require.NoError(t, err)
				for _, layout := range []string{"locations: %s\nusers:\n- %s\n", "users: [%[2]s]\nlocations: %[1]s\n"} {
					got, err := inDocument(fmt.Sprintf(layout, locations, yaml), record.YAML)
					check("YAML", got, err)
				}
			}
			if c.user != nil || c.assignment != nil {
				servertest.Exec(t, conn, "DROP VIEW IF EXISTS people, roles")
				for view, odd := range map[string]oddColumns{"users": c.user, "roles": c.assignment} {
					row := maps.Clone(janeInColumns[view])
					maps.Copy(row, odd)
					var selected []string
					for name, sql := range row {
						selected = append(selected, sql+" AS "+name)
					}
					servertest.Exec(t, conn, "CREATE VIEW "+map[string]string{"users": "people", "roles": "roles"}[view]+" AS SELECT "+strings.Join(selected, ", "))
				}
				got, err := throughCache(t, pgOrigin(t, pgorigin.Config{URL: url, Tables: pgorigin.Tables{Users: "people", Assignments: "roles"}}))
				check("PostgreSQL", got, err)
			}
		})
	}
}

func inDocument(document string, f record.Format) (*facts.UserRecord, error) {
	d, err := directory.ParseDocument([]byte(document), f, fixture.Vocabulary(), nil)
	if err != nil {
		return nil, err
	}
	rec := d.AllUsers()[0].Record()
	return &rec, nil
}

func overHTTP(t *testing.T, rec string) (*facts.UserRecord, error) {
	a := origintest.NewApplication(t, fixture.WithUsers(``))
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/users/by-id" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"user": ` + rec + `, "version": 1}`))
		return true
	})
	return throughCache(t, httpOrigin(t, a, a.Serve().URL))
}

func throughCache(t *testing.T, o membership.Origin) (*facts.UserRecord, error) {
	c, err := cache.Open(cache.Config{Origin: struct{ membership.Origin }{o}, Vocabulary: fixture.Vocabulary(), FetchTimeout: fixture.Timeout, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	u, err := origintest.ViewOf(t, c).User(context.Background(), "jane")
	if err != nil {
		return nil, err
	}
	require.NotNil(t, u)
	rec := u.Record()
	return &rec, nil
}

// inRedis validates a record as a sidecar does when it reads a forged record from Redis.
func inRedis(rec string, d *directory.Directory) (*facts.UserRecord, error) {
	j := record.NewValidator(fixture.Vocabulary())
	u, faults, err := j.User(j.Tokens([]byte(rec)))
	if err != nil {
		return nil, err
	}
	organizations := map[string][]record.Location{}
	for _, l := range d.AllLocations() {
		organizations[l.Organization()] = append(organizations[l.Organization()], record.Location{LocationRecord: l.Record()})
	}
	trees := map[string]*record.Tree{}
	for root, locations := range organizations {
		if trees[root], err = j.Tree(locations, &record.Faults{}, 1, nil); err != nil {
			return nil, err
		}
	}
	user, err := j.Join(u, faults, 1, func(location string) *record.Tree {
		if l := d.ByID(location); l != nil {
			return trees[l.Organization()]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Reading the encoding of a user must return the same user.
	again, faults, err := j.User(j.Tokens(record.EncodeUser(nil, u)))
	if err != nil || faults.Count() > 0 || !record.SameUser(again.UserRecord, u.UserRecord) {
		return nil, fmt.Errorf("%+v is read back as %+v: %w", u, again, err)
	}
	joinedRecord := user.Record()
	return &joinedRecord, nil
}
