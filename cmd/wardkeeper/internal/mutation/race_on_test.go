//go:build race

package mutation_test

// fewerMutants reports whether fewer mutants are to be compared: the race detector makes each ten times slower.
func fewerMutants() bool { return true }
