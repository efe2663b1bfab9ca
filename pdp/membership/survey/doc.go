// Package survey reads all records of an origin: to report their faults, as `wardkeeper directory check` does before a source is used
// in production, or to keep those that have none. It changes nothing. Start reading at [Run] and [Read].
package survey
