// Package sampledata makes up directories of any size for demonstrations, load tests and benchmarks: whole organizations of each
// model with people who work in them, the same for the same seed. No name in it is anybody's. Start with [Write].
package sampledata
