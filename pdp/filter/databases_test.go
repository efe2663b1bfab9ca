package filter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/filter"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// database is a real database with the table "users". select returns the ids on which a condition holds, sorted.
type database interface {
	insert(t *testing.T, rows []row)
	selects(t *testing.T, conditions []filter.Condition) [][]string
}

// row is a row of the table; nil is NULL.
type row struct {
	id                  string
	name, role, covered *string
	n                   *int64
	active              *bool
}

// input returns the row as the policy sees it.
func (r row) input() map[string]any {
	members := map[string]any{"id": r.id}
	add := func(name string, given bool, value func() any) {
		if given {
			members[name] = value()
		}
	}
	add("name", r.name != nil, func() any { return *r.name })
	add("role", r.role != nil, func() any { return *r.role })
	add("covered_by", r.covered != nil, func() any { return *r.covered })
	add("n", r.n != nil, func() any { return json.Number(fmt.Sprint(*r.n)) })
	add("active", r.active != nil, func() any { return *r.active })
	return members
}

// sqlite runs SQLite in the library of Python.
type sqlite struct{ rows [][]any }

const sqliteProgram = `
import json, sqlite3, sys
given = json.load(sys.stdin)
db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE users (id TEXT, name TEXT, role TEXT, covered_by TEXT, n INTEGER, active BOOLEAN)")
db.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)", given["rows"])
json.dump([sorted({id for id, in db.execute("SELECT id FROM users " + q, p)}) for q, p in given["queries"]], sys.stdout)
`

func (s *sqlite) insert(_ *testing.T, rows []row) {
	s.rows = nil
	for _, r := range rows {
		s.rows = append(s.rows, []any{r.id, r.name, r.role, r.covered, r.n, r.active})
	}
}

func (s *sqlite) selects(t *testing.T, conditions []filter.Condition) [][]string {
	queries := make([][]any, len(conditions))
	for i, c := range conditions {
		clause, parameters := filter.SQL(c, nil, filter.SQLite)
		queries[i] = []any{clause, parameters}
	}
	given, err := json.Marshal(map[string]any{"rows": s.rows, "queries": queries})
	require.NoError(t, err)
	cmd := exec.Command("python3", "-c", sqliteProgram)
	cmd.Stdin = bytes.NewReader(given)
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	require.NoError(t, err, failed.String())
	var selected [][]string
	require.NoError(t, json.Unmarshal(out, &selected))
	return selected
}

type postgres struct{ conn *pgx.Conn }

func startPostgres(t *testing.T) *postgres {
	conn, err := pgx.Connect(t.Context(), servertest.StartPostgres(t).URL())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `CREATE TABLE users (id text, name text, role text, covered_by text, n bigint, active boolean)`)
	require.NoError(t, err)
	return &postgres{conn}
}

func (p *postgres) insert(t *testing.T, rows []row) {
	_, err := p.conn.Exec(t.Context(), "DELETE FROM users")
	require.NoError(t, err)
	_, err = p.conn.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id", "name", "role", "covered_by", "n", "active"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			r := rows[i]
			return []any{r.id, r.name, r.role, r.covered, r.n, r.active}, nil
		}))
	require.NoError(t, err)
}

func (p *postgres) selects(t *testing.T, conditions []filter.Condition) [][]string {
	all := make([][]string, len(conditions))
	for i, c := range conditions {
		clause, parameters := filter.SQL(c, nil, filter.PostgreSQL)
		found, err := p.conn.Query(t.Context(), "SELECT DISTINCT id FROM users "+clause, parameters...)
		require.NoError(t, err)
		ids, err := pgx.CollectRows(found, pgx.RowTo[string])
		require.NoError(t, err, clause)
		slices.Sort(ids)
		all[i] = ids
	}
	return all
}
