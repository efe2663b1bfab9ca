// Package guardtest has the tests that every implementation of [guard.Claims] must pass. It tests nothing else of guards. Start
// at [Run].
package guardtest
