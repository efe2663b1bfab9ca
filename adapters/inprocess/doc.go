// Package inprocess answers an enforcement point's questions by an engine in the same process: for the sidecar's own adapters, and for Go
// programs that link the engine instead of asking a sidecar. It is the only adapter that needs the engine and OPA, so that the others stay
// small. Start reading at [Decider.Decide].
package inprocess
