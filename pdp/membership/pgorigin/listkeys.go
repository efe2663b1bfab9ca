package pgorigin

import (
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// values returns the values by which u is sorted, as texts for a cursor. A default location in another organization is not
// visible, so it must not affect the order.
func (w writer) values(s listShape) (one, two string) {
	switch s.sort {
	case facts.SortUsername:
		return "u.username::text", "''::text"
	case facts.SortDefaultLocation:
		return fmt.Sprintf("CASE WHEN %s THEN u.default_location::text END", w.visible(s, "u.default_location::text")), "''::text"
	case facts.SortLastLogin:
		return "to_json(u.last_login) #>> '{}'", "''::text"
	}
	return "u.family::text", "u.given::text"
}

// stored returns the first value of u as its column has it, or else the given one.
func (w writer) stored(s listShape, other string) string {
	switch {
	case s.sort == facts.SortDefaultLocation:
		return "u.default_location::text"
	case other != "":
		return other
	}
	one, _ := w.values(s)
	return one
}

// visible returns a condition that a location is in the organization of the list, or at all in a list of the directory.
func (w writer) visible(s listShape, location string) string {
	above := location
	if !s.everywhere {
		above = "(SELECT id FROM top)"
	}
	return fmt.Sprintf("COALESCE((SELECT true FROM {locations} l0 %s WHERE l0.id::text = %s AND %s IN (l0.id::text, %s) LIMIT 1), false)",
		joinsAbove("l0.parent::text", 1), location, above, locationsAbove("l0.parent::text", 1))
}

// levels is how many locations can be above another; a valid tree has two.
const levels = 3

// joinsAbove joins the locations above one, numbered from first, and locationsAbove lists them.
func joinsAbove(parent string, first int) (sql string) {
	for i := first; i <= levels; i++ {
		sql += fmt.Sprintf("LEFT JOIN {locations} l%d ON l%d.id::text = %s ", i, i, parent)
		parent = fmt.Sprintf("l%d.parent::text", i)
	}
	return sql
}

func locationsAbove(parent string, first int) string {
	for i := first; i <= levels; i++ {
		parent += fmt.Sprintf(", l%d.parent::text", i)
	}
	return parent
}

// within returns a condition that a user has an assignment at or beneath a location. It looks from the few locations of a
// user upwards, because there can be many beneath. LIMIT keeps the planner from turning it into a join.
func (w writer) within(user, of, location string) string {
	return fmt.Sprintf("(SELECT true FROM {assignments} a %s WHERE %s = %s AND %s IN (a.location::text, %s) LIMIT 1)",
		joinsAbove("a.location::text", 1), of, user, location, locationsAbove("l1.parent::text", 2))
}

// matches returns a condition that u matches the text.
func (w writer) matches(s listShape) string {
	switch {
	case s.short && s.way == gatherText:
		return shortTexts + " @> ARRAY[{text}::text]"
	case s.short:
		return "strpos(u.wardkeeper_search, {text}) > 0"
	case w.search && !s.exact:
		return "u.wardkeeper_search LIKE {text}"
	}
	return fmt.Sprintf("(%s LIKE {text} OR %s LIKE {text})",
		canonical("CASE WHEN u.given::text <> '' AND u.family::text <> '' THEN u.given::text || ' ' || u.family::text ELSE COALESCE(u.given::text, '') || COALESCE(u.family::text, '') END"),
		canonical("COALESCE(u.username::text, '')"))
}

// shortTexts is SQL for an array of all texts of one and of two characters in the column for searches: the pairs that begin at the
// first, third ... character, those that begin at the second, fourth ..., and each character. An index in [Schema] has the same
// expression. A text with shortSeparator cannot be found in it.
const shortTexts = `string_to_array(regexp_replace(u.wardkeeper_search, '(..)', E'\\1\x1f', 'g') || E'\x1f' || regexp_replace(substr(u.wardkeeper_search, 2), '(..)', E'\\1\x1f', 'g') || E'\x1f' || regexp_replace(u.wardkeeper_search, '(.)', E'\\1\x1f', 'g'), E'\x1f')`

const shortSeparator = "\x1f"

func (w writer) searchColumn() string {
	if w.search {
		return ", u.wardkeeper_search"
	}
	return ""
}

// keys returns the sort keys for the values of u. An absent value sorts last in both directions. The indexes in [Schema] use
// the same expressions.
func (w writer) keys(s listShape, one, two string) (first, second string) {
	text := func(value string) string {
		return fmt.Sprintf("COALESCE(NULLIF(%s, ''), %s)", ordered("("+value+")"), w.absent(s))
	}
	switch s.sort {
	case facts.SortLastLogin:
		return fmt.Sprintf("COALESCE(u.last_login, %s)", w.absent(s)), "''::text"
	case facts.SortName:
		return text(one), text(two)
	}
	return text(one), "''::text"
}

// cursorKeys returns the sort keys for the values of the cursor.
func (w writer) cursorKeys(s listShape) (first, second string) {
	if s.sort == facts.SortLastLogin {
		return fmt.Sprintf("COALESCE(NULLIF({after one}::text, '')::timestamptz, %s)", w.absent(s)), "''::text"
	}
	return w.keys(s, "{after one}", "{after two}")
}

// order returns the expressions of ORDER BY.
func (w writer) order(s listShape, first, second, id string) string {
	direction := ""
	if s.descending {
		direction = " DESC"
	}
	if s.sort != facts.SortName {
		return fmt.Sprintf("%s%s, %s", first, direction, id)
	}
	return fmt.Sprintf("%s%s, %s%s, %s", first, direction, second, direction, id)
}

// ordered returns SQL for the folded text without the character that sorts absent values last, so that a name cannot
// hide a person. Of a text that is ASCII it is the lower case, which takes a tenth of the time.
func ordered(text string) string {
	return fmt.Sprintf(`CASE WHEN octet_length(%[1]s::text) = length(%[1]s::text) THEN lower(%[1]s::text COLLATE "C") ELSE translate(%[2]s, U&'\+10FFFF', U&'\+10FFFD') END`,
		text, folded(text))
}

// absent returns the key of an absent value.
func (w writer) absent(s listShape) string {
	switch {
	case s.sort == facts.SortLastLogin && s.descending:
		return "'-infinity'::timestamptz"
	case s.sort == facts.SortLastLogin:
		return "'infinity'::timestamptz"
	case s.descending:
		return "''"
	}
	return `U&'\+10FFFF'`
}

// foremost returns a key before those of all texts.
func (w writer) foremost(s listShape) string {
	s.descending = !s.descending
	return w.absent(s)
}
