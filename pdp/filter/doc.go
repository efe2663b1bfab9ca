// Package filter turns what is left of a rule, once everything but the row of a table is known, into a condition on that row: as
// UCAST, or as SQL with parameters. It is for applications that select from their own tables the rows on which a rule holds.
//
// A condition never selects a row on which the rule does not hold. What cannot be expressed is refused with a
// [NotExpressible]. A column that is NULL is a member that the row lacks: no comparison with it holds, nor does a negated one.
// Start at [Translate].
package filter
