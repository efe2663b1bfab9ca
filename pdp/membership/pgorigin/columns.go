package pgorigin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// column is a column that a table or view needs.
type column struct {
	name     string
	wanted   string // the type that an error names
	optional bool
	accepts  func(t columnType) bool
}

// columnType is the type of a column; for a domain, its base type.
type columnType struct {
	name     string
	category string // pg_type.typcategory
}

// textual accepts types whose values are read as text: texts, enumerations, UUIDs, and numbers, because many ids are
// numbers.
func textual(t columnType) bool {
	return strings.Contains("SEN", t.category) || t.name == "uuid"
}

// instantaneous refuses times without a time zone, because they would be read in that of the session.
func instantaneous(t columnType) bool { return t.name == "timestamptz" }

func structured(t columnType) bool { return t.name == "jsonb" || t.name == "json" }

func whole(t columnType) bool {
	return slices.Contains([]string{"int2", "int4", "int8", "numeric"}, t.name)
}

func texts(names ...string) []column {
	all := make([]column, len(names))
	for i, name := range names {
		all[i] = column{name: name, wanted: "text", accepts: textual}
	}
	return all
}

// searchColumn has the folded texts in which a list searches; see [Schema].
var searchColumn = column{name: "wardkeeper_search", wanted: "text", optional: true, accepts: textual}

// present says which optional parts the tables have.
type present struct {
	userVersions, locationVersions bool
	search                         bool // the column for searches
	trigrams                       bool // an index of the trigrams of that column
	short                          bool // an index of its texts of one and two characters
	inactive                       bool // indexes of the users who are not active, in each order
}

var versionColumn = column{name: "version", wanted: "a bigint", optional: true, accepts: whole}

// columnsOf lists the columns of the three tables, as in [Schema].
var columnsOf = [...][]column{
	append(texts("id", "username", "title", "given", "family", "status", "default_location"),
		column{name: "last_login", wanted: "a timestamptz, which has a zone", accepts: instantaneous}, versionColumn, searchColumn),
	append(texts("user_id", "location", "role", "status", "profession", "registration_number"),
		column{name: "access", wanted: "a jsonb", accepts: structured}),
	append(texts("id", "name", "kind", "parent", "model", "plan"), versionColumn),
}

// columnsError lists all faults of the columns.
type columnsError struct {
	faults  []string
	missing bool // whether a table is
}

// Is reports whether target is one of the two contract errors.
func (e *columnsError) Is(target error) bool {
	return target == membership.ErrContract || target == membership.ErrSchema
}

func (e *columnsError) Error() string {
	text := "the tables do not have the columns that are needed: " + strings.Join(e.faults, "; ")
	if e.missing {
		text += ": `wardkeeper directory schema` prints tables, `wardkeeper directory import FILE --to URL` makes and fills them, " +
			"and membership.postgres names others"
	}
	return text
}

// querier is a connection or a pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// checkColumns reports which optional columns and indexes the tables have. The error is a [*columnsError] if a table or
// column is missing or has a type that cannot be read.
func checkColumns(ctx context.Context, db querier, t tables) (has present, err error) {
	names := []string{t.users, t.assignments, t.locations}
	const ask = `WITH RECURSIVE named AS (SELECT n, to_regclass(name) AS id FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n)),
types(n, name, type) AS (
  SELECT named.n, a.attname, a.atttypid FROM named JOIN pg_attribute a ON a.attrelid = named.id AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT types.n, types.name, t.typbasetype FROM types JOIN pg_type t ON t.oid = types.type WHERE t.typtype = 'd')
SELECT named.n, t.name::text, ty.typname::text, ty.typcategory::text, format_type(ty.oid, NULL)
FROM named LEFT JOIN (types t JOIN pg_type ty ON ty.oid = t.type AND ty.typtype <> 'd') ON t.n = named.n WHERE named.id IS NOT NULL`
	rows, err := db.Query(ctx, ask, names)
	if err != nil {
		return present{}, err
	}
	type found struct {
		columnType
		display string
	}
	columns := [len(columnsOf)]map[string]found{}
	var n int
	var attribute, typeName, category, display *string
	if _, err := pgx.ForEachRow(rows, []any{&n, &attribute, &typeName, &category, &display}, func() error {
		if columns[n-1] == nil {
			columns[n-1] = map[string]found{}
		}
		if attribute != nil {
			columns[n-1][*attribute] = found{columnType{*typeName, *category}, *display}
		}
		return nil
	}); err != nil {
		return present{}, err
	}
	wrong := &columnsError{}
	for i, needed := range columnsOf {
		name := strings.ReplaceAll(names[i], `"`, "")
		if columns[i] == nil {
			wrong.faults, wrong.missing = append(wrong.faults, fmt.Sprintf("there is no table or view %s", name)), true
			continue
		}
		for _, c := range needed {
			switch has, ok := columns[i][c.name]; {
			case !ok && !c.optional:
				wrong.faults = append(wrong.faults, fmt.Sprintf("%s.%s is missing", name, c.name))
			case ok && !c.accepts(has.columnType):
				wrong.faults = append(wrong.faults, fmt.Sprintf("%s.%s is of type %s: it must be %s", name, c.name, has.display, c.wanted))
			}
		}
	}
	if len(wrong.faults) > 0 {
		return present{}, wrong
	}
	_, has.userVersions = columns[0]["version"]
	_, has.locationVersions = columns[2]["version"]
	if _, has.search = columns[0][searchColumn.name]; has.search {
		if has.trigrams, err = hasTrigrams(ctx, db, t); err != nil {
			return has, err
		}
		if has.short, err = hasShort(ctx, db, t); err != nil {
			return has, err
		}
	}
	has.inactive, err = hasInactive(ctx, db, t)
	return has, err
}

// hasTrigrams reports whether an index of trigrams finds texts of the column for searches.
func hasTrigrams(ctx context.Context, db querier, t tables) (found bool, err error) {
	rows, err := db.Query(ctx, `SELECT EXISTS (SELECT FROM pg_index i
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = $2 AND i.indkey::text = a.attnum::text
  JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcname = 'gin_trgm_ops'
  WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL)`, t.users, searchColumn.name)
	if err != nil {
		return false, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
}

// hasShort reports whether an index finds texts of one and two characters in the column for searches.
func hasShort(ctx context.Context, db querier, t tables) (found bool, err error) {
	rows, err := db.Query(ctx, `SELECT EXISTS (SELECT FROM pg_index i
  JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcname = 'array_ops' JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'gin'
  WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL AND i.indnatts = 1
  AND pg_get_expr(i.indexprs, i.indrelid) ~ '^string_to_array.*regexp_replace.*wardkeeper_search.*regexp_replace.*substr.*regexp_replace')`, t.users)
	if err != nil {
		return false, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
}

// hasInactive reports whether indexes have the users who are not active, by id and in each order of a list.
func hasInactive(ctx context.Context, db querier, t tables) (found bool, err error) {
	rows, err := db.Query(ctx, `SELECT count(*) >= $2::int FROM pg_index i
  WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND pg_get_expr(i.indpred, i.indrelid) ~ '^\(+status\)*(::text)? IS DISTINCT FROM ''active'''`,
		t.users, 1+2*len(membership.SortKeys))
	if err != nil {
		return false, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
}
