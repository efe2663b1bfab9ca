package pgorigin

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// openOrigin opens an origin until the end of the test. Its timeout, and the silence after which it considers a
// connection lost, are so long that a busy machine does not exceed them.
func openOrigin(t testing.TB, cfg Config) *Origin {
	t.Helper()
	cfg.Silence = fixture.Timeout
	if cfg.Timeout == 0 {
		cfg.Timeout = fixture.Timeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p, err := Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// filledOrigin returns an origin with a new database that contains the directory d, and a connection to the database.
func filledOrigin(t testing.TB, server *servertest.Postgres, d *directory.Directory) (*Origin, *pgx.Conn) {
	t.Helper()
	url := server.Database()
	require.NoError(t, Import(context.Background(), Target{URL: url, Schema: true}, d, nil))
	return openOrigin(t, Config{URL: url, Listen: DefaultChannel}), servertest.Connect(t, url)
}

// readDirectory returns the directory made up of all records of an origin. It is validated like any other directory.
func readDirectory(t testing.TB, o membership.Origin) *directory.Directory {
	t.Helper()
	ctx := context.Background()
	document := map[string][]json.RawMessage{"locations": {}, "users": {}}
	for _, tree := range snapshot(t, o).trees {
		require.NotZero(t, tree.Version)
		var all []json.RawMessage
		require.NoError(t, json.Unmarshal(tree.Record, &all))
		document["locations"] = append(document["locations"], all...)
	}
	page, err := o.Users(ctx, facts.UserQuery{Limit: 1 << 20})
	require.NoError(t, err)
	require.False(t, page.More)
	for _, u := range page.Users {
		require.NotZero(t, u.Version)
		document["users"] = append(document["users"], u.Record)
	}
	text, err := json.Marshal(document)
	require.NoError(t, err)
	return origintest.ParseDirectory(t, string(text))
}

// assertSameFacts ignores the order of assignments.
func assertSameFacts(t *testing.T, want, got *directory.Directory) {
	t.Helper()
	wantLocations, wantUsers := origintest.Records(want)
	gotLocations, gotUsers := origintest.Records(got)
	assert.Equal(t, wantLocations, gotLocations)
	require.Equal(t, origintest.UserIDs(want.AllUsers()), origintest.UserIDs(got.AllUsers()))
	for i := range wantUsers {
		for _, u := range []*facts.UserRecord{&wantUsers[i], &gotUsers[i]} {
			u.Assignments = slices.SortedFunc(slices.Values(u.Assignments), func(a, b facts.AssignmentRecord) int {
				return strings.Compare(a.Location, b.Location)
			})
		}
		assert.True(t, record.SameUser(wantUsers[i], gotUsers[i]), "want %+v, got %+v", wantUsers[i], gotUsers[i])
	}
}

func TestOrigin(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, test := range map[string]func(*testing.T, *servertest.Postgres){
		"records":                   postgresRecords,
		"nobody and nowhere":        postgresUnknown,
		"views":                     postgresViews,
		"views without versions":    postgresVersionless,
		"faults of the tables":      postgresFaults,
		"records beyond the bounds": postgresBounds,
		"many organizations":        postgresManyOrganizations,
		"case":                      postgresFold,
		"composition":               postgresComposition,
		"errors":                    postgresErrors,
		"schema twice":              postgresSchemaTwice,
		"pages":                     postgresPages,
		"who can be a hit":          postgresOnly,
		"plans of lists":            postgresListPlans,
		"lists that take long":      postgresListsWait,
		"cursors":                   postgresCursors,
		"writes":                    postgresWrites,
		"one who writes late":       postgresLateWriter,
		"many who write":            postgresManyWriters,
		"changed locations":         postgresBranches,
		"locations of many writers": postgresBranchesOfManyWriters,
		"one changed location":      postgresBranchesOfOne,
		"a location told twice":     postgresBranchesTwice,
		"told locations":            postgresToldLocations,
		"import":                    postgresImport,
		"import of anything":        postgresImportBetween,
		"import that cannot be":     postgresImportRefused,
		"silence":                   postgresSilence,
		"constraints":               postgresConstraints,
		"guards":                    postgresGuards,
		"guards' administrators":    postgresAdministrators,
		"guards of racing changes":  postgresGuardsRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

func postgresRecords(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	d := origintest.MixedDirectory(t, 3, 200)
	p, conn := filledOrigin(t, server, d)
	assertSameFacts(t, d, readDirectory(t, p))

	for _, u := range d.AllUsers() {
		found, err := p.User(ctx, u.ID())
		require.NoError(t, err)
		assert.Contains(t, string(found.Record), `"id": "`+u.ID()+`"`)
		name := u.Record().Username
		if name == "" {
			continue
		}
		for _, any := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
			byName, err := p.UserByUsername(ctx, any)
			require.NoError(t, err)
			assert.Equal(t, []membership.RawRecord{*found}, byName, any)
		}
	}
	var listed []string
	for after := ""; ; after = listed[len(listed)-1] {
		some, err := p.Locations(ctx, after, 3)
		require.NoError(t, err)
		if listed = append(listed, some...); len(some) < 3 {
			break
		}
	}
	assert.Equal(t, []string{"acme", "alone", "e1", "ghi", "grp", "hs", "jkl", "metro", "north", "p1", "p2"}, listed)
	root, err := p.Organization(ctx, "metro")
	require.NoError(t, err)
	leaf, err := p.Organization(ctx, "ghi")
	require.NoError(t, err)
	assert.Equal(t, root, leaf)

	// A null in access must reach validation, which refuses it. An empty text does not count as absent.
	servertest.Exec(t, conn, `UPDATE assignments SET access = '{"level": null}', profession = '' WHERE location = 'grp'`)
	page, err := p.Users(ctx, facts.UserQuery{Beneath: "grp", Limit: 1})
	require.NoError(t, err)
	assert.Contains(t, string(page.Users[0].Record), `"access": {"level": null}`)
	assert.Contains(t, string(page.Users[0].Record), `"profession": ""`)
	require.NoError(t, p.Check(ctx))
}

func postgresUnknown(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, _ := filledOrigin(t, server, origintest.MixedDirectory(t, 3, 20))
	for _, id := range []string{"", "nobody", "a\x00b", "a\nb", "\xff", strings.Repeat("a", facts.MaxID+1), "' OR true --"} {
		u, err := p.User(ctx, id)
		require.NoError(t, err, "%q", id)
		assert.Nil(t, u)
		named, err := p.UserByUsername(ctx, id)
		require.NoError(t, err, "%q", id)
		assert.Empty(t, named)
		tree, err := p.Organization(ctx, id)
		require.NoError(t, err, "%q", id)
		assert.Nil(t, tree)
		if id != "" {
			page, err := p.Users(ctx, facts.UserQuery{Beneath: id})
			require.NoError(t, err, "%q", id)
			assert.Empty(t, page.Users)
		}
		page, err := p.Users(ctx, facts.UserQuery{After: facts.Cursor{ID: id, First: "A"}, Limit: 1})
		require.NoError(t, err, "%q", id)
		assert.Len(t, page.Users, 1)
	}
	for _, text := range []string{"a\x00b", "\xff"} {
		page, err := p.Users(ctx, facts.UserQuery{Text: text})
		require.NoError(t, err)
		assert.Empty(t, page.Users)
	}
	_, err := p.Users(ctx, facts.UserQuery{Sort: "age"})
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
}

// The views are in a separate schema, with columns of other types and names that need quotes.
func postgresViews(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 4, 60)
	p, conn := filledOrigin(t, server, d)
	servertest.Exec(t, conn, `CREATE SCHEMA "Org-1"; CREATE TYPE status AS ENUM ('active', 'deactivated', 'invited');
		CREATE VIEW "Org-1"."select" AS SELECT id::varchar, username::varchar(200), title, given, family, status::status, default_location, last_login, version::int FROM users;
		CREATE VIEW "Org-1".roles AS SELECT user_id::varchar, location, role::name, status::status, access::json, profession, registration_number FROM assignments;
		CREATE VIEW "Org-1"."Places" AS SELECT * FROM locations`)
	views := openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Users: "Org-1.select", Assignments: "Org-1.roles", Locations: "Org-1.Places"}})
	assertSameFacts(t, d, readDirectory(t, views))
	require.NoError(t, views.Check(context.Background()))
}

