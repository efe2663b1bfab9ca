//go:build race

package pdp_test

// fewerQuestions says that generated tests take fewer questions: under the race detector, which slows everything down, and
// under -short.
func fewerQuestions() bool { return true }
