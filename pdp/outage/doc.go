// Package outage counts the failures of something that works again, so that an outage is two lines of the log however many
// failures it has: one when it begins, and one when it ends, which says how long it took and how often it failed.
package outage
