// Package diagram holds functions of a few variables with small domains as multi-valued decision diagrams, which
// are shared: two functions that are equal are one node, so that cases that the rest of a computation cannot tell apart merge by
// themselves. The values of a function are those of Rego, among them collections whose elements depend on variables in turn
// ([Store]). It knows nothing of plans or policies. Start reading at [Diagrams], then [Store].
package diagram
