package pgorigin

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// What a statement changes in an organization is told location by location, the last one with the version that came before. What cannot
// be told so is told as anything.
func postgresToldLocations(t *testing.T, server *servertest.Postgres) {
	o, conn := fillRegions(t, server)
	servertest.Exec(t, conn, `UPDATE locations SET parent = CASE WHEN id IN ('d0', 'd2', 'd4') THEN 'metro' ELSE 'far' END WHERE kind = 'division'`)
	listener := servertest.Connect(t, o.listenAt.url)
	servertest.Exec(t, listener, `LISTEN wardkeeper_changes`)
	versionOf := func(root string) (version uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT version FROM locations WHERE id = $1`, root).Scan(&version))
		return version
	}
	type told struct {
		Kind, ID, Organization string
		Version, Since         uint64
	}
	for _, c := range []struct {
		name, sql string
		want      map[string][]string // by root
	}{
		{"several", `UPDATE locations SET name = 'x' WHERE id IN ('f0', 'f2', 'd4')`, map[string][]string{"metro": {"d4", "f0", "f2"}}},
		{"in two organizations", `UPDATE locations SET name = 'y' WHERE id IN ('f0', 'f1', 'f2', 'd3')`, map[string][]string{"metro": {"f0", "f2"}, "far": {"d3", "f1"}}},
		{"moved", `UPDATE locations SET parent = 'far' WHERE id = 'd0'`, map[string][]string{"metro": {"d0"}, "far": {"d0"}}},
		{"new", `INSERT INTO locations (id, kind, parent) VALUES ('n1', 'facility', 'd2'), ('n2', 'facility', 'd2')`, map[string][]string{"metro": {"n1", "n2"}}},
		{"gone", `DELETE FROM locations WHERE id IN ('f13', 'f14')`, map[string][]string{"metro": {"f14"}, "far": {"f13"}}},
		{"too many", `INSERT INTO locations (id, kind, parent) SELECT 'm' || i, 'facility', 'd2' FROM generate_series(0, 1000) i`, nil},
	} {
		before := map[string]uint64{"metro": versionOf("metro"), "far": versionOf("far")}
		servertest.Exec(t, conn, c.sql)
		servertest.Exec(t, conn, `NOTIFY wardkeeper_changes, '{}'`)
		var all []told
		for {
			n, err := listener.WaitForNotification(t.Context())
			require.NoError(t, err)
			one := told{}
			require.NoError(t, json.Unmarshal([]byte(n.Payload), &one))
			if one.Kind == "" {
				break
			}
			all = append(all, one)
		}
		var want []told
		for _, root := range []string{"far", "metro"} {
			for i, id := range c.want[root] {
				one := told{Kind: "location", ID: id, Organization: root, Version: versionOf(root)}
				if i == len(c.want[root])-1 {
					one.Since = before[root]
				}
				want = append(want, one)
			}
		}
		if c.want == nil {
			want = []told{{Kind: "anything"}}
		}
		require.Equal(t, want, all, c.name)
	}

	// Another trigger keeps the root's version as it is.
	servertest.Exec(t, conn, `CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER a_drop BEFORE UPDATE ON locations FOR EACH ROW WHEN (OLD.parent IS NULL) EXECUTE FUNCTION drop_it();
		UPDATE locations SET name = 'z' WHERE id = 'f0'`)
	n, err := listener.WaitForNotification(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"kind": "anything"}`, n.Payload)
}
