package survey_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/survey"
)

func TestSurveyOfApplicationCountsRecords(t *testing.T) {
	document := origintest.SampleDocument(3, 2500).String()
	d := origintest.ParseDirectory(t, document)
	a := origintest.NewApplication(t, document)
	last := 0
	found, err := survey.Run(context.Background(), survey.Config{
		Origin: httpOrigin(t, a, a.Serve().URL), Vocabulary: fixture.Vocabulary(), Progress: func(done int) { last = done },
	})
	require.NoError(t, err)
	assert.Equal(t, d.UserCount(), found.Users)
	assert.Equal(t, d.LocationCount(), found.Locations)
	assert.Equal(t, found.Users+found.Locations, last)
}

func TestSurveyReportsFaults(t *testing.T) {
	const users = `{"users": [{"user": {"id": "jane", "username": "jane"}, "version": 1}, {"user": {"id": "joe", "username": "JANE", "status": null}, "version": 1},
		{"user": {"id": "jane"}}, {"user": {"id": "max", "assignments": [{"location": "nowhere", "role": "owner"}]}, "version": 3}, {"user": {"username": "x"}, "version": 1}], "more": false}`
	for name, c := range map[string]struct {
		path, query, answer string
		status              int
		want                []string
	}{
		"records": {path: "/users", answer: users, want: []string{
			`user "joe": status must be text, not null`, `user "joe": another user has this username`, `user "jane": another user has this id`,
			`user "jane": some of the users have a version, and some have none`, `user "max": assignments[0]: location is unknown`, `users[4]: the record cannot be read: it has no id`,
			`user "jane": the source does not return the same record by its id`,
			`user "jane": the source does not return the same record by its username, which ignores case and Unicode composition`,
		}},
		"a list that breaks the contract":    {path: "/users", answer: `{"users": [], "more": true}`, want: []string{"/users: the answer breaks the contract: more is true, but the page is empty"}},
		"another organization, already read": {path: "/organizations/by-location", query: "id=p1", answer: `{"locations": [{"id": "o", "kind": "group", "model": "practice_group"}], "version": 1}`, want: nil},
		"a large record": {path: "/users", answer: `{"users": [{"user": {"name": {"title": "` + strings.Repeat("x", 3<<20) + `"}, "id": "joe"}, "version": 1}, {"user": {"id": "max", "status": "x"}, "version": 3}], "more": false}`,
			want: []string{`user "joe": the record has more than 1048576 bytes`, `user "max": status`}},
		"an organization without a root": {path: "/organizations/by-location", query: "id=acme", answer: `{"locations": [{"id": "e1", "kind": "entity", "parent": "acme"}], "version": 1}`, want: []string{`location "acme": its organization has 0 roots`, `location "acme": the organization that the source returns for it does not contain it`, `another location has this id`}},
		"an unknown location":            {path: "/organizations/by-location", query: "id=acme", answer: `{"code": "unknown"}`, status: http.StatusNotFound, want: []string{`location "acme": it is in the list of locations, but in no organization`}},
		"an unknown member":              {path: "/organizations/by-location", query: "id=acme", answer: `{"locations": [], "Version": 1}`, want: []string{`location "acme": application at `, "the answer breaks the contract: an object has an unknown member"}},
		"a user for every id":            {path: "/users/by-id", query: "id=no%20such", answer: `{"user": {"id": "jane"}, "version": 1}`, want: []string{"the source returns a user for an id that does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := origintest.NewApplication(t, fixture.WithUsers(``))
			a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != c.path || !strings.Contains(r.URL.RawQuery, c.query) {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				_, _ = w.Write([]byte(c.answer))
				return true
			})
			_, err := survey.Run(context.Background(), survey.Config{Origin: httpOrigin(t, a, a.Serve().URL), Vocabulary: fixture.Vocabulary()})
			if c.want == nil {
				require.NoError(t, err, "p1 has been read with its organization")
				return
			}
			var faults *record.Faults
			require.ErrorAs(t, err, &faults)
			for _, want := range c.want {
				assert.Contains(t, err.Error(), want)
			}
			assert.NotContains(t, err.Error(), "JANE")
			assert.Equal(t, len(faults.All()), faults.Count())
		})
	}
	a := origintest.NewApplication(t, fixture.WithUsers(``))
	server := a.Serve()
	server.Close()
	_, err := survey.Run(context.Background(), survey.Config{Origin: httpOrigin(t, a, server.URL), Vocabulary: fixture.Vocabulary()})
	var faults *record.Faults
	require.Error(t, err)
	require.NotErrorAs(t, err, &faults, "an unreachable source is not a fault")
}

