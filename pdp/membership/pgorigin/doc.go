// Package pgorigin reads membership facts from PostgreSQL: three tables or views, in the shapes of
// policies/DOMAIN.md section 1.
//
// It listens to notifications of changes, and proves in each heartbeat that every write is announced (evidence.go). Start
// reading at origin.go; the SQL is in queries.go and lists.go, listening in listen.go, and importing a directory in import.go.
package pgorigin
