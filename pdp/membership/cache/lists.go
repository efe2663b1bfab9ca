package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
)

// errOffsets is for an origin that does not say where each user of a list is.
var errOffsets = errors.New("the origin gave a list whose places do not fit its users")

var errListedTwice = errors.New("the origin gave a record twice in one list")

// Users implements [facts.View]. Lists are not kept: each is read from the origin, as it is now.
func (v *cachedView) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	if len(q.Beneath) > membership.MaxID {
		return facts.Users{}, nil
	}
	q.Limit = membership.PageLimit(q.Limit)
	began := v.c.tracker.BeginFetch()
	sent, err := v.c.origin.Users(ctx, q)
	if err == nil && (len(sent.Users) != len(sent.Offsets) || len(sent.Users) > q.Limit) {
		err = errOffsets
	}
	if err != nil {
		return facts.Users{}, cannotBeHad(ctx, err)
	}
	page := facts.Users{More: sent.More}
	listed := make(map[string]*viewedUser, len(sent.Users))
	for i := range sent.Users {
		s, err := v.listedUser(ctx, sent.Users[i], began)
		if err != nil {
			return facts.Users{}, err
		}
		if s.err != nil {
			if err := v.mayList(ctx, s, q.Beneath); err != nil {
				return facts.Users{}, err
			}
		}
		if s.user == nil {
			return facts.Users{}, cannotBeHad(ctx, errNotSettled) // it was there, and is gone: read the list again
		}
		if listed[s.user.ID()] != nil {
			return facts.Users{}, cannotBeHad(ctx, fmt.Errorf("user %s: %w", membership.Quote(s.user.ID()), errListedTwice))
		}
		listed[s.user.ID()] = s
		page.Users = append(page.Users, s.user)
		page.Cursors = append(page.Cursors, facts.Cursor{ID: s.user.ID(), Offset: sent.Offsets[i]})
	}
	v.mu.Lock()
	v.listed = listed
	v.mu.Unlock()
	return page, nil
}

// listedUser is one user of a list. What the view has given before stays what it was.
func (v *cachedView) listedUser(ctx context.Context, sent membership.RawRecord, began freshness.Provenance) (*viewedUser, error) {
	e, err := v.c.userEntry(v.need, membership.Key{Kind: membership.UserRecord}, sent, began, nil)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	before := v.users[e.Key.ID]
	v.mu.Unlock()
	if before != nil && before.user != nil {
		return before, nil
	}
	if v.c.behind(e) || v.c.usable(e, v.need) != freshness.Fresh {
		return v.user(ctx, e.Key.ID)
	}
	// What is known is shared already: a list has many users, which would crowd out what others wait for.
	known := v.c.memory.get(e.Key)
	v.c.keep(e, !e.Synthetic && (known == nil || known.hash != e.hash || !known.comparable(e) || known.Version != e.Version))
	return v.join(ctx, e)
}

// mayList fails where a user must not be used in the organization whose list it is.
func (v *cachedView) mayList(ctx context.Context, s *viewedUser, beneath string) error {
	if s.user == nil || beneath == "" {
		return s.err
	}
	e, err := v.tree(ctx, beneath)
	switch {
	case err != nil:
		return err
	case e.tree == nil || s.user.SuspendedIn(e.tree.Root.ID()) != nil:
		return s.err
	}
	return nil
}