func TestSurveyOfDatabaseReportsFaultsAndMissingColumns(t *testing.T) {
	server := servertest.StartPostgres(t)
	d := origintest.MixedDirectory(t, 3, 1500)
	url := server.Database()
	require.NoError(t, pgorigin.Import(t.Context(), pgorigin.Target{URL: url, Schema: true}, d, nil))
	p, conn := pgOrigin(t, pgorigin.Config{URL: url}), servertest.Connect(t, url)
	found, err := survey.Run(context.Background(), survey.Config{Origin: p, Vocabulary: fixture.Vocabulary()})
	require.NoError(t, err)
	assert.Equal(t, d.UserCount(), found.Users)
	assert.Equal(t, d.LocationCount(), found.Locations)

	servertest.Exec(t, conn, `CREATE VIEW people AS SELECT id, username, title, given, family, CASE WHEN id <= 'u' THEN status END AS status, default_location, last_login FROM users;
		CREATE VIEW twice AS SELECT * FROM users UNION ALL (SELECT * FROM users ORDER BY id LIMIT 1);
		CREATE VIEW few AS SELECT id, username FROM users`)
	faultsOf := func(users string) error {
		_, err := survey.Run(context.Background(), survey.Config{
			Origin: pgOrigin(t, pgorigin.Config{URL: url, Tables: pgorigin.Tables{Users: users}}), Vocabulary: fixture.Vocabulary(),
		})
		var faults *record.Faults
		require.ErrorAs(t, err, &faults)
		return err
	}
	assert.ErrorContains(t, faultsOf("people"), "status must be text, not null")
	assert.ErrorContains(t, faultsOf("twice"), "the table has an id twice")
	few := faultsOf("few")
	assert.ErrorContains(t, few, "faults: 1\n")
	for _, column := range []string{"title", "given", "family", "status", "default_location", "last_login"} {
		assert.ErrorContains(t, few, "few."+column+" is missing")
	}
}

// Pages of a list may have nobody but users whose records are too large. They end as any list does.
func TestReadGoesOnAfterRecordsThatAreTooLarge(t *testing.T) {
	a := origintest.NewApplication(t, fixture.WithUsers(``))
	url := a.Serve().URL
	read := func(answer func(after string) string) (*survey.Reading, error) {
		a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/users" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer(r.URL.Query().Get("after"))))
			return true
		})
		return survey.Read(t.Context(), survey.Config{Origin: httpOrigin(t, a, url), Vocabulary: fixture.Vocabulary()})
	}
	large := func(id string) string {
		return `{"users": [{"user": {"id": "` + id + `", "name": {"title": "` + strings.Repeat("x", 1<<20) + `"}}, "version": 1}], "more": true}`
	}
	reading, err := read(func(after string) string {
		return map[string]string{"": large("ann"), "ann": large("bob"), "bob": `{"users": [{"user": {"id": "eve"}, "version": 1}], "more": false}`}[after]
	})
	require.NoError(t, err)
	require.Len(t, reading.Document.Users, 1)
	assert.Equal(t, "eve", reading.Document.Users[0].ID)
	assert.Equal(t, []string{`user "ann": the record has more than 1048576 bytes`, `user "bob": the record has more than 1048576 bytes`}, reading.LeftOut.All())

	_, err = read(func(after string) string {
		if after == "ann" {
			return large("bob")
		}
		return large("ann")
	})
	assert.ErrorContains(t, err, "the list of users does not advance")
}

