package cache

import (
	"sync/atomic"
)

// counters say how often what was done.
type counters struct {
	memory    atomic.Uint64 // facts served by the in-process tier
	shared    atomic.Uint64 // by the shared tier
	origin    atomic.Uint64 // questions to the origin
	failures  atomic.Uint64 // of them not answered
	lagging   atomic.Uint64 // of them answered with what is older than known
	conflicts atomic.Uint64 // records whose content changed without their version
	fallbacks atomic.Uint64 // facts served within their budget since the origin could not be reached
	refused   atomic.Uint64 // values of the shared tier that were not trusted
	lostPuts  atomic.Uint64 // values that the shared tier did not take
}
