package cache

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// account is a user's record, with the last user joined from it.
type account struct {
	record *record.User
	faults *record.Faults // of the record alone
	joined atomic.Pointer[joinedUser]
}

// joinedUser is an account joined with certain trees. It must be joined again when any of them changes.
type joinedUser struct {
	trees []*record.Tree // by assignment; nil if the location is unknown
	user  *facts.User
	err   error // a [*record.Faults], or another reason not to use the user
}

// join returns the user of an entry, joined with the tree of each assignment.
func (e *entry) join(trees []*record.Tree) (*facts.User, error) {
	a := e.user
	if j := a.joined.Load(); j != nil && slices.Equal(j.trees, trees) {
		return j.user, j.err
	}
	j := &joinedUser{trees: trees}
	j.user, j.err = e.validator.Join(a.record, a.faults, e.Version, func(location string) *record.Tree {
		for i := range a.record.Assignments {
			if a.record.Assignments[i].Location == location {
				return trees[i]
			}
		}
		return nil
	})
	a.joined.Store(j)
	return j.user, j.err
}

// quarantined returns the error for a question that needs a record which violates policies/DOMAIN.md section 1. The
// cause may include what is still known about the record.
func quarantined(key membership.Key, cause error) error {
	if _, known := errors.AsType[*facts.Suspended](cause); !known {
		cause = &facts.Suspended{Err: cause}
	}
	return &pdp.Error{Kind: pdp.Unavailable, Message: "A record that this needs breaks a rule of the directory.",
		Err: fmt.Errorf("%s is quarantined: %w", key, cause)}
}
