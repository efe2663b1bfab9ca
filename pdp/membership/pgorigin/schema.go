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

// UserList is SQL that creates the view of the filter of the user list over those tables. It may be run again as long as the
// columns of users are the same.
//
//go:embed user_list.sql
var UserList string
