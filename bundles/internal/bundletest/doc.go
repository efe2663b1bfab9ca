// Package bundletest makes bundles for tests: good ones, and every kind that must be refused. Only tests import it.
// Start at [Release] and [Signed].
package bundletest
