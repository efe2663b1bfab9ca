// Package plan evaluates Rego faster than OPA's interpreter does. OPA's planner turns a query and the rules that it needs
// into a program of a small register language (package ir). This package translates each statement into a Go closure over
// OPA's own values and calls OPA's own built-in functions. It knows OPA alone, and nothing of bundles or decisions.
//
// The values of an evaluation are those that OPA's interpreter (package topdown) would give; tests hold both against each
// other. A query that cannot be compiled is refused by [Compile]: the caller then interprets it. Tracing, coverage and
// partial evaluation stay with the interpreter.
//
// Start reading at [Compile], then translate.go for the statements and evaluate.go for what they run on.
package plan
