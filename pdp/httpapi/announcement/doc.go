// Package announcement parses the body of POST /v1/membership/changes, by which an application announces what has changed
// in its system of record. Parsing is strict: an unknown member is an error, because a misspelled one would be a lost
// revocation. The package does not announce anything and does not check records against the rules of a directory. Start
// reading at [Parse].
package announcement
