// Package review makes the access review: who may do what where, over how many, and by which rule, and whom nobody administers. The
// policy decides each question; questions whose facts differ in nothing but ids that the policy does not know are decided once.
// Start reading at [Run].
package review
