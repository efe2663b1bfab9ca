// Package decisionpoint is an AuthZEN decision point for tests of enforcement points. It plays a script: the id of the
// resource selects an allow, a denial, or one of many ways in which a server can fail. It decides nothing, and records the
// requests. Start reading at [Start]; [Behaviors] lists the ids.
package decisionpoint
