// Package plan evaluates Rego faster than OPA's interpreter does. OPA's planner turns a query and the rules that it needs
// into a program of a small register language (package ir). This package translates each statement into a Go closure over
// OPA's own values and calls OPA's own built-in functions. It knows OPA and the form of an input, and nothing of bundles or decisions.
//
// The values of an evaluation are those that OPA's interpreter (package topdown) would give; tests hold both against each
// other. There is one exception: rules that contradict each other. Here they are an error also where the interpreter does not come
// across the contradiction, because it stops early or evaluates a part of a rule's value; and what comes before an early stop may
// depend on the order of a set that is written with variables. A query that cannot be compiled, or for
// which a plan is known to differ, is refused by [Compile]: the caller then interprets it. refuse.go lists the constructs. Tracing,
// coverage and partial evaluation stay with the interpreter.
//
// Start reading at [Compile], then translate.go and statement.go for the translation and evaluate.go for what it runs on.
package plan
