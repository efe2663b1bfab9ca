//go:build race

package bundles_test

// raceDetector reports whether the race detector is on. It makes a test ten times slower, and `make test` also runs all tests
// of this package without it.
const raceDetector = true
