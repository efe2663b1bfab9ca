// Package mutation measures how much the tests of a policy are worth: it holds mutants of the policy (package bundles/mutant)
// against the checks that a release passes, which are loading, the golden decisions and the Rego tests. Start reading at [Run].
package mutation
