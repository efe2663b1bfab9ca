// Package sampledata generates directories of any size for demonstrations, load tests and benchmarks: organizations of
// every model, with the users who work in them. Equal seeds give equal directories. All names are invented; it uses no
// data of real people. Start reading at [Write].
package sampledata
