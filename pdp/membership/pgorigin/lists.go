package pgorigin

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// gathered is the maximum number of users of a location that are collected and sorted. With more users, the query walks
// through all users in the order of the list and checks each, until there are enough. Without an index for that order,
// or with a text that few users match, it reads the tables as a whole.
const gathered = 5_000

// list returns the query for a list. Its parameters are the cursor's user $1, the cursor's offset $2, the limit $3, then
// the location and the folded text if the shape has them. Its columns are record, version, history, and the offset from
// the cursor in the list before filtering by text.
func (w writer) list(s listShape) string {
	first, second := w.keys(s)
	next := func(key string) string { // condition that key is after the cursor
		if s.descending {
			return fmt.Sprintf("u.%[1]s < (SELECT %[1]s FROM cursor)", key)
		}
		return fmt.Sprintf("u.%[1]s > (SELECT %[1]s FROM cursor)", key)
	}
	direction, from, toward := "", "u.first >= COALESCE((SELECT first FROM cursor), %s)", w.lowest(s)
	if s.descending {
		direction, from, toward = " DESC", "u.first <= COALESCE((SELECT first FROM cursor), %s)", w.highest(s)
	}
	order := fmt.Sprintf("first%[1]s, second%[1]s, id", direction)
	location, text := "$4", "$5"
	if s.everywhere {
		text = "$4"
	}
	r := strings.NewReplacer(
		"{users}", w.users, "{assignments}", w.assignments, "{locations}", w.locations,
		"{keyed}", fmt.Sprintf(`u.id::text COLLATE "C" AS id, %s AS first, %s AS second`, first, second),
		"{order}", order,
		"{behind}", fmt.Sprintf(from, toward)+" AND (NOT EXISTS (SELECT FROM cursor) OR "+next("first")+
			" OR u.first = (SELECT first FROM cursor) AND ("+next("second")+
			" OR u.second = (SELECT second FROM cursor) AND u.id > (SELECT id FROM cursor)))",
		"{skipped}", "OFFSET CASE WHEN EXISTS (SELECT FROM cursor) THEN 0 ELSE $2::bigint END",
		"{location}", location, "{text}", text,
		"{gathered}", fmt.Sprint(w.gathered),
		"{within}", w.within(s),
		"{seen}", w.seen(s),
		"{record}", w.bounded(fmt.Sprintf("FROM %s u WHERE u.id::text = page.id LIMIT 2", w.users)),
		"{name}", canonical("CASE WHEN u.given::text <> '' AND u.family::text <> '' THEN u.given::text || ' ' || u.family::text ELSE COALESCE(u.given::text, '') || COALESCE(u.family::text, '') END"),
		"{username}", canonical("COALESCE(u.username::text, '')"),
	)
	sql := "WITH RECURSIVE " + listScope(s) + `cursor AS MATERIALIZED (
  SELECT {keyed} FROM {users} u {seen} WHERE u.id::text = $1 AND {within} LIMIT 1),
page AS (` + listPage(s) + `)
SELECT r.*, page.place FROM page CROSS JOIN LATERAL ({record}) r ORDER BY page.place`
	// The replacements contain placeholders themselves.
	return r.Replace(r.Replace(r.Replace(sql)))
}

// listScope returns the CTEs for the users beneath a location, up to one more than [gathered]. OFFSET 0 forces use of
// the index, whatever the planner estimates.
func listScope(s listShape) string {
	var parts string
	if !s.everywhere {
		parts = `beneath(id) AS (
  SELECT l.id::text FROM {locations} l WHERE l.id::text = {location}
  UNION SELECT l.id::text FROM beneath JOIN {locations} l ON l.parent::text = beneath.id),
few AS MATERIALIZED (
  SELECT DISTINCT a.id FROM beneath CROSS JOIN LATERAL
    (SELECT a.user_id::text AS id FROM {assignments} a WHERE a.location::text = beneath.id OFFSET 0) a LIMIT {gathered} + 1),
many AS MATERIALIZED (SELECT count(*) > {gathered} AS so FROM few),
`
	}
	if s.sort != facts.SortDefaultLocation {
		return parts
	}
	if s.everywhere {
		return "seen(id) AS MATERIALIZED (SELECT l.id::text FROM {locations} l),\n"
	}
	// A default location in another organization is not visible, so it must not affect the order.
	return parts + fmt.Sprintf(`up(id, parent, depth) AS (
  (SELECT l.id::text, l.parent::text, 0 FROM {locations} l WHERE l.id::text = {location} LIMIT 1)
  UNION ALL SELECT l.id::text, l.parent::text, up.depth + 1 FROM up JOIN {locations} l ON l.id::text = up.parent WHERE up.depth < %d),
seen(id) AS (
  (SELECT id FROM up ORDER BY depth DESC LIMIT 1)
  UNION SELECT l.id::text FROM seen JOIN {locations} l ON l.parent::text = seen.id),
`, maxTreeDepth)
}

// listPage returns SQL for ids and places, in order.
func listPage(s listShape) string {
	walk := "SELECT u.* FROM (SELECT {keyed}{wanted} FROM {users} u {seen} WHERE {within}) u WHERE {behind} ORDER BY {order}"
	if s.everywhere {
		return placed(s, walk)
	}
	gather := strings.Replace(walk, "FROM {users} u {seen} WHERE {within}",
		"FROM few CROSS JOIN LATERAL (SELECT u.* FROM {users} u WHERE u.id::text = few.id OFFSET 0) u {seen} WHERE NOT (SELECT so FROM many)", 1)
	each := "{within}"
	if s.filtered || s.sort == facts.SortDefaultLocation {
		each = "u.id::text IN (SELECT a.user_id::text FROM {assignments} a WHERE a.location::text IN (SELECT id FROM beneath))"
	}
	walk = strings.Replace(walk, "WHERE {within}", "WHERE (SELECT so FROM many) AND "+each, 1)
	return "(" + placed(s, gather) + ") UNION ALL (" + placed(s, walk) + ")"
}

