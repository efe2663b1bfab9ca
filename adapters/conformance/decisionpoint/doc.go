// Package decisionpoint is an AuthZEN decision point that plays a script: the id of the resource says what it answers, be it an allow, a
// denial, or one of the many ways in which a server can go wrong. Tests of enforcement points ask it. It decides nothing, and keeps what
// it was asked. Start reading at [Start]; [Behaviors] lists the ids.
package decisionpoint
