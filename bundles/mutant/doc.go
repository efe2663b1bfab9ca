// Package mutant makes small faults in a policy on purpose: a condition that is negated or left out, a rule that never holds, a
// comparison that is a little wider or narrower, a constant or a cell of a table that is another one. Tests that are worth
// something find them. It neither runs tests nor decides. Start reading at [Of].
package mutant
