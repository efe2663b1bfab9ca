package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
)

var errOffsets = errors.New("the origin delivered a list whose offsets do not match its users")

var errListedTwice = errors.New("the origin delivered a record twice in one list")

// Users implements [facts.View]. Lists are not cached but read from the origin each time.
func (v *cachedView) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	if q.Beneath != "" && !facts.ValidID(q.Beneath) {
		return facts.Users{}, nil
	}
	q.Limit = membership.PageLimit(q.Limit)
	began := v.c.tracker.BeginFetch()
	raw, err := v.c.origin.Users(ctx, q)
	if err == nil && (len(raw.Users) != len(raw.Offsets) || len(raw.Users) > q.Limit) {
		err = errOffsets
	}
	if err != nil {
		return facts.Users{}, unavailable(ctx, err)
	}
	page := facts.Users{More: raw.More}
	listed := make(map[string]*viewedUser, len(raw.Users))
	for i := range raw.Users {
		s, err := v.listedUser(ctx, raw.Users[i], began)
		if err != nil {
			return facts.Users{}, err
		}
		if s.err != nil {
			if err := v.mayList(ctx, s, q.Beneath); err != nil {
				return facts.Users{}, err
			}
		}
		if s.user == nil {
			return facts.Users{}, unavailable(ctx, errChanging) // it was listed and is gone: the caller should read the list again
		}
		if listed[s.user.ID()] != nil {
			return facts.Users{}, unavailable(ctx, fmt.Errorf("user %s: %w", membership.Quote(s.user.ID()), errListedTwice))
		}
		listed[s.user.ID()] = s
		page.Users = append(page.Users, s.user)
		page.Cursors = append(page.Cursors, facts.Cursor{ID: s.user.ID(), Offset: raw.Offsets[i]})
	}
	v.mu.Lock()
	v.listed = listed
	v.mu.Unlock()
	return page, nil
}

// listedUser returns one user of a list, in the state that the view has returned before, if any.
func (v *cachedView) listedUser(ctx context.Context, raw membership.RawRecord, began freshness.Provenance) (*viewedUser, error) {
	e, err := v.c.userEntry(v.need, membership.Key{Kind: membership.UserRecord}, raw, began, nil)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	before := v.users[e.Key.ID]
	v.mu.Unlock()
	if before != nil && before.user != nil {
		return before, nil
	}
	if v.c.behind(e) || v.c.check(e, v.need) != freshness.Fresh {
		return v.user(ctx, e.Key.ID)
	}
	// A record in memory has already been shared. The many users of a list should not delay other writes to the shared
	// store.
	known := v.c.memory.get(e.Key)
	v.c.keep(e, !e.Synthetic && (known == nil || known.hash != e.hash || !known.comparable(e) || known.Version != e.Version))
	return v.join(ctx, e)
}

// mayList returns an error if a user must not be used in the organization whose list is read.
func (v *cachedView) mayList(ctx context.Context, s *viewedUser, beneath string) error {
	if s.user == nil || beneath == "" {
		return s.err
	}
	e, err := v.validOrganization(ctx, beneath)
	switch {
	case err != nil:
		return err
	case e.tree == nil || s.user.SuspendedIn(e.tree.Root.ID()) != nil:
		return s.err
	}
	return nil
}
