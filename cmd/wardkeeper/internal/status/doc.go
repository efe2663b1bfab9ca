// Package status tells how a running server is doing, by what it answers to everybody (/ready) and to operators (/v1/revision,
// /metrics). [Read] takes a snapshot, [Snapshot.Since] compares it with an earlier one, and [Report.Text] is for people. It
// measures nothing itself.
package status