func postgresVersionless(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, conn := filledOrigin(t, server, origintest.MixedDirectory(t, 4, 20))
	servertest.Exec(t, conn, `CREATE VIEW people AS SELECT id, username, title, given, family, status, default_location, last_login FROM users;
		CREATE VIEW places AS SELECT id, name, kind, parent, model, plan FROM locations`)
	views := openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Users: "people", Locations: "places"}})
	page, err := views.Users(ctx, facts.UserQuery{Limit: 1})
	require.NoError(t, err)
	assert.Zero(t, page.Users[0].Version)
	tree, err := views.Organization(ctx, "ghi")
	require.NoError(t, err)
	assert.Zero(t, tree.Version)
	assert.NotEmpty(t, tree.Record)

	// The version column can be added and removed while the origin is open.
	with := openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Users: "persons"}})
	servertest.Exec(t, conn, `CREATE VIEW persons AS SELECT * FROM users`)
	page, err = with.Users(ctx, facts.UserQuery{Limit: 1})
	require.NoError(t, err)
	assert.NotZero(t, page.Users[0].Version)
	servertest.Exec(t, conn, `DROP VIEW persons; CREATE VIEW persons AS SELECT * FROM people`)
	page, err = with.Users(ctx, facts.UserQuery{Limit: 1})
	require.NoError(t, err)
	assert.Zero(t, page.Users[0].Version)
}

