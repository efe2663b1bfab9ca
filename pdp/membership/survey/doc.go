// Package survey reads all records of an origin and reports their faults. `wardkeeper directory check` runs it, for
// example before a source is used in production. It changes nothing. Start reading at [Run].
package survey
