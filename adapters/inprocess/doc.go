// Package inprocess answers the questions of an enforcement point with an engine in the same process. The sidecar's own
// adapters use it, and so can Go programs that link the engine instead of asking a sidecar. It is the only adapter that
// depends on the engine and OPA, which keeps the others small. Start reading at [Decider.Decide].
package inprocess
