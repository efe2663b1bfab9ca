// Package survey reads everything that an origin has and reports what is wrong with it, for `directory check` and before a
// source is put to use. It changes nothing and keeps no records. Start with [Run].
package survey
