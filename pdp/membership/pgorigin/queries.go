package pgorigin

import (
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	// deepestTree bounds the way up to a root; a sound tree has three levels.
	deepestTree = 64
	// mostAssignments are more than fit into a record, so that one which has more is refused for its size.
	mostAssignments = 50_000
)

// queries are all questions that are asked. Each is one statement, so that it reads one state of the tables.
type queries struct {
	user, username, organization, locations string
	lists                                   map[listShape]string
}

func newPostgresQueries(t tables, userVersions, locationVersions bool, gathered int) *queries {
	w := writer{tables: t, history: "(SELECT " + t.history(true) + ")", gathered: gathered, userVersion: "0::bigint", locationVersion: "0::bigint"}
	if userVersions {
		w.userVersion = "COALESCE(u.version::bigint, 0)"
	}
	if locationVersions {
		w.locationVersion = "COALESCE(l.version::bigint, 0)"
	}
	q := &queries{
		user:         w.bounded(fmt.Sprintf("FROM %s u WHERE u.id::text = $1 LIMIT 2", t.users)),
		username:     w.bounded(fmt.Sprintf("FROM %s u WHERE %s = %s LIMIT 2", t.users, canonical("u.username"), canonical("$1"))),
		organization: w.organization(),
		locations: fmt.Sprintf(`SELECT l.id::text FROM %s l WHERE l.id::text COLLATE "C" > $1 ORDER BY l.id::text COLLATE "C" LIMIT $2`,
			t.locations),
		lists: map[listShape]string{},
	}
	for _, sort := range membership.SortKeys {
		for _, shape := range []listShape{{}, {everywhere: true}} {
			for i := range 4 {
				shape.sort, shape.descending, shape.filtered = sort, i&1 != 0, i&2 != 0
				q.lists[shape] = w.list(shape)
			}
		}
	}
	return q
}

// writer writes SQL. Columns are cast to text, for views have them of other types; where they are text already, this is
// nothing and an index serves.
type writer struct {
	tables
	history                      string
	userVersion, locationVersion string
	gathered                     int
}

// folded is what [facts.Fold] does: full case folding is lower case of upper case of lower case, in the root locale, but for
// the dotless i, which must not become an i, and the final sigma. The shipped indexes have the same expression.
func folded(text string) string {
	return fmt.Sprintf(`translate(lower(upper(lower(translate(%s::text, 'ı', U&'\+10FFFE') COLLATE "und-x-icu"))), U&'\+10FFFEς', 'ıσ') COLLATE "C"`, text)
}

// canonical is what [facts.FoldCanonical] does. The shipped unique index has the same expression.
func canonical(text string) string {
	return fmt.Sprintf("normalize(%s, NFC)", folded(fmt.Sprintf("normalize(%s::text, NFC)", text)))
}

// bounded gives record, version and history of the rows of u, the record NULL where it is too large to be sent.
func (w writer) bounded(from string) string {
	return fmt.Sprintf("SELECT CASE WHEN octet_length(r.record) <= %d THEN r.record END, r.version, %s AS history FROM (SELECT %s AS record, %s AS version %s) r",
		membership.MaxRecord, w.history, w.userRecord(), w.userVersion, from)
}

// userRecord is the record of u as JSON. NULL in a column is how a table says that an optional member is absent; where
// absence would give something, as an absent status does, it is sent as null, which is a fault. What the reader judges goes
// as it is: a time as the database writes it in JSON, without a zone where it has none, and access as text, for jsonb would
// keep one of two members of the same name.
func (w writer) userRecord() string {
	return fmt.Sprintf(`left((jsonb_strip_nulls(jsonb_build_object(
  'id', u.id::text, 'username', u.username::text,
  'name', jsonb_build_object('title', u.title::text, 'given', u.given::text, 'family', u.family::text),
  'default_location', u.default_location::text, 'last_login', u.last_login))
 || jsonb_build_object('status', u.status::text))::text, -1) || ', "assignments": [' || COALESCE((SELECT string_agg(a.record, ', ') FROM (
  SELECT left((jsonb_strip_nulls(jsonb_build_object('location', a.location::text, 'role', a.role::text,
    'profession', a.profession::text, 'registration_number', a.registration_number::text))
   || jsonb_build_object('status', a.status::text))::text, -1) || CASE WHEN a.access IS NULL THEN '' ELSE ', "access": ' || to_json(a.access)::text END || '}' AS record
  FROM %s a WHERE a.user_id::text = u.id::text ORDER BY a.location::text COLLATE "C" LIMIT %d) a), '') || ']}'`,
		w.assignments, mostAssignments)
}

// organization goes up to the root, or as far as it goes, and down to everything beneath. It takes the rows along on its way:
// joined to them afterwards, the planner would read the whole table for the smallest of organizations. UNION ends a cycle, and
// would make one of two rows that say the same, so rows are counted.
func (w writer) organization() string {
	const row = "l.id::text, l.name::text, l.kind::text, l.parent::text, l.model::text, l.plan::text, {version}, count(*) OVER (PARTITION BY l.id::text)"
	return strings.NewReplacer(
		"{locations}", w.locations,
		"{version}", w.locationVersion,
		"{history}", w.history,
		"{deepest}", fmt.Sprint(deepestTree),
		"{most}", fmt.Sprint(membership.MaxOrganization),
	).Replace(`WITH RECURSIVE up(id, parent, depth) AS (
  (SELECT l.id::text, l.parent::text, 0 FROM {locations} l WHERE l.id::text = $1 LIMIT 1)
  UNION ALL SELECT l.id::text, l.parent::text, up.depth + 1 FROM up JOIN {locations} l ON l.id::text = up.parent WHERE up.depth < {deepest}),
top AS (SELECT id FROM up ORDER BY depth DESC LIMIT 1),
tree(id, name, kind, parent, model, plan, version, times) AS (
  SELECT ` + row + ` FROM top JOIN {locations} l ON l.id::text = top.id
  UNION SELECT ` + row + ` FROM tree JOIN {locations} l ON l.parent::text = tree.id),
whole AS MATERIALIZED (
  SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', id, 'name', name, 'kind', kind,
    'parent', parent, 'model', model, 'plan', plan)) ORDER BY id COLLATE "C")::text AS record,
    COALESCE(max(version) FILTER (WHERE id = (SELECT id FROM top)), 0) AS version
  FROM tree CROSS JOIN LATERAL generate_series(1, LEAST(times, 2)))
SELECT CASE WHEN octet_length(record) <= {most} THEN record END, version, {history} FROM whole WHERE EXISTS (SELECT FROM top)`)
}

// listShape is one of the ways in which a list is asked for; the rest are parameters.
type listShape struct {
	sort       facts.SortKey
	descending bool
	everywhere bool // not beneath a location
	filtered   bool // by a text
}
