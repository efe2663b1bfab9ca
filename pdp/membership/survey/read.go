package survey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// MaxRead is the maximum size of all records that [Read] keeps, in bytes.
const MaxRead = 1 << 30

// Reading is what [Read] has read.
type Reading struct {
	AsOf     time.Time         // the moment of a snapshot, by its own clock; otherwise when reading began
	Document *record.Document  // the records that have no fault
	Digest   [sha256.Size]byte // of all records as they were delivered, whatever their order
	LeftOut  *record.Faults    // of the records that are not in the document; nil if all are
}

// Read reads a whole directory, with the checks of [Run]. It leaves out each user who has a fault, each organization that has one, and
// who is assigned there, since nothing can be decided about them. The error says that not everything could be read.
//
// What changes meanwhile is read before or after it changes, or not at all, unless the origin is a [membership.Snapshot].
func Read(ctx context.Context, cfg Config) (*Reading, error) {
	s := newSurvey(cfg)
	asOf := time.Now()
	if snapshot, ok := cfg.Origin.(membership.Snapshot); ok {
		asOf = snapshot.AsOf()
	}
	s.kept = &kept{Reading: Reading{AsOf: asOf, Document: &record.Document{}}, suspended: map[string]bool{}, twice: map[string]bool{}}
	if err := s.locations(ctx); err != nil {
		return nil, err
	}
	if err := s.users(ctx); err != nil {
		return nil, err
	}
	return s.kept.reading(s.faults), nil
}

// kept is what Read keeps.
type kept struct {
	Reading
	size      int
	digests   [][sha256.Size]byte // of the records
	faulty    []span              // organizations, among the locations
	spans     []span              // all of them
	suspended map[string]bool     // locations that were left out
	twice     map[string]bool     // ids of several users, or of one that cannot be read
}

// span is the locations of an organization.
type span struct{ from, to int }

func (k *kept) reading(faults *record.Faults) *Reading {
	if faults.Err() != nil {
		k.LeftOut = faults
	}
	d := k.Document
	d.Users = slices.DeleteFunc(d.Users, func(u record.User) bool { return k.twice[u.ID] })
	slices.SortFunc(k.digests, func(a, b [sha256.Size]byte) int { return slices.Compare(a[:], b[:]) })
	all := sha256.New()
	for _, one := range k.digests {
		all.Write(one[:])
	}
	all.Sum(k.Digest[:0])
	return &k.Reading
}

// add counts a record as delivered.
func (k *kept) add(raw []byte) error {
	if k.size += len(raw); k.size > MaxRead {
		return fmt.Errorf("the directory has more than %d bytes", MaxRead)
	}
	k.digests = append(k.digests, sha256.Sum256(raw))
	return nil
}

// keepOrganization notes an organization, whose locations are the last ones, from a number on.
func (s *survey) keepOrganization(raw []byte, from, to int, faulty bool) error {
	k := s.kept
	if k == nil {
		return nil
	}
	k.spans = append(k.spans, span{from, to})
	if faulty {
		k.faulty = append(k.faulty, span{from, to})
	}
	return k.add(raw)
}

var errTooManyFaults = errors.New("the locations have too many faults")

// keepLocations keeps the organizations in which there are no faults.
func (s *survey) keepLocations(all []record.Location, faults *record.Faults) error {
	k := s.kept
	if k == nil {
		return nil
	}
	about := faults.Subjects()
	if len(about) < faults.Count() {
		return errTooManyFaults
	}
	faulty := map[string]bool{}
	for _, one := range about {
		faulty[one.ID] = true
	}
	for _, at := range k.spans {
		locations := all[at.from:at.to]
		if slices.Contains(k.faulty, at) || slices.ContainsFunc(locations, func(l record.Location) bool { return faulty[l.ID] }) {
			for i := range locations {
				k.suspended[locations[i].ID] = true
			}
			continue
		}
		k.Document.Locations = append(k.Document.Locations, locations...)
	}
	return nil
}

// checkKept adds a fault to a user who cannot be kept because an organization is not.
func (s *survey) checkKept(u *record.User) {
	if s.kept == nil {
		return
	}
	if s.ids[hashOf(u.ID)] {
		s.kept.twice[u.ID] = true
	}
	for _, a := range u.Assignments {
		if s.kept.suspended[a.Location] {
			s.fault(u.About, "the organization of the assignment at %s has faults", membership.Quote(a.Location))
		}
	}
}

// keepUser keeps a user; nil has been delivered and has faults.
func (s *survey) keepUser(raw membership.RawRecord, u *record.User) error {
	if s.kept == nil {
		return nil
	}
	if u != nil {
		s.kept.Document.Users = append(s.kept.Document.Users, *u)
	}
	if raw.Fault != nil {
		return s.kept.add([]byte(raw.ID))
	}
	return s.kept.add(raw.Record)
}

// ReadTwice is like [Read], for an origin that is not at one moment. Records that differ between two readings, one after the other, have
// a fault and are in the document as they were at last; the others were so at the moment between the two.
func ReadTwice(ctx context.Context, cfg Config) (*Reading, error) {
	first, err := Read(ctx, cfg)
	if err != nil {
		return nil, err
	}
	last, err := Read(ctx, cfg)
	if err != nil || first.Digest == last.Digest {
		return last, err
	}
	if last.LeftOut == nil {
		last.LeftOut = &record.Faults{}
	}
	last.changedSince(first)
	if last.LeftOut.Err() == nil { // they were only delivered otherwise
		last.LeftOut = nil
	}
	return last, nil
}

// changedSince adds a fault to each record that differs from an earlier reading, or is in one of the two alone.
func (r *Reading) changedSince(earlier *Reading) {
	fault := func(about record.Subject) { r.LeftOut.Add(about, "it changed while the directory was read") }
	locations := map[string]*record.Location{}
	for i := range earlier.Document.Locations {
		l := &earlier.Document.Locations[i]
		locations[l.ID] = l
	}
	for _, l := range r.Document.Locations {
		if was := locations[l.ID]; was == nil || was.LocationRecord != l.LocationRecord {
			fault(l.About)
		}
		delete(locations, l.ID)
	}
	for _, l := range locations {
		fault(l.About)
	}
	users := make(map[string]*record.User, len(earlier.Document.Users))
	for i := range earlier.Document.Users {
		u := &earlier.Document.Users[i]
		users[u.ID] = u
	}
	for _, u := range r.Document.Users {
		if was := users[u.ID]; was == nil || !record.SameUser(was.UserRecord, u.UserRecord) {
			fault(u.About)
		}
		delete(users, u.ID)
	}
	for _, u := range users {
		fault(u.About)
	}
}
