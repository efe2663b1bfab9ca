package pgorigin

import (
	_ "embed"
)

// Schema is SQL that creates the tables of a directory, with triggers that maintain versions and announce changes. It
// may be run again at any time. It runs in its own transaction.
//
//go:embed schema.sql
var Schema string

// Guards is SQL that makes the tables of [Schema] keep the rules that changes can break together. It may be run again at any
// time. It runs in its own transaction.
//
//go:embed guards.sql
var Guards string
