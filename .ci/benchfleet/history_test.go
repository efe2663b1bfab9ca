package benchfleet

import (
	"fmt"
	"sync"
	"time"
)

const (
	maxAge = 5 * time.Second // the default of facts that are not confirmed, for a question about a change
	// tolerance is for what a busy machine takes from the look at a fact's age to the answer. Nothing is tolerated of confirmed facts.
	tolerance = time.Second
)

// history has the writes, and what the sidecars said.
type history struct {
	mu        sync.Mutex
	committed map[string][]write // by record, in order
	reads     []read
	failures  int
	reasons   map[string]int // of failures
}

// write is a version of a record, and when its commit had returned.
type write struct {
	version uint64
	at      time.Time
}

// read is one record of an answer.
type read struct {
	sidecar int
	record  string
	version uint64
	vouched bool
	at      time.Time // when it was asked
}

func (h *history) do(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *history) wrote(record string, version uint64) {
	at := time.Now()
	h.do(func() { h.committed[record] = append(h.committed[record], write{version, at}) })
}

// violations lists the reads that are older than they may be.
func (h *history) violations() (all []string) {
	for _, r := range h.reads {
		for _, next := range h.committed[r.record] {
			if next.version <= r.version {
				continue
			}
			if late := r.at.Sub(next.at); r.vouched && late > *lease || late > maxAge+tolerance {
				all = append(all, fmt.Sprintf("sidecar %d gave version %d of %s %v after version %d, vouched: %t", r.sidecar, r.version, r.record, late, next.version, r.vouched))
			}
			break
		}
	}
	return all
}

// counts returns how many reads there were, and how many of confirmed facts, and the answers that failed.
func (h *history) counts() (reads, vouched, failures int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.reads {
		if r.vouched {
			vouched++
		}
	}
	return len(h.reads), vouched, h.failures
}
