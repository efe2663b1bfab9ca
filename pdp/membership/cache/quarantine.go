package cache

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// maxQuarantined bounds how many records are named; more are refused all the same, and only counted while they are asked for.
const maxQuarantined = 1000

// quarantine names the records that break a rule of policies/DOMAIN.md section 1: no question is decided by them. It is safe for
// concurrent use.
type quarantine struct {
	log *slog.Logger

	mu        sync.Mutex
	validator *record.Validator // whose verdicts count
	records   map[membership.Key]suspended
	keep      time.Duration // what has not been found at fault for so long is not named any more
}

// suspended is how a quarantined record is named, why it is one, and when that was last found.
type suspended struct {
	name, why string
	at        time.Time
}

func newQuarantine(keep time.Duration, log *slog.Logger) *quarantine {
	return &quarantine{log: log, records: map[membership.Key]suspended{}, keep: keep}
}

// adopt begins anew, with what another judge says.
func (q *quarantine) adopt(j *record.Validator) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.validator = j
	clear(q.records)
}

// add names a record, once. What nobody's record is, or is asked for by somebody's username, has no name to go by.
func (q *quarantine) add(j *record.Validator, key membership.Key, cause error) {
	if key.Kind != membership.UsernamePointer && key.ID != "" {
		q.addAs(j, key.String(), key, cause)
	}
}

// addAs does by another name: a username is somebody's, and cannot be told.
func (q *quarantine) addAs(j *record.Validator, name string, key membership.Key, cause error) {
	why := reasonOf(cause)
	q.mu.Lock()
	before, known := q.records[key]
	named := j == q.validator && (known || len(q.records) < maxQuarantined)
	if named {
		q.records[key] = suspended{name, why, time.Now()}
	}
	q.mu.Unlock()
	if named && before.why != why {
		q.log.Error("record quarantined: questions that need it are not answered", "record", name, "faults", why)
	}
}

// remove says that a record is good, or gone.
func (q *quarantine) remove(j *record.Validator, key membership.Key) {
	q.mu.Lock()
	was, known := q.records[key]
	if known = known && j == q.validator; known {
		delete(q.records, key)
	}
	q.mu.Unlock()
	if known {
		q.log.Info("record is good again", "record", was.name)
	}
}

// names lists the quarantined records, sorted.
func (q *quarantine) names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.DeleteFunc(q.records, func(_ membership.Key, s suspended) bool { return time.Since(s.at) > q.keep })
	names := make([]string, 0, len(q.records))
	for _, s := range q.records {
		names = append(names, s.name)
	}
	slices.Sort(names)
	return names
}

// reasonOf words the faults of one record.
func reasonOf(cause error) string {
	faults, ok := cause.(*record.Faults)
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
