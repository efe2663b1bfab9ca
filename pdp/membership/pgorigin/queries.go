package pgorigin

import (
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	// maxTreeDepth limits the path to a root; a valid tree has three levels.
	maxTreeDepth = 64
	// maxAssignments is more than fits into a record, so that a user with more assignments is refused because of the size.
	maxAssignments = 50_000
)

// queries are the SQL of all queries. Each is a single statement, so that it reads one snapshot.
type queries struct {
	user, allUsers, username, organization, branches, locations string
	list                                                        func(listShape) string
	budget                                                      func(listShape) int64
	trigrams, short                                             bool // whether an index finds texts, and those of one and two characters
}

func newQueries(t tables, has present, gathered, walked int) *queries {
	w := writer{tables: t, history: "(SELECT " + t.history(true) + ")", gathered: gathered, walked: walked, search: has.search, inactive: has.inactive,
		userVersion: "0::bigint", locationVersion: "0::bigint"}
	if has.userVersions {
		w.userVersion = "COALESCE(u.version::bigint, 0)"
	}
	if has.locationVersions {
		w.locationVersion = "COALESCE(l.version::bigint, 0)"
	}
	q := &queries{
		user:         w.bounded(fmt.Sprintf("FROM %s u WHERE u.id::text = $1 LIMIT 2", t.users)),
		allUsers:     w.bounded(fmt.Sprintf("FROM %s u", t.users)),
		username:     w.bounded(fmt.Sprintf("FROM %s u WHERE %s = %s LIMIT 2", t.users, canonical("u.username"), canonical("$1"))),
		organization: w.organization(),
		branches:     w.branches(),
		locations: fmt.Sprintf(`SELECT l.id::text FROM %s l WHERE l.id::text COLLATE "C" > $1 ORDER BY l.id::text COLLATE "C" LIMIT $2`,
			t.locations),
		list:     w.list,
		budget:   w.budget,
		trigrams: has.search && has.trigrams,
		short:    has.search && has.short,
	}
	return q
}

// writer builds SQL. It casts columns to text, because views may have other types. The cast of a text column costs
// nothing and keeps its index usable.
type writer struct {
	tables
	history                      string
	userVersion, locationVersion string
	gathered, walked             int
	search                       bool // whether users have the column for searches
	inactive                     bool // whether indexes have the orders of those who are not active
}

// folded returns SQL for [facts.Fold]. Full case folding is lower(upper(lower())) in the root locale, except for the dotless i,
// which must not become an i, and the final sigma. The indexes in [Schema] use the same expression.
func folded(text string) string {
	return fmt.Sprintf(`translate(lower(upper(lower(translate(%s::text, 'ı', U&'\+10FFFE') COLLATE "und-x-icu"))), U&'\+10FFFEς', 'ıσ') COLLATE "C"`, text)
}

// canonical returns SQL for [facts.FoldCanonical]. The unique index in [Schema] uses the same expression.
func canonical(text string) string {
	return fmt.Sprintf("normalize(%s, NFC)", folded(fmt.Sprintf("normalize(%s::text, NFC)", text)))
}

// bounded returns SQL that selects record, version, history and id of the rows of u. The record is NULL if it is too large, and a longer
// id than is valid is cut off.
func (w writer) bounded(from string) string {
	return fmt.Sprintf("SELECT CASE WHEN octet_length(r.record) <= %d THEN r.record END AS record, r.version, %s AS history, COALESCE(left(r.id, %d), '') AS id FROM (SELECT %s AS record, %s AS version, u.id::text AS id %s) r",
		membership.MaxRecord, w.history, facts.MaxID+1, w.userRecord(), w.userVersion, from)
}

// userRecord returns SQL for the record of u as JSON. NULL in a column means that an optional member is absent. An
// absent status would mean active, so a NULL status is sent as null, which is a fault. Values reach the record reader
// unchanged: a time as PostgreSQL writes it in JSON, without a time zone if it has none, and access as text, because
// jsonb would drop duplicate members.
func (w writer) userRecord() string {
	assignment := object(member("location", "a.location::text"), member("role", "a.role::text"), required("status", "a.status::text"),
		member("profession", "a.profession::text"), member("registration_number", "a.registration_number::text"), member("access", "a.access"))
	return object(member("id", "u.id::text"), member("username", "u.username::text"),
		`'"name": ' || `+object(member("title", "u.title::text"), member("given", "u.given::text"), member("family", "u.family::text")),
		member("default_location", "u.default_location::text"), member("last_login", "u.last_login"), required("status", "u.status::text"),
		fmt.Sprintf(`'"assignments": [' || COALESCE((SELECT string_agg(a.record, ', ') FROM (
  SELECT %s AS record FROM %s a WHERE a.user_id::text = u.id::text ORDER BY a.location::text COLLATE "C" LIMIT %d) a), '') || ']'`,
			assignment, w.assignments, maxAssignments))
}