// A view can contain what the shipped tables cannot. The result must be a record that is refused, or an error, and the
// query must end.
func postgresFaults(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, conn := filledOrigin(t, server, origintest.MixedDirectory(t, 4, 20))
	servertest.Exec(t, conn, `CREATE VIEW places AS SELECT * FROM locations WHERE id <> 'north' UNION ALL SELECT 'north', 'N', 'division', 'ghi', NULL, NULL, 5
			UNION ALL SELECT 'lost', 'Lost', 'facility', 'nowhere', NULL, NULL, 5;
		CREATE VIEW people AS SELECT * FROM users UNION ALL SELECT * FROM users;
		CREATE VIEW negative AS SELECT id, username, title, given, family, status, default_location, last_login, -1 AS version FROM users`)
	views := openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Users: "people", Locations: "places"}})
	for id, fault := range map[string]string{"ghi": `location "ghi": its parents form a cycle`, "lost": `location "lost": parent is unknown`} {
		tree, err := views.Organization(ctx, id)
		require.NoError(t, err)
		_, err = directory.Parse([]byte(`{"users": [], "locations": `+string(tree.Record)+`}`), fixture.Vocabulary())
		require.ErrorContains(t, err, fault)
		_, err = openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Locations: "places"}}).
			Users(ctx, facts.UserQuery{Beneath: id, Sort: facts.SortDefaultLocation})
		require.NoError(t, err)
	}
	someone, err := p.Users(ctx, facts.UserQuery{Limit: 1, Sort: facts.SortUsername})
	require.NoError(t, err)
	var u struct{ ID, Username string }
	require.NoError(t, json.Unmarshal(someone.Users[0].Record, &u))
	_, err = views.User(ctx, u.ID)
	assert.ErrorContains(t, err, "twice")
	for _, limit := range []int{1, 2, 1000} {
		_, err = views.Users(ctx, facts.UserQuery{Limit: limit})
		assert.ErrorContains(t, err, "twice", "in a list as well")
	}
	both, err := views.UserByUsername(ctx, u.Username)
	require.NoError(t, err)
	assert.Len(t, both, 2)

	for _, twice := range []string{"id = 'ghi'", "id = 'metro'", "true"} {
		servertest.Exec(t, conn, `CREATE OR REPLACE VIEW doubled AS SELECT * FROM locations UNION ALL SELECT * FROM locations WHERE `+twice)
		tree, err := openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Locations: "doubled"}}).Organization(ctx, "ghi")
		require.NoError(t, err)
		_, err = directory.Parse([]byte(`{"users": [], "locations": `+string(tree.Record)+`}`), fixture.Vocabulary())
		require.ErrorContains(t, err, "another location has this id")
	}

	negative := openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Users: "negative"}})
	raw, err := negative.User(ctx, u.ID)
	require.NoError(t, err)
	assert.Equal(t, membership.RawRecord{Fault: errVersionRange, ID: u.ID, History: raw.History}, *raw)
}

