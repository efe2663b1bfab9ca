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

// maxQuarantined limits how many records are named. Records above the limit are still refused.
const maxQuarantined = 1000

// quarantine names the records that violate a rule of policies/DOMAIN.md section 1 and must not be used in decisions. It
// is safe for concurrent use.
type quarantine struct {
	log *slog.Logger

	mu        sync.Mutex
	validator *record.Validator // only faults found by this validator count
	records   map[membership.Key]suspended
	keep      time.Duration // a record whose fault has not been found again for this long is no longer named
}

// suspended is a quarantined record: its name in logs, its faults, and when they were last found.
type suspended struct {
	name, why string
	at        time.Time
}

func newQuarantine(keep time.Duration, log *slog.Logger) *quarantine {
	return &quarantine{log: log, records: map[membership.Key]suspended{}, keep: keep}
}

// reset empties the quarantine. From then on it accepts faults of another validator.
func (q *quarantine) reset(v *record.Validator) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.validator = v
	clear(q.records)
}

// add quarantines a record under the name of its key. An empty key or a username provides no name, so the record is not
// added.
func (q *quarantine) add(v *record.Validator, key membership.Key, cause error) {
	if key.Kind != membership.UsernamePointer && key.ID != "" {
		q.addAs(v, key.String(), key, cause)
	}
}

// addAs quarantines a record under another name, because a username is personal and must not be logged.
func (q *quarantine) addAs(v *record.Validator, name string, key membership.Key, cause error) {
	why := reasonOf(cause)
	q.mu.Lock()
	before, known := q.records[key]
	named := v == q.validator && (known || len(q.records) < maxQuarantined)
	if named {
		q.records[key] = suspended{name, why, time.Now()}
	}
	q.mu.Unlock()
	if named && before.why != why {
		q.log.Error("record quarantined: questions that need it are not answered", "record", name, "faults", why)
	}
}

// remove removes a record from the quarantine, because it is valid or no longer exists.
func (q *quarantine) remove(v *record.Validator, key membership.Key) {
	q.mu.Lock()
	was, known := q.records[key]
	if known = known && v == q.validator; known {
		delete(q.records, key)
	}
	q.mu.Unlock()
	if known {
		q.log.Info("record no longer quarantined", "record", was.name)
	}
}

// names returns the names of the quarantined records, sorted.
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

// reasonOf describes the faults of one record, at most ten of them.
func reasonOf(cause error) string {
	faults, ok := cause.(*record.Faults)
	if !ok {
		return cause.Error()
	}
	all := faults.All()
	const most = 10
	text := strings.Join(all[:min(len(all), most)], "; ")
	if len(all) > most {
		text += "; and more"
	}
	return text
}
