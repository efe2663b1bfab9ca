package pgorigin

import (
	"fmt"
	"strings"
)

// history returns an SQL expression for [membership.RawRecord.History]. It differs between server processes, between
// primary and standby, between databases and tables, and after tables or the version sequence were truncated or
// rewritten. It is part of each query, because two queries through a pooler may reach two servers.
//
// If fixed, table names are resolved when the query is parsed, like those in its FROM. A prepared statement that still reads
// a renamed table then returns that table's history.
func (t tables) history(fixed bool) string {
	facts := []string{
		"pg_relation_filepath('pg_catalog.pg_am'::regclass)", // names the database
		"(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint",
		"pg_is_in_recovery()",
	}
	for _, table := range []string{t.users, t.assignments, t.locations} {
		relation := literal(table) + "::regclass"
		if !fixed {
			relation = "to_regclass(" + literal(table) + ")"
		}
		facts = append(facts, relation+"::oid", "pg_relation_filepath("+relation+")")
	}
	sequence := "to_regclass(" + literal(t.versions) + ")"
	facts = append(facts, sequence+"::oid", "pg_relation_filepath("+sequence+")")
	return fmt.Sprintf("encode(substring(sha256(convert_to(concat_ws('/', %s), 'UTF8')) FROM 1 FOR 16), 'hex')", strings.Join(facts, ", "))
}

// literal returns a text as an SQL literal.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
