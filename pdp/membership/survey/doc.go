// Package survey reads everything that an origin has and reports its faults. `wardkeeper directory check` runs it, for
// example before a source goes into production. It changes nothing. Start with [Run].
package survey