// What nothing can be decided about is left out, with everybody who is assigned there, and named.
func TestReadLeavesOutWhatIsFaulty(t *testing.T) {
	server := servertest.StartPostgres(t)
	url := server.Database()
	d := origintest.ParseDirectory(t, `{"locations": [{"id": "r1", "kind": "region", "model": "regional"}, {"id": "r2", "kind": "region", "model": "regional"}, {"id": "d2", "kind": "division", "parent": "r2"}],
		"users": [{"id": "one", "default_location": "r1", "assignments": [{"location": "r1", "role": "regional_admin"}]}, {"id": "none"},
			{"id": "two", "default_location": "r1", "assignments": [{"location": "r1", "role": "regional_admin"}, {"location": "r2", "role": "regional_admin"}]}, {"id": "three"}]}`)
	require.NoError(t, pgorigin.Import(t.Context(), pgorigin.Target{URL: url, Schema: true}, d, nil))
	conn := servertest.Connect(t, url)
	servertest.Exec(t, conn, `CREATE VIEW places AS SELECT id, name, CASE id WHEN 'd2' THEN 'facility' ELSE kind END AS kind, parent, model, plan FROM locations;
		CREATE VIEW twice AS SELECT * FROM users UNION ALL SELECT * FROM users WHERE id = 'three';
		CREATE VIEW large AS SELECT id, username, title, given, family, status, default_location, last_login FROM users UNION ALL
			SELECT id, username, repeat('x', 3 << 20), given, family, status, default_location, last_login FROM users WHERE id = 'three'`)
	read := func(tables pgorigin.Tables) *survey.Reading {
		t.Helper()
		snapshot, err := pgOrigin(t, pgorigin.Config{URL: url, Tables: tables}).Snapshot(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, snapshot.Close()) }()
		reading, err := survey.Read(t.Context(), survey.Config{Origin: snapshot, Vocabulary: fixture.Vocabulary()})
		require.NoError(t, err)
		return reading
	}
	ids := func(r *survey.Reading) (all []string) {
		for _, l := range r.Document.Locations {
			all = append(all, l.ID)
		}
		for _, u := range r.Document.Users {
			all = append(all, u.ID)
		}
		slices.Sort(all)
		return all
	}
	whole := read(pgorigin.Tables{})
	assert.Nil(t, whole.LeftOut)
	assert.Equal(t, []string{"d2", "none", "one", "r1", "r2", "three", "two"}, ids(whole))
	assert.Equal(t, whole.Digest, read(pgorigin.Tables{}).Digest)

	faulty := read(pgorigin.Tables{Locations: "places"})
	assert.Equal(t, []string{"none", "one", "r1", "three"}, ids(faulty))
	assert.Equal(t, []string{`location "d2": a facility cannot lie beneath a region, as "r2" is`, `user "two": the organization of the assignment at "r2" has faults`}, faulty.LeftOut.All())
	assert.NotEqual(t, whole.Digest, faulty.Digest)

	large := read(pgorigin.Tables{Users: "large"})
	assert.Equal(t, []string{"d2", "none", "one", "r1", "r2", "two"}, ids(large), "not the other record of three, either")
	assert.Equal(t, []string{`user "three": the record has more than 1048576 bytes`}, large.LeftOut.All())

	twice := read(pgorigin.Tables{Users: "twice"})
	assert.Equal(t, []string{"d2", "none", "one", "r1", "r2", "two"}, ids(twice), "nobody knows which record is the right one")
	assert.Equal(t, []string{`user "three": another user has this id`}, twice.LeftOut.All())
}

func httpOrigin(t *testing.T, a *origintest.Application, address string) *httporigin.Origin {
	t.Helper()
	h, err := httporigin.Open(httporigin.Config{URL: strings.TrimRight(address, "/") + "/membership", Timeout: fixture.Timeout})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func pgOrigin(t *testing.T, cfg pgorigin.Config) *pgorigin.Origin {
	t.Helper()
	cfg.Timeout, cfg.Logger = fixture.Timeout, slog.New(slog.DiscardHandler)
	p, err := pgorigin.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}
