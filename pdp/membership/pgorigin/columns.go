package pgorigin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// column is one that a table or view has to have.
type column struct {
	name     string
	holds    string // what is in it, for people
	optional bool
	fits     func(t columnType) bool
}

// columnType is the type of a column, that beneath a domain.
type columnType struct {
	name     string
	category string // pg_type.typcategory
}

// What is written as text and nothing else: texts, enumerations, UUIDs, and numbers, as many ids are.
func textual(t columnType) bool {
	return strings.Contains("SEN", t.category) || t.name == "uuid"
}

// A time without a zone would be read in that of the session.
func instantaneous(t columnType) bool { return t.name == "timestamptz" }

func structured(t columnType) bool { return t.name == "jsonb" || t.name == "json" }

func whole(t columnType) bool {
	return slices.Contains([]string{"int2", "int4", "int8", "numeric"}, t.name)
}

func texts(names ...string) []column {
	all := make([]column, len(names))
	for i, name := range names {
		all[i] = column{name: name, holds: "text", fits: textual}
	}
	return all
}

var versionColumn = column{name: "version", holds: "a bigint", optional: true, fits: whole}

// columnsOf has the columns of the three tables. They are those of [Schema].
var columnsOf = [...][]column{
	append(texts("id", "username", "title", "given", "family", "status", "default_location"),
		column{name: "last_login", holds: "a timestamptz, which has a zone", fits: instantaneous}, versionColumn),
	append(texts("user_id", "location", "role", "status", "profession", "registration_number"),
		column{name: "access", holds: "a jsonb", fits: structured}),
	append(texts("id", "name", "kind", "parent", "model", "plan"), versionColumn),
}

// columnsError names everything that is wrong with the tables.
type columnsError struct {
	faults []string
}

// Is implements the interface of [errors.Is].
func (e *columnsError) Is(target error) bool {
	return target == membership.ErrContract || target == membership.ErrSchema
}

func (e *columnsError) Error() string {
	return "the tables do not have the columns that are needed: " + strings.Join(e.faults, "; ")
}

// querier is a connection, or a pool of them.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// checkColumns says which of the tables of users and of locations have versions. Its error is a [*columnsError] where a
// table or column is missing, or has a type that cannot be read.
func checkColumns(ctx context.Context, db querier, t tables) (userVersions, locationVersions bool, err error) {
	names := []string{t.users, t.assignments, t.locations}
	const ask = `WITH RECURSIVE named AS (SELECT n, to_regclass(name) AS id FROM unnest($1::text[]) WITH ORDINALITY AS t(name, n)),
types(n, name, type) AS (
  SELECT named.n, a.attname, a.atttypid FROM named JOIN pg_attribute a ON a.attrelid = named.id AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT types.n, types.name, t.typbasetype FROM types JOIN pg_type t ON t.oid = types.type WHERE t.typtype = 'd')
SELECT named.n, t.name::text, ty.typname::text, ty.typcategory::text, format_type(ty.oid, NULL)
FROM named LEFT JOIN (types t JOIN pg_type ty ON ty.oid = t.type AND ty.typtype <> 'd') ON t.n = named.n WHERE named.id IS NOT NULL`
	rows, err := db.Query(ctx, ask, names)
	if err != nil {
		return false, false, err
	}
	type found struct {
		columnType
		told string
	}
	present := [len(columnsOf)]map[string]found{}
	var n int
	var attribute, typeName, category, told *string
	if _, err := pgx.ForEachRow(rows, []any{&n, &attribute, &typeName, &category, &told}, func() error {
		if present[n-1] == nil {
			present[n-1] = map[string]found{}
		}
		if attribute != nil {
			present[n-1][*attribute] = found{columnType{*typeName, *category}, *told}
		}
		return nil
	}); err != nil {
		return false, false, err
	}
	wrong := &columnsError{}
	for i, columns := range columnsOf {
		name := strings.ReplaceAll(names[i], `"`, "")
		if present[i] == nil {
			wrong.faults = append(wrong.faults, fmt.Sprintf("there is no table or view %s", name))
			continue
		}
		for _, c := range columns {
			switch has, ok := present[i][c.name]; {
			case !ok && !c.optional:
				wrong.faults = append(wrong.faults, fmt.Sprintf("%s.%s is missing", name, c.name))
			case ok && !c.fits(has.columnType):
				wrong.faults = append(wrong.faults, fmt.Sprintf("%s.%s is of type %s: it must be %s", name, c.name, has.told, c.holds))
			}
		}
	}
	if len(wrong.faults) > 0 {
		return false, false, wrong
	}
	_, userVersions = present[0]["version"]
	_, locationVersions = present[2]["version"]
	return userVersions, locationVersions, nil
}
