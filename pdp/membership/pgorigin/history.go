package pgorigin

import (
	"fmt"
	"strings"
)

// history writes an expression for [membership.RawRecord.History]: another server process, another role of the server, another database and
// other tables have another one, and so do tables and a sequence of versions that were emptied or rewritten. It is part of
// each query, for two queries through a pooler may meet two servers.
//
// With fixed, names of tables are resolved when the query is parsed, as the names in its FROM are: a prepared query that goes
// on reading a table that the name no longer leads to must say so.
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

// literal is a text in SQL.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