func postgresBounds(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "large"}, {"id": "small"}`)))
	servertest.Exec(t, conn, `UPDATE users SET title = repeat('x', 1 << 20) WHERE id = 'large'`)
	refused := func(raw membership.RawRecord) {
		t.Helper()
		assert.Equal(t, membership.RawRecord{Fault: membership.ErrRecordTooLarge, ID: "large", History: raw.History}, raw)
	}
	raw, err := p.User(ctx, "large")
	require.NoError(t, err)
	refused(*raw)
	raw, err = p.User(ctx, "small")
	require.NoError(t, err)
	require.NoError(t, raw.Fault)
	page, err := p.Users(ctx, facts.UserQuery{Sort: facts.SortUsername})
	require.NoError(t, err)
	require.Len(t, page.Users, 2, "a record that is too large does not end a list")
	refused(page.Users[0])
	snapshot, err := p.Snapshot(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, snapshot.Close()) }()
	all := map[string]membership.RawRecord{}
	require.NoError(t, snapshot.AllUsers(ctx, func(raw membership.RawRecord) error {
		all[record.IDOf(raw)] = raw
		return nil
	}))
	require.Len(t, all, 2)
	refused(all["large"])
	assert.NotNil(t, all["small"].Record)

	servertest.Exec(t, conn, `CREATE VIEW unnamed AS SELECT repeat('i', 2000) AS id, username, title, given, family, status, default_location, last_login FROM users WHERE id = 'large'`)
	page, err = openOrigin(t, Config{URL: p.listenAt.url, Tables: Tables{Users: "unnamed"}}).Users(ctx, facts.UserQuery{})
	require.NoError(t, err)
	require.Len(t, page.Users, 1)
	assert.Empty(t, page.Users[0].ID, "no valid id names it")
	assert.ErrorIs(t, page.Users[0].Fault, membership.ErrRecordTooLarge)
}

// The time to read a small organization must not grow with the number of other organizations.
func postgresManyOrganizations(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(``)))
	servertest.Exec(t, conn, `INSERT INTO locations (id, kind, model) SELECT 'g' || n, 'group', 'practice_group' FROM generate_series(1, 4000) n;
		INSERT INTO locations (id, kind, parent) SELECT 'g' || n || '-' || p, 'practice', 'g' || n FROM generate_series(1, 4000) n, generate_series(1, 3) p;
		ANALYZE locations`)
	sent, err := p.Organization(ctx, "g7-2")
	require.NoError(t, err)
	assert.JSONEq(t, `[{"id": "g7", "kind": "group", "model": "practice_group"}, {"id": "g7-1", "kind": "practice", "parent": "g7"},
		{"id": "g7-2", "kind": "practice", "parent": "g7"}, {"id": "g7-3", "kind": "practice", "parent": "g7"}]`, string(sent.Record))
	rows, err := conn.Query(ctx, "EXPLAIN "+strings.ReplaceAll(p.queries.Load().organization, "$1", "'g7-2'"))
	require.NoError(t, err)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(plan, "\n"), "Seq Scan on locations")
	assert.Contains(t, strings.Join(plan, "\n"), "on locations")
}

func postgresErrors(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	var told []error
	for _, cfg := range []Config{
		{URL: ""},
		{URL: "host=localhost password=" + server.Password()},
		{URL: "postgres://a:" + server.Password() + "@host:port/x"},
		{URL: "mysql://a:" + server.Password() + "@host/x"},
		{URL: "postgres://a:" + server.Password() + "@host/x?sslmode=perhaps"},
		{URL: "postgres://a:" + server.Password() + "@host/x?sslrootcert=/none/" + server.Password()},
		{URL: server.URL(), Tables: Tables{Users: `users"; DROP TABLE users; --`}},
		{URL: server.URL(), Tables: Tables{Assignments: "a.b.c"}},
		{URL: server.URL(), Tables: Tables{Locations: "public."}},
		{URL: server.URL(), Tables: Tables{Locations: strings.Repeat("l", 64)}},
		{URL: server.URL(), Listen: "a channel"},
		{URL: server.URL(), Timeout: -1},
		{URL: server.URL(), Listen: "c", ListenURL: "host=localhost password=" + server.Password()},
	} {
		_, err := Open(ctx, cfg)
		require.Equal(t, pdp.Invalid, pdp.KindOf(err), "%+v", cfg)
		told = append(told, err)
	}
	for _, url := range []string{
		server.URL(), // there are no tables
		strings.Replace(server.URL(), "wardkeeper:", "nobody:", 1),
		strings.Replace(server.URL(), "/postgres", "/nowhere", 1),
		"postgres://a:" + server.Password() + "@127.0.0.1:1/x",
	} {
		p := openOrigin(t, Config{URL: url, Logger: logger, Listen: "c"})
		for _, ask := range []func() error{
			func() error { return p.Check(ctx) },
			func() error { _, err := p.User(ctx, "a"); return err },
			func() error { _, err := p.UserByUsername(ctx, "a"); return err },
			func() error { _, err := p.Organization(ctx, "a"); return err },
			func() error { _, err := p.Users(ctx, facts.UserQuery{}); return err },
			func() error { _, err := p.Locations(ctx, "", 1); return err },
		} {
			err := ask()
			require.Equal(t, pdp.Unavailable, pdp.KindOf(err), url)
			told = append(told, err)
		}
		err := Import(ctx, Target{URL: url}, origintest.ParseDirectory(t, fixture.WithUsers("")), nil)
		require.Error(t, err)
		told = append(told, err)
	}
	p := openOrigin(t, Config{URL: "postgres://a:" + server.Password() + "@127.0.0.1:1/x", Logger: logger, Listen: "c"})
	h := watch(t, p)
	require.Eventually(t, func() bool { return h.count("lost") > 0 }, fixture.Timeout, 5*time.Millisecond)
	for _, err := range append(told, h.errs()...) {
		assert.NotContains(t, err.Error(), server.Password())
	}
	h.stop()
	assert.NotEmpty(t, log.String())
	assert.NotContains(t, log.String(), server.Password())

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := p.User(gone, "a")
	assert.Equal(t, pdp.Timeout, pdp.KindOf(err))
}
