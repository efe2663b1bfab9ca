// Package counterfactual changes one fact of a question, or one part of the question itself, to another value that it could
// have, and gives the question and the view of the directory in which it is so. It decides nothing: package pdp asks the policy
// about each change. Start reading at [World.Changes].
package counterfactual
