//go:build !race

package smt_test

import "testing"

// fewerCases reports whether tests of many cases, one after another, should try only some: under the race detector, which makes
// each of them ten times slower, and with -short. `make test` also runs them without either.
func fewerCases() bool { return testing.Short() }
