package cache

import (
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// entry is a record in memory. It is immutable except for cached values that are computed from it.
type entry struct {
	freshness.Provenance
	validator *record.Validator // the validator that validated the record
	bytes     int

	user    *account     // nil unless the record is a user
	hash    [32]byte     // of the content in the encoding of the shared store; see contentHash
	tree    *record.Tree // nil unless the record is an organization
	pointer string       // if the record is a pointer: the id of a user or a root
	parts   *parts       // nil unless the record is parts of an organization, which memory does not keep

	hashLater func() [32]byte // computes hash; nil if it is known
}

// contentHash returns the hash of the content in the encoding of the shared store.
func (e *entry) contentHash() [32]byte {
	if e.hashLater != nil {
		return e.hashLater()
	}
	return e.hash
}

func newEntry(began freshness.Provenance, key membership.Key, v *record.Validator) *entry {
	e := &entry{Provenance: began, validator: v}
	e.Key = key
	return e
}

// setTree makes the entry that of an organization.
func (e *entry) setTree(t *record.Tree) {
	e.tree, e.Locations = t, freshness.NewLocationSet(t)
}

// Approximate sizes of entries with all values computed from them, in bytes, measured on generated directories. The
// encoded content comes on top.
const (
	entryBytes      = 500 // each entry
	accountBytes    = 400
	assignmentBytes = 260 // each
	treeBytes       = 2000
	locationBytes   = 250 // each
	builtBytes      = 950 // each location that keeps what was built from it
)

// userBytes returns the approximate size of the entry of a user.
func userBytes(u *record.User, content []byte) int {
	return entryBytes + accountBytes + assignmentBytes*len(u.Assignments) + len(content)
}

// organizationBytes returns the approximate size of the entry of an organization.
func organizationBytes(locations []record.Location, content []byte) int {
	return entryBytes + treeBytes + locationBytes*len(locations) + builtBytes*min(len(locations), facts.MaxBuiltLocations) + len(content)
}

// comparable reports whether the versions of two entries can be compared: the origin assigned both, in the same history.
func (e *entry) comparable(other *entry) bool {
	return e.Versioned() && other.Versioned() && e.History == other.History
}

// newer reports whether an entry must not be replaced by another entry of the same record.
func (e *entry) newer(other *entry) bool {
	switch {
	case e.comparable(other) && e.Version != other.Version:
		return e.Version > other.Version
	case e.Order > 0 && other.Order > 0: // synthetic versions only reflect the order of arrival
		return e.Order > other.Order
	case e.Event > 0 && other.Event > 0 && e.Event != other.Event:
		return e.Event > other.Event
	}
	return e.AsOf.After(other.AsOf)
}
