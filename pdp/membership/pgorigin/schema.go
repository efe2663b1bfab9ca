package pgorigin

import (
	_ "embed"
)

// PostgresSchema is SQL that creates the tables of a directory, with what keeps their versions and tells of their changes.
// It may be run again at any time, and is a transaction of its own.
//
//go:embed schema.sql
var Schema string