// object returns SQL for a JSON object as text. Members that are NULL are left out. It takes half the time of building jsonb.
func object(members ...string) string {
	return "concat('{', concat_ws(', ', " + strings.Join(members, ", ") + "), '}')"
}

// member returns SQL for a member of an object, NULL if its value is.
func member(name, value string) string { return fmt.Sprintf(`'"%s": ' || to_json(%s)`, name, value) }

// required returns SQL for a member of an object that is there also if its value is NULL.
func required(name, value string) string {
	return fmt.Sprintf(`'"%s": ' || COALESCE(to_json(%s)::text, 'null')`, name, value)
}

// organization returns SQL that walks up to the root, as far as there are parents, and down to everything beneath it.
// The recursion carries the columns along: with a join afterwards, the planner would read the whole table for a small
// organization. UNION ends a cycle but merges equal rows, so rows are counted to find duplicates.
func (w writer) organization() string {
	return w.tree(`up(id, parent, depth) AS (
  (SELECT l.id::text, l.parent::text, 0 FROM {locations} l WHERE l.id::text = $1 LIMIT 1)
  UNION ALL SELECT l.id::text, l.parent::text, up.depth + 1 FROM up JOIN {locations} l ON l.id::text = up.parent WHERE up.depth < {deepest}),
top AS (SELECT id FROM up ORDER BY depth DESC LIMIT 1),
start AS (SELECT id FROM top)`, "tree")
}

// branches returns SQL that walks down from those of several locations ($2) that are in an organization ($1), and selects others ($3) that
// are, too.
func (w writer) branches() string {
	return w.tree(`up(start, id, parent, depth) AS (
  SELECT l.id::text, l.id::text, l.parent::text, 0 FROM {locations} l WHERE l.id::text = ANY ($2::text[]) OR l.id::text = ANY ($3::text[])
  UNION ALL SELECT up.start, l.id::text, l.parent::text, up.depth + 1 FROM up JOIN {locations} l ON l.id::text = up.parent WHERE up.depth < {deepest}),
top AS (SELECT l.id::text AS id FROM {locations} l WHERE l.id::text = $1 AND l.parent IS NULL LIMIT 1),
inside AS (SELECT DISTINCT up.start AS id FROM up JOIN top ON top.id = up.id WHERE up.parent IS NULL),
start AS (SELECT id FROM inside WHERE id = ANY ($2::text[]))`,
		"(SELECT * FROM tree UNION SELECT {row} FROM inside JOIN {locations} l ON l.id::text = inside.id WHERE inside.id = ANY ($3::text[]))")
}

// tree returns SQL that walks down from each row of start, and selects the locations of a row source, and the version of top, if there is
// a row of it.
func (w writer) tree(start, from string) string {
	const row = "l.id::text, l.name::text, l.kind::text, l.parent::text, l.model::text, l.plan::text, count(*) OVER (PARTITION BY l.id::text)"
	return strings.NewReplacer(
		"{locations}", w.locations,
		"{row}", row,
		"{version}", w.locationVersion,
		"{history}", w.history,
		"{deepest}", fmt.Sprint(maxTreeDepth),
		"{most}", fmt.Sprint(membership.MaxOrganization),
	).Replace(`WITH RECURSIVE ` + start + `,
tree(id, name, kind, parent, model, plan, times) AS (
  SELECT {row} FROM start JOIN {locations} l ON l.id::text = start.id
  UNION SELECT {row} FROM tree JOIN {locations} l ON l.parent::text = tree.id),
whole AS MATERIALIZED (
  SELECT COALESCE('[' || string_agg(` + object(member("id", "id"), member("name", "name"), member("kind", "kind"), member("parent", "parent"),
		member("model", "model"), member("plan", "plan")) + `, ', ' ORDER BY id COLLATE "C") || ']', '[]') AS record
  FROM ` + from + ` AS located JOIN (VALUES (1), (2)) AS again(n) ON n <= times)
SELECT CASE WHEN octet_length(record) <= {most} THEN record END, (SELECT COALESCE(max({version}), 0) FROM top JOIN {locations} l ON l.id::text = top.id), {history}
FROM whole WHERE EXISTS (SELECT FROM top)`)
}
