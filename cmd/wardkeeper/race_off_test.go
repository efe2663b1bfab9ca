//go:build !race

package main

import "testing"

// fewerQuestions reports whether a test that asks many questions, one after another, should ask only some of them: under the
// race detector, which makes each of them ten times slower. `make test` then runs it once more, without the detector, and must
// name it.
func fewerQuestions(*testing.T) bool { return false }
