package review

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// A key has all that the facts of a question have, with numbers instead of the ids of locations: two questions with the same key are
// one question about people and places of other names. A text that the policy knows stands for itself.

// numbered are the locations that have a number in the key.
type numbered struct {
	order    []*facts.Location
	pathKey  int // how much of the key, and how many of the locations, are the path of the location where the role is held
	path     int
	holder   *facts.User // whose key is behind the path; nil for nobody's
	holdsAt  *location
	ownKey   int // the same of the holder
	ownOrder int
}

// numberPath begins a key with a location and those above it.
func (r *run) numberPath(at *location) {
	r.order, r.key = r.order[:0], r.key[:0]
	r.number(at.Location)
	r.pathKey, r.path = len(r.key), len(r.order)
	r.holder, r.holdsAt = nil, at
}

// number writes a location as the number that it has, or as the nearest location above it that has one, and those beneath that.
func (r *run) number(l *facts.Location) {
	var few [8]*facts.Location
	fresh, above := few[:0], -1
	for at := l; at != nil && above < 0; at = at.Parent() {
		if above = slices.Index(r.order, at); above < 0 {
			fresh = append(fresh, at)
		}
	}
	r.count(above + 1)
	r.count(len(fresh))
	for _, at := range slices.Backward(fresh) {
		r.order = append(r.order, at)
		r.key = append(r.key, r.keyOf(at)...)
	}
}

// keyOf returns what a key has of a location that gets a number.
func (r *run) keyOf(l *facts.Location) []byte {
	if known := r.keyOfLocation[l]; known != nil {
		return known
	}
	before := r.key
	r.key = nil
	r.text(l.Kind())
	r.name(l.ID())
	if l.Parent() == nil {
		r.text(l.Model())
		r.text(l.Plan())
	}
	r.keyOfLocation[l], r.key = r.key, before
	return r.keyOfLocation[l]
}

func (r *run) count(n int) { r.key = binary.AppendUvarint(r.key, uint64(n)) }

func (r *run) flag(set bool) {
	if set {
		r.count(1)
		return
	}
	r.count(0)
}

// text writes a text that is one of few.
func (r *run) text(s string) {
	word, known := r.words[s]
	if !known {
		word = r.word(s)
		r.words[s] = word
	}
	r.count(word)
}

// name writes a text if the policy knows it, and otherwise whether there is one.
func (r *run) name(s string) {
	r.flag(s != "")
	if r.names[s] {
		r.count(1)
		r.text(s)
		return
	}
	r.count(0)
}

// holds makes the key that of a user who asks, behind the path of the location where the role is held.
func (r *run) holds(u *facts.User, at *location) {
	if r.holdsAt != at {
		r.numberPath(at)
	}
	if r.holder == u {
		r.key, r.order = r.key[:r.ownKey], r.order[:r.ownOrder]
		return
	}
	r.key, r.order = r.key[:r.pathKey], r.order[:r.path]
	r.user(u, r.seenBy(at.Organization()))
	r.holder, r.ownKey, r.ownOrder = u, len(r.key), len(r.order)
}

// holdsAnywhere makes the key that of a user who asks, with what they have in other organizations.
func (r *run) holdsAnywhere(u *facts.User, at *location) {
	if !isElsewhere(u, at.Organization()) {
		r.holds(u, at)
		return
	}
	r.numberPath(at)
	r.user(u, facts.AnyOrganization)
	r.holdsAt = nil
}

// isElsewhere reports whether a user has an assignment in another organization.
func isElsewhere(u *facts.User, organization string) bool {
	return slices.ContainsFunc(u.Assignments(), func(a facts.Assignment) bool { return a.At.Organization() != organization })
}

// groupKey tells holders apart who do not stand in the same relation to everybody else: they differ in more than the role at the
// location, or above it, or in what they have in other organizations.
func (r *run) groupKey(u *facts.User, at *location) string {
	r.holds(u, at)
	key := slices.Clone(r.key)
	for _, other := range r.order[r.path:] {
		key = binary.AppendUvarint(key, uint64(len(other.ID())))
		key = append(key, other.ID()...)
	}
	if isElsewhere(u, at.Organization()) {
		key = append(key, r.profile(u, facts.AnyOrganization)...)
	}
	return string(key)
}

// userKey is what a key has of a user, but for the numbers of locations.
type userKey struct {
	head        []byte
	assignments []assignmentKey
}

type assignmentKey struct {
	at   *facts.Location
	tail []byte
}

// seenBy returns the organization whose view of a user a policy has in questions with a current location in one.
func (r *run) seenBy(organization string) string {
	if r.seesAll {
		return facts.AnyOrganization
	}
	return organization
}

// user writes what one organization sees of a user.
func (r *run) user(u *facts.User, organization string) {
	var k *userKey
	if organization == r.seenBy(r.root.ID()) {
		if k = r.keyOfUser[u]; k == nil {
			k = r.newUserKey(u, organization)
			r.keyOfUser[u] = k
		}
	} else {
		k = r.newUserKey(u, organization)
	}
	r.key = append(r.key, k.head...)
	for _, a := range k.assignments {
		r.number(a.at)
		r.key = append(r.key, a.tail...)
	}
}

func (r *run) newUserKey(u *facts.User, organization string) *userKey {
	before := r.key
	defer func() { r.key = before }()
	r.key = nil
	rec := u.Record()
	r.text(rec.Status)
	r.name(rec.ID)
	r.name(rec.Username)
	r.name(rec.DefaultLocation)
	all := u.Assignments()
	var few [8]*facts.Assignment
	own := few[:0]
	for i := range all {
		if organization == facts.AnyOrganization || all[i].At.Organization() == organization {
			own = append(own, &all[i])
		}
	}
	r.flag(len(all) > len(own)) // whether the account is assigned anywhere else
	if len(own) > 1 {
		slices.SortStableFunc(own, func(a, b *facts.Assignment) int { return comparePairs(a.Role, b.Role, a.Status, b.Status) })
	}
	r.count(len(own))
	k := &userKey{head: r.key, assignments: make([]assignmentKey, len(own))}
	for i, a := range own {
		r.key = nil
		r.text(a.Role)
		r.text(a.Status)
		r.access(a)
		r.flag(a.Location == rec.DefaultLocation)
		k.assignments[i] = assignmentKey{a.At, r.key}
	}
	return k
}

func (r *run) access(a *facts.Assignment) {
	r.flag(a.Access != nil)
	if a.Access == nil {
		return
	}
	r.text(a.Access.Level)
	r.count(len(a.Access.Areas))
	if len(a.Access.Areas) == 0 {
		return
	}
	for _, area := range slices.Sorted(maps.Keys(a.Access.Areas)) {
		r.text(area)
		r.flag(a.Access.Areas[area])
	}
}
