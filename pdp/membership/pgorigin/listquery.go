package pgorigin

import (
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

const (
	// gathered is the maximum number of users of a location that are collected and sorted for a page. By a text it is gatheredByText times
	// more: they can be at the end of the list, where a walk comes late.
	gathered, gatheredByText = 5_000, 10
	// walked is the number of users at which a query looks in the order of a list. The list then continues with another
	// query.
	walked = 4_000
	// glanced is how many times fewer it looks at to find out whether many match a text: one in glanceEnough of them. Where fewer do,
	// gathering all of them takes less time than to walk on.
	glanced, glanceEnough = 8, 50
	// walkedCheaply is how many times more it looks at if a column says who is left out: that of texts to search, or the status.
	walkedCheaply = 5
)

// listWay is a way to find a page. Gathering fails if there are more than [gathered] users; a walk takes any list, but finds
// rare users slowly.
type listWay int

const (
	walk           listWay = iota // through all users, in the order of the list, by its index
	glance                        // a short walk, which is enough if many match the text
	gatherAssigned                // the users with an assignment as described
	gatherScope                   // the users of the location
	gatherText                    // the users whose texts match, by an index of texts
)

// listShape selects the query for a list; everything else is a parameter.
type listShape struct {
	way        listWay
	sort       facts.SortKey
	descending bool
	everywhere bool // not beneath a location
	filtered   bool // by a text
	exact      bool // by texts that the column for searches could join
	short      bool // by a text that an index of one or two characters finds
	continued  bool // after a cursor
	status     string
	assigned   bool // as the next three say
	at, roles  bool // at some locations, with some roles
	around     bool // or beneath a location
	active     bool
}

func (s listShape) walks() bool { return s.way == walk || s.way == glance }

// gathersFew reports whether the users to be sorted are in a CTE of their ids.
func (s listShape) gathersFew() bool { return s.way == gatherAssigned || s.way == gatherScope }

// tooMany is the place in the only row of a query that would have to gather too many users.
const tooMany = -1

// list returns the query for a list. Its parameters are the limit $1, then id, first and second value of the cursor, the
// location, the folded text, and the locations and roles of an assignment, as far as the shape has them. Its columns are record, version, history, the place in the
// result, whether there is a record, and the cursor behind the row.
func (w writer) list(s listShape) string {
	p := w.parameters(s)
	var page string
	switch {
	case s.walks():
		page = w.walk(s)
	case s.gathersFew():
		page = w.gather(s)
	default:
		page = w.gatherMatches(s)
	}
	sql := "WITH RECURSIVE " + w.scope(s) + page + `
SELECT r.record, COALESCE(r.version, 0), COALESCE(r.history, ''), page.place, page.hit, page.id, COALESCE(page.one, ''), COALESCE(page.two, '')
FROM page LEFT JOIN LATERAL ({record}) r ON page.hit`
	if s.gathersFew() {
		sql += fmt.Sprintf(`
UNION ALL SELECT NULL, 0, '', %d, false, '', '', '' WHERE (SELECT count(*) > {gathered} FROM few)`, tooMany)
	}
	sql += "\nORDER BY place"
	r := strings.NewReplacer(append(p,
		"{record}", w.bounded(fmt.Sprintf("FROM %s u WHERE u.id::text = page.id LIMIT 2", w.users)),
		"{gathered}", fmt.Sprint(w.most(s)), "{walked}", fmt.Sprint(w.budget(s)),
		"{users}", w.users, "{assignments}", w.assignments, "{locations}", w.locations)...)
	return r.Replace(r.Replace(sql)) // {record} contains none, but conditions contain tables and parameters
}

// among returns the conditions on u that the way does not meet by itself.
func (w writer) among(s listShape) string {
	all := []string{"true"}
	if s.status != "" && !w.alongInactive(s) {
		all = append(all, w.hasStatus(s))
	}
	if s.filtered && s.way != gatherText {
		all = append(all, w.matches(s))
	}
	if s.assigned && s.way != gatherAssigned {
		all = append(all, fmt.Sprintf("COALESCE((SELECT true FROM {assignments} a WHERE a.user_id::text = u.id::text AND %s LIMIT 1), false)", w.asAssigned(s)))
	}
	return strings.Join(all, " AND ")
}

// alongInactive reports whether a walk meets only users who are not active, by indexes that have nobody else.
func (w writer) alongInactive(s listShape) bool {
	return s.walks() && s.status == facts.StatusDeactivated && w.inactive
}

// hasStatus returns a condition that u has the status, or one that is none, which is a fault to be reported.
func (w writer) hasStatus(s listShape) string {
	other := facts.StatusActive
	if s.status == facts.StatusActive {
		other = facts.StatusDeactivated
	}
	return "u.status::text IS DISTINCT FROM '" + other + "'"
}

// asAssigned returns a condition that an assignment is as described.
func (w writer) asAssigned(s listShape) string {
	condition := "true"
	switch {
	case s.around:
		condition += fmt.Sprintf(" AND (a.location::text = ANY ({at}::text[]) OR COALESCE((SELECT true FROM {locations} l1 %s WHERE l1.id::text = a.location::text AND {around} IN (l1.id::text, %s) LIMIT 1), false))",
			joinsAbove("l1.parent::text", 2), locationsAbove("l1.parent::text", 2))
	case s.at:
		condition += " AND a.location::text = ANY ({at}::text[])"
	}
	if s.roles {
		condition += " AND a.role::text = ANY ({roles}::text[])"
	}
	if s.active {
		condition += " AND COALESCE(a.status::text, '" + facts.StatusActive + "') = '" + facts.StatusActive + "'"
	}
	return condition
}

// parameters returns the placeholders of the parameters that a shape has.
func (w writer) parameters(s listShape) []string {
	var all []string
	n := 1
	add := func(has bool, names ...string) {
		for _, name := range names {
			if has {
				n++
				all = append(all, name, fmt.Sprintf("$%d", n))
			}
		}
	}
	add(s.continued, "{after}", "{after one}")
	add(s.continued && s.sort == facts.SortName, "{after two}")
	add(!s.everywhere, "{location}")
	add(s.filtered, "{text}")
	add(s.at, "{at}")
	add(s.around, "{around}")
	add(s.roles, "{roles}")
	return all
}

// most returns the number of users that a query gathers at most.
func (w writer) most(s listShape) int {
	if s.way == gatherText {
		return w.gathered * gatheredByText
	}
	return w.gathered
}

// budget returns the number of users at which a query looks in the order of the list; 0 if it looks at all of them.
func (w writer) budget(s listShape) int64 {
	switch {
	case s.gathersFew():
		return 0
	case s.way == walk && (s.filtered && w.search || s.status == facts.StatusDeactivated && !w.inactive):
		return int64(w.walked) * walkedCheaply
	case s.way == glance:
		return max(int64(w.walked)/glanced, 1)
	}
	return int64(w.walked)
}

// scope returns the CTEs for the root of the location, and for the users to gather. OFFSET 0 forces use of an index, whatever
// the planner estimates.
func (w writer) scope(s listShape) string {
	var parts string
	if s.sort == facts.SortDefaultLocation && !s.everywhere {
		parts = fmt.Sprintf(`up(id, parent, depth) AS (
  (SELECT l.id::text, l.parent::text, 0 FROM {locations} l WHERE l.id::text = {location} LIMIT 1)
  UNION ALL SELECT l.id::text, l.parent::text, up.depth + 1 FROM up JOIN {locations} l ON l.id::text = up.parent WHERE up.depth < %d),
top AS MATERIALIZED (SELECT id FROM up ORDER BY depth DESC LIMIT 1),
`, maxTreeDepth)
	}
	switch s.way {
	case gatherScope:
		parts += beneath("{location}") + "few AS MATERIALIZED (" + assignedBeneath("true") + " LIMIT {gathered} + 1),\n"
	case gatherAssigned:
		around, alone := s, s
		around.at, around.around, alone.around = false, false, false
		few := fmt.Sprintf("SELECT a.user_id::text AS id FROM {assignments} a WHERE %s", w.asAssigned(alone))
		if s.around {
			parts += beneath("{around}")
			few += " UNION ALL (" + assignedBeneath(w.asAssigned(around)) + ")"
		}
		parts += "few AS MATERIALIZED (" + few + " LIMIT {gathered} + 1),\n"
	}
	return parts
}

// beneath returns the CTE of a location and those beneath it.
func beneath(location string) string {
	return fmt.Sprintf(`beneath(id) AS (
  SELECT l.id::text FROM {locations} l WHERE l.id::text = %s
  UNION SELECT l.id FROM beneath CROSS JOIN LATERAL (SELECT l.id::text AS id FROM {locations} l WHERE l.parent::text = beneath.id OFFSET 0) l),
`, location)
}

// assignedBeneath returns SQL for the ids of the users with an assignment there that meets a condition. A location without any counts as
// one, so that the number of locations is bounded too.
func assignedBeneath(condition string) string {
	return fmt.Sprintf(`SELECT a.id FROM beneath LEFT JOIN LATERAL
    (SELECT a.user_id::text AS id FROM {assignments} a WHERE a.location::text = beneath.id AND %s OFFSET 0) a ON true`, condition)
}

// gather returns the CTE of a page from few users, which are sorted.
func (w writer) gather(s listShape) string {
	one, two := w.values(s)
	first, second := w.keys(s, one, two)
	after, within := "true", "true"
	if s.continued {
		after = w.behind(s)
	}
	if s.way == gatherAssigned && !s.everywhere { // only of those who come first
		within = w.within("u.id", "a.user_id::text", "{location}")
	}
	return fmt.Sprintf(`page AS (SELECT u.*, true AS hit, row_number() OVER () AS place FROM (SELECT u.* FROM (SELECT u.* FROM (
  SELECT u.id::text COLLATE "C" AS id, %[2]s AS one, %[3]s AS two, %[4]s AS first, %[5]s AS second
  FROM (SELECT DISTINCT id FROM few WHERE (SELECT count(*) <= {gathered} FROM few)) few
  CROSS JOIN LATERAL (SELECT u.* FROM {users} u WHERE u.id::text = few.id OFFSET 0) u WHERE %[6]s OFFSET 0) u
  WHERE %[7]s ORDER BY %[1]s OFFSET 0) u WHERE %[8]s LIMIT $1) u)`, w.order(s, "first", "second", "id"), one, two, first, second, w.among(s), after, within)
}

// gatherMatches returns the CTE of a page from the users whose texts match, in one pass that keeps the first of them, as many as a walk
// would look at: to keep all takes twice as long. One too many comes before all others.
func (w writer) gatherMatches(s listShape) string {
	one, two := w.values(s)
	first, second := w.keys(s, one, two)
	columns, after, order, hit := "u.status", "true", w.order(s, "first", "second", "id"), w.among(s)
	switch s.sort {
	case facts.SortName:
		columns += ", u.family, u.given"
	default:
		columns += ", u." + string(s.sort)
	}
	if s.sort == facts.SortLastLogin { // anything can be a time
		order = "n > {gathered} DESC, " + order
	} else {
		first = fmt.Sprintf("CASE WHEN u.n <= {gathered} THEN %s ELSE %s END", first, w.foremost(s))
	}
	if s.continued {
		after = w.behind(s)
	}
	if !s.everywhere {
		hit += " AND COALESCE(" + w.within("u.id", "a.user_id::text", "{location}") + ", false)"
	}
	return fmt.Sprintf(`page AS (SELECT u.id, %[2]s AS one, %[3]s AS two, u.hit, u.place FROM (
  SELECT u.*, u.n <= {gathered} AND %[8]s AS hit, CASE WHEN u.n <= {gathered} THEN row_number() OVER () ELSE %[9]d END AS place FROM (
    SELECT * FROM (SELECT u.*, %[4]s AS first, %[5]s AS second FROM (
      SELECT u.id::text COLLATE "C" AS id, %[10]s, row_number() OVER () AS n FROM {users} u WHERE %[6]s LIMIT {gathered} + 1) u OFFSET 0) u
    WHERE %[7]s OR u.n > {gathered} ORDER BY %[1]s LIMIT {walked}) u) u
  WHERE u.hit OR u.place IN (%[9]d, {walked}) LIMIT $1)`, order, one, two, first, second, w.matches(s), after, hit, tooMany, columns)
}

// behind returns a condition that a gathered user is after the cursor.
func (w writer) behind(s listShape) string {
	first, second := w.cursorKeys(s)
	next := ">"
	if s.descending {
		next = "<"
	}
	return fmt.Sprintf("((first, second) %[3]s (%[1]s, %[2]s) OR first = %[1]s AND second = %[2]s AND id > {after})", first, second, next)
}

// walk returns the CTE of a page from users in the order of the list. Its parts follow each other: those that are equal to
// the cursor, and those after them; UNION ALL keeps that order. The last row is also there if it is no hit, so that the list
// can continue behind it.
func (w writer) walk(s listShape) string {
	var parts []string
	part := func(number int, condition, order string) {
		if w.alongInactive(s) {
			condition += " AND u.status IS DISTINCT FROM 'active'" // as the indexes say it
		}
		one, two := w.values(s)
		parts = append(parts, fmt.Sprintf(`(SELECT u.id::text COLLATE "C" AS id, u.given, u.family, u.username, u.default_location, u.last_login, u.status%s, %s AS one, %s AS two, %d AS part
  FROM {users} u WHERE %s ORDER BY %s LIMIT {walked})`, w.searchColumn(), w.stored(s, one), two, number, condition, order))
	}
	hit := "true"
	first, second := w.keys(s, w.stored(s, ""), "u.given::text")
	id := `u.id::text COLLATE "C"`
	next := ">"
	if s.descending {
		next = "<"
	}
	keys, cursor := first, ""
	if s.continued {
		c1, c2 := w.cursorKeys(s)
		keys, cursor = "("+first+", "+second+")", "("+c1+", "+c2+")"
		if s.sort != facts.SortName {
			keys, cursor = first, c1
		}
	}
	order := w.order(s, first, second, id)
	present := "true"
	if s.sort == facts.SortDefaultLocation { // what is absent is another part
		present = fmt.Sprintf("%s %s %s", first, map[bool]string{false: "<", true: ">"}[s.descending], w.absent(s))
		if s.continued {
			present += " AND {after one} <> ''"
		}
	}
	if s.continued {
		part(1, fmt.Sprintf("%s AND %s = %s AND %s > {after}", present, keys, cursor, id), id)
		part(1, fmt.Sprintf("%s AND %s %s %s", present, keys, next, cursor), order)
	} else {
		part(1, present, order)
	}
	if s.sort == facts.SortDefaultLocation {
		condition := "true"
		if s.continued {
			condition = fmt.Sprintf("%s > CASE WHEN {after one} = '' THEN {after} ELSE '' END", id)
		}
		part(2, condition, id)
		hit = "(u.part = 1) = " + w.visible(s, "u.default_location::text")
	}
	hit += " AND " + w.among(s)
	if !s.everywhere {
		hit += " AND COALESCE(" + w.within("u.id", "a.user_id::text", "{location}") + ", false)"
	}
	one := "u.one"
	if s.sort == facts.SortDefaultLocation {
		one = "CASE WHEN u.part = 1 THEN u.one ELSE '' END"
	}
	return fmt.Sprintf(`page AS (SELECT * FROM (SELECT u.id, %s AS one, u.two, %s AS hit, row_number() OVER () AS place FROM (
  SELECT * FROM (%s) v LIMIT {walked}) u) u WHERE u.hit OR u.place = {walked} LIMIT $1)`, one, hit, strings.Join(parts, "\n  UNION ALL "))
}
