// Package announcement parses the body of POST /v1/membership/changes, with which an application announces changes in
// its system of record. Parsing is strict: an unknown member is an error, because a misspelled member could mean a lost
// revocation. The package does not announce anything, and does not validate records against the rules of a directory.
// Start reading at [Parse].
package announcement
