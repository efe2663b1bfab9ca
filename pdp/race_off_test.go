//go:build !race

package pdp_test

import "testing"

// fewerQuestions reports whether generated tests should ask fewer questions: under the race detector, which is slow, and
// with -short.
func fewerQuestions() bool { return testing.Short() }
