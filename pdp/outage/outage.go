package outage

import (
	"sync"
	"time"
)

// Outage is the state of one thing that can fail. The zero Outage works. It is safe for concurrent use.
type Outage struct {
	mu       sync.Mutex
	since    time.Time // zero while it works
	failures int
}

// Failed counts a failure. It reports whether an outage begins with it: then it is to be logged.
func (o *Outage) Failed() (begins bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if begins = o.since.IsZero(); begins {
		o.since = time.Now()
	}
	o.failures++
	return begins
}

// Affected counts something else that failed because of the outage. It does not begin one.
func (o *Outage) Affected() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		o.failures++
	}
}

// Ended notes that it works. It returns the attributes of the line that says so, or nil if there was no outage.
func (o *Outage) Ended() (attrs []any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return nil
	}
	attrs = []any{"lasted_ms", time.Since(o.since).Milliseconds(), "failures", o.failures}
	o.since, o.failures = time.Time{}, 0
	return attrs
}
