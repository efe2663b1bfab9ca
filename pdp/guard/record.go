package guard

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Types of records. Users and locations that do not exist yet count as records of version 0.
const (
	User         = "user"
	Organization = "organization" // with all of its locations
	Location     = "location"     // one that does not exist yet
	Username     = "username"     // one that nobody has yet, as usernames are compared
)

// Record is a record that a decision stood on.
type Record struct {
	Type, ID string
	Version  uint64
	// State identifies what rules read of a user: unlike the version, it stays the same at a sign-in. "" for anything else.
	State string
	// Exclusive says that the change writes the record; otherwise it only depends on it.
	Exclusive bool
}

// Add adds a record to a list. A record that is there already is written if either says so.
func Add(records []Record, r Record) []Record {
	for i := range records {
		if records[i].Type == r.Type && records[i].ID == r.ID {
			records[i].Exclusive = records[i].Exclusive || r.Exclusive
			return records
		}
	}
	return append(records, r)
}

// StateOf returns the State of a user. Two processes with the same record agree on it, whatever versions their sources have.
func StateOf(u *facts.User) string {
	rec := u.Record()
	rec.LastLogin, rec.Assignments = time.Time{}, nil
	parts := []any{rec}
	for _, a := range u.Assignments() {
		parts = append(parts, a.AssignmentRecord)
	}
	return digest(parts...)
}

// digest returns a short hash of values that can be encoded as JSON.
func digest(parts ...any) string {
	data, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings, numbers, and objects of them
	}
	sum := sha256.Sum256(data)
	return string(sum[:16])
}
