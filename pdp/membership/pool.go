package membership

// Pool describes the connections to an [Origin] or a [Store].
type Pool struct {
	Name              string // "origin" or "shared"
	Used, Idle, Limit int    // connections
	Waits             uint64 // calls that had to wait for a connection
}

// Pooled is an [Origin] or a [Store] that keeps connections.
type Pooled interface {
	Pool() Pool
}
