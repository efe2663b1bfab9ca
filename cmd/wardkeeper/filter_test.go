package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// A query of the application's with the filter of the user list has the users of the search, each with the view over the server's own
// tables.
func TestUserListFilterHasTheUsersOfTheSearch(t *testing.T) {
	t.Parallel()
	database := servertest.StartPostgres(t).Database()
	require.Zero(t, run(t, nil, "directory", "import", sampleDirectory, "--to", database).status)
	psql := exec.Command("psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", database)
	psql.Stdin = strings.NewReader(run(t, nil, "directory", "schema", "--user-list").out)
	out, err := psql.CombinedOutput()
	require.NoError(t, err, "%s", out)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	server := startServer(t, "--directory", database)

	for _, c := range []struct{ subject, current, place, unconditional string }{
		{"alice", "metro", "metro", ""}, {"alice", "metro", "north", ""}, {"alice", "north", "north", ""},
		{"jane", "abc", "abc", "no"}, {"nobody", "metro", "metro", "no"}, {"alice", "metro", "smile", "no"},
	} {
		question := map[string]any{"subject": map[string]any{"type": "user", "id": c.subject}, "action": map[string]any{"name": "user.list"},
			"resource": map[string]any{"type": "location", "id": c.place}, "context": map[string]any{"current_location": c.current}}
		answer := server.filter(t, "authz/filters/user_list", "sql.postgresql", map[string]any{"input": question,
			"options": map[string]any{"targetSQLTableMappings": map[string]any{"users": map[string]any{"$self": "users_covered"}}}})
		require.Equal(t, c.unconditional, answer.Unconditional, "%+v", c)
		found, err := conn.Query(t.Context(), "SELECT id FROM users_covered "+answer.Result.Query, answer.Result.Parameters...)
		require.NoError(t, err, answer.Result.Query)
		selected, err := pgx.CollectRows(found, pgx.RowTo[string])
		require.NoError(t, err)
		slices.Sort(selected)

		expected := []string{}
		if c.unconditional == "" {
			question["action"], question["resource"] = map[string]any{"name": "user.view"}, map[string]any{"type": "user", "properties": map[string]any{"location": c.place}}
			expected = server.listed(t, question)
			require.NotEmpty(t, expected)
		}
		require.Equal(t, expected, append([]string{}, selected...), "%+v", c)
	}
}

func TestRequestsForFiltersThatAreRefused(t *testing.T) {
	t.Parallel()
	server := startServer(t, "--directory", sampleDirectory)
	list := map[string]any{"subject": map[string]any{"type": "user", "id": "alice"}, "action": map[string]any{"name": "user.list"},
		"resource": map[string]any{"type": "location", "id": "metro"}, "context": map[string]any{"current_location": "metro"}}
	with := func(name string, value any) map[string]any {
		forged := map[string]any{name: value}
		for member, value := range list {
			forged[member] = value
		}
		return forged
	}
	for what, c := range map[string]struct {
		path, language string
		body           map[string]any
		message        string
	}{
		"a rule that is no filter":      {"authz/allow", "ucast.all", map[string]any{"input": list}, "offers no filter"},
		"no such rule":                  {"no/such", "ucast.all", map[string]any{"input": list}, "offers no filter"},
		"facts":                         {"authz/filters/user_list", "ucast.all", map[string]any{"input": with("facts", map[string]any{})}, "facts"},
		"a row":                         {"authz/filters/user_list", "ucast.all", map[string]any{"input": with("users", map[string]any{"covered_by": "metro"})}, `users`},
		"another table":                 {"authz/filters/user_list", "ucast.all", map[string]any{"input": list, "unknowns": []string{"input.facts"}}, "no such table"},
		"another language":              {"authz/filters/user_list", "sql.sqlserver", map[string]any{"input": list}, "Accept"},
		"a query":                       {"authz/filters/user_list", "ucast.all", map[string]any{"input": list, "query": "data.authz.allow"}, `query`},
		"a mask":                        {"authz/filters/user_list", "ucast.all", map[string]any{"input": list, "options": map[string]any{"maskRule": "x"}}, "option"},
		"several languages, none named": {"authz/filters/user_list", "multitarget", map[string]any{"input": list}, "targetDialects"},
		"SQL in a name": {"authz/filters/user_list", "sql.sqlite", map[string]any{"input": list, "options": map[string]any{"targetSQLTableMappings": map[string]any{
			"users": map[string]any{"covered_by": "1=1 OR x"}}}}, "cannot be the name"},
	} {
		t.Run(what, func(t *testing.T) {
			status, body := server.compile(t, c.path, c.language, c.body)
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Contains(t, body, c.message)
		})
	}
}

// filterAnswer is the response to a request for a filter.
type filterAnswer struct {
	Result struct {
		Query      string
		Parameters []any
	}
	Unconditional string
}

func (d *daemon) filter(t *testing.T, path, language string, body map[string]any) (a filterAnswer) {
	t.Helper()
	status, text := d.compile(t, path, language, body)
	require.Equal(t, http.StatusOK, status, text)
	require.NoError(t, json.Unmarshal([]byte(text), &a))
	return a
}

func (d *daemon) compile(t *testing.T, path, language string, body map[string]any) (status int, text string) {
	t.Helper()
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/v1/compile/"+path, strings.NewReader(string(encoded)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/vnd.opa."+language+"+json")
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = w.Body.Close() }()
	if w.StatusCode == http.StatusOK {
		require.Equal(t, r.Header.Get("Accept"), w.Header.Get("Content-Type"))
	}
	all, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w.StatusCode, string(all)
}

// listed returns the ids that a search for users finds, sorted.
func (d *daemon) listed(t *testing.T, search map[string]any) []string {
	t.Helper()
	search["page"] = map[string]any{"limit": 1000}
	var found struct{ Results []struct{ ID string } }
	require.NoError(t, json.Unmarshal(postJSON(t, d.url+"/access/v1/search/resource", search), &found))
	ids := []string{}
	for _, hit := range found.Results {
		ids = append(ids, hit.ID)
	}
	slices.Sort(ids)
	return ids
}
