//go:build !race

package main

import "testing"

// fewerQuestions reports whether a test that asks many questions or starts many servers, one after another, should do so less often:
// under the race detector, which makes each question ten times slower. `make test` then runs it once more, without the detector, and must
// name it.
func fewerQuestions(*testing.T) bool { return false }
