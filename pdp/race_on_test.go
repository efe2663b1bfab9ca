//go:build race

package pdp_test

// fewerQuestions reports whether generated tests ask fewer questions: under the race detector, which is slow, and under
// -short.
func fewerQuestions() bool { return true }
