package membership

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxQuarantined bounds how many records are named; more are refused all the same, and only counted while they are asked for.
const maxQuarantined = 1000

// quarantine names the records that break a rule of DOMAIN.md section 1: no question is decided by them. It is safe for
// concurrent use.
type quarantine struct {
	log *slog.Logger

	mu      sync.Mutex
	records map[recordKey]suspended
}

// suspended is how a quarantined record is named, and why it is one.
type suspended struct{ name, why string }

func newQuarantine(log *slog.Logger) *quarantine {
	return &quarantine{log: log, records: map[recordKey]suspended{}}
}

// add names a record, once.
func (q *quarantine) add(key recordKey, cause error) { q.addAs(key.String(), key, cause) }

// addAs does by another name: a username is somebody's, and cannot be told.
func (q *quarantine) addAs(name string, key recordKey, cause error) {
	why := reasonOf(cause)
	q.mu.Lock()
	before, known := q.records[key]
	named := known || len(q.records) < maxQuarantined
	if named {
		q.records[key] = suspended{name, why}
	}
	q.mu.Unlock()
	if named && before.why != why {
		q.log.Error("record quarantined: questions that need it are not answered", "record", name, "faults", why)
	}
}

// remove says that a record is good, or gone.
func (q *quarantine) remove(key recordKey) {
	q.mu.Lock()
	was, known := q.records[key]
	delete(q.records, key)
	q.mu.Unlock()
	if known {
		q.log.Info("record is good again", "record", was.name)
	}
}

// names lists the quarantined records, sorted.
func (q *quarantine) names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	names := make([]string, 0, len(q.records))
	for one := range maps.Values(q.records) {
		names = append(names, one.name)
	}
	slices.Sort(names)
	return names
}

// reasonOf words the faults of one record.
func reasonOf(cause error) string {
	faults, ok := cause.(*Faults)
	if !ok {
		return cause.Error()
	}
	all := faults.All()
	const told = 10
	text := strings.Join(all[:min(len(all), told)], "; ")
	if len(all) > told {
		text += "; and more"
	}
	return text
}
