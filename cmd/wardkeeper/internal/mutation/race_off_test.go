//go:build !race

package mutation_test

import "testing"

// fewerMutants reports whether fewer mutants are to be compared: under the race detector, and for the tests of the work at hand.
func fewerMutants() bool { return testing.Short() }
