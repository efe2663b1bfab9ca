package membership

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// account is a user as its record says, with what was joined of it last.
type account struct {
	draft  *userDraft
	shape  *Faults // of the record for itself
	joined atomic.Pointer[joinedUser]
}

// joinedUser is an account joined with certain trees. Where any of them has changed, it is joined anew.
type joinedUser struct {
	trees []*locationTree // by assignment; nil where the location is unknown
	user  *pdp.User
	err   error // a [*Faults], or another reason why nothing may be decided by it
}

// join gives the user of an entry, joined with the tree of each assignment.
func (e *record) join(trees []*locationTree) (*pdp.User, error) {
	a := e.user
	if j := a.joined.Load(); j != nil && slices.Equal(j.trees, trees) {
		return j.user, j.err
	}
	j := &joinedUser{trees: trees}
	j.user, j.err = e.judge.join(a.draft, a.shape, e.version, func(location string) *locationTree {
		for i := range a.draft.Assignments {
			if a.draft.Assignments[i].Location == location {
				return trees[i]
			}
		}
		return nil
	})
	a.joined.Store(j)
	return j.user, j.err
}

// quarantined is the failure of a question that needs a record which breaks a rule of DOMAIN.md section 1. What is known of
// the record all the same, the cause may have.
func quarantined(key recordKey, cause error) error {
	if _, known := errors.AsType[*pdp.Suspended](cause); !known {
		cause = &pdp.Suspended{Err: cause}
	}
	return &pdp.Error{Kind: pdp.Unavailable, Message: "A record that this needs breaks a rule of the directory.",
		Err: fmt.Errorf("%s is quarantined: %w", key, cause)}
}

// String names a record in logs. A username is somebody's, and is left out.
func (k recordKey) String() string {
	switch k.kind {
	case userRecord:
		return "user " + quote(k.id)
	case organizationRecord:
		return "organization " + quote(k.id)
	case locationPointer:
		return "location " + quote(k.id)
	}
	return "a username"
}