// placed numbers rows and stops after the limit of matching rows.
func placed(s listShape, rows string) string {
	const counted = "row_number() OVER (ORDER BY {order}) AS place"
	if !s.filtered {
		return "SELECT u.id, " + counted + " FROM (" + strings.Replace(rows, "{wanted}", "", 1) + " LIMIT $3 {skipped}) u"
	}
	rows = strings.Replace(rows, "{wanted}", ", (strpos({name}, {text}) > 0 OR strpos({username}, {text}) > 0) AS wanted", 1)
	return "SELECT id, place FROM (SELECT u.id, u.wanted, " + counted + " FROM (" + rows + " {skipped}) u) u WHERE u.wanted ORDER BY place LIMIT $3"
}

// within returns a condition that u has an assignment at or beneath the location. LIMIT keeps the planner from turning
// it into a join.
func (w writer) within(s listShape) string {
	if s.everywhere {
		return "true"
	}
	return "(SELECT true FROM {assignments} a WHERE a.user_id::text = u.id::text AND a.location::text IN (SELECT id FROM beneath) LIMIT 1)"
}

// seen joins the visible locations, if the order needs them.
func (w writer) seen(s listShape) string {
	if s.sort == facts.SortDefaultLocation {
		return "LEFT JOIN seen ON seen.id = u.default_location::text"
	}
	return ""
}

// keys returns the sort keys of u. An absent value sorts last in both directions.
func (w writer) keys(s listShape) (first, second string) {
	text := func(column string) string {
		return fmt.Sprintf("COALESCE(NULLIF(%s, ''), %s)", ordered(column), w.absent(s))
	}
	switch s.sort {
	case facts.SortUsername:
		return text("u.username"), "''::text"
	case facts.SortDefaultLocation:
		return text("seen.id"), "''::text"
	case facts.SortLastLogin:
		return fmt.Sprintf("COALESCE(u.last_login, %s)", w.absent(s)), "''::text"
	}
	return text("u.family"), text("u.given")
}

// ordered returns SQL for the folded text without the character that sorts absent values last, so that a name cannot
// hide a person.
func ordered(text string) string {
	return fmt.Sprintf(`translate(%s, U&'\+10FFFF', U&'\+10FFFD')`, folded(text))
}

func (w writer) absent(s listShape) string {
	if s.descending {
		return w.lowest(s)
	}
	return w.highest(s)
}

func (w writer) lowest(s listShape) string {
	if s.sort == facts.SortLastLogin {
		return "'-infinity'::timestamptz"
	}
	return "''"
}

func (w writer) highest(s listShape) string {
	if s.sort == facts.SortLastLogin {
		return "'infinity'::timestamptz"
	}
	return `U&'\+10FFFF'`
}

// Users implements [membership.Origin]. Offsets continue from that of the cursor.
func (p *Origin) Users(ctx context.Context, q facts.UserQuery) (membership.RawUsers, error) {
	s := listShape{sort: q.Sort, descending: q.Descending, everywhere: q.Beneath == "", filtered: q.Text != ""}
	if s.sort == "" {
		s.sort = facts.SortName
	}
	if !slices.Contains(membership.SortKeys[:], s.sort) {
		return membership.RawUsers{}, invalid("The sort order is unknown.")
	}
	if !s.everywhere && !facts.ValidID(q.Beneath) || strings.ContainsRune(q.Text, 0) || !utf8.ValidString(q.Text) {
		return membership.RawUsers{}, nil
	}
	if !facts.ValidID(q.After.ID) {
		q.After.ID = ""
	}
	most := membership.PageLimit(q.Limit)
	before := max(q.After.Offset, 0)
	args := []any{q.After.ID, int64(before), int64(min(most, math.MaxInt32)) + 1}
	if !s.everywhere {
		args = append(args, q.Beneath)
	}
	if s.filtered {
		args = append(args, facts.FoldCanonical(q.Text))
	}
	var page membership.RawUsers
	err := p.ask(ctx, listTimeoutFactor*p.timeout, func(ctx context.Context, queries *queries) error {
		select {
		case p.listSlots <- struct{}{}:
			defer func() { <-p.listSlots }()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNoConnection, ctx.Err())
		}
		page = membership.RawUsers{}
		size, last := 0, before
		return p.rows(ctx, queries.lists[s], args, func(rows pgx.Rows) (bool, error) {
			var place int64
			one, err := scanRecord(rows, &place)
			if err == nil && before+int(place) == last {
				err = fmt.Errorf("user %s: %w", membership.Quote(record.IDOf(one.Record)), errDuplicateID)
			}
			if err != nil {
				return false, err
			}
			last = before + int(place)
			// A page of very large records ends early.
			if size += len(one.Record); len(page.Users) == most || size > membership.MaxOrganization {
				page.More = true
				return false, nil
			}
			page.Users = append(page.Users, one)
			page.Offsets = append(page.Offsets, before+int(place))
			return true, nil
		})
	})
	if err != nil {
		return membership.RawUsers{}, err
	}
	return page, nil
}
