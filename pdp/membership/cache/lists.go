package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

var (
	errTooMany = errors.New("the origin delivered more of a list than it was asked for")
	errNowhere = errors.New("the origin delivered nothing of a list, and not where it continues")
)

var errListedTwice = errors.New("the origin delivered a record twice in one list")

// Users implements [facts.View]. Lists are not cached but read from the origin each time.
func (v *cachedView) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	if q.Beneath != "" && !facts.ValidID(q.Beneath) {
		return facts.Users{}, nil
	}
	q.Limit = membership.PageLimit(q.Limit)
	began := v.c.tracker.BeginFetch()
	raw, err := v.c.origin.Users(ctx, q)
	switch {
	case err != nil:
		v.c.failed(err)
	case len(raw.Users) > q.Limit:
		err = errTooMany
	case raw.More && len(raw.Users) == 0 && raw.Next.ID == "":
		err = errNowhere
	}
	if err != nil {
		return facts.Users{}, unavailable(ctx, err)
	}
	page := facts.Users{More: raw.More, Next: q.After} // a page of nobody but those who cannot be read is no progress
	listed := make(map[string]*viewedUser, len(raw.Users))
	for i := range raw.Users {
		e, err := v.c.userEntry(v.need, membership.Key{Kind: membership.UserRecord}, raw.Users[i], began, nil)
		if err != nil {
			if err = v.suspend(&page, listed, raw.Users[i], err); err != nil {
				return facts.Users{}, err
			}
			continue
		}
		if page.Next, err = v.cursorAfter(ctx, &e.user.record.UserRecord, q); err != nil {
			return facts.Users{}, err
		}
		s, err := v.listedUser(ctx, e)
		if err != nil {
			return facts.Users{}, err
		}
		if listed[e.Key.ID] != nil {
			return facts.Users{}, unavailable(ctx, fmt.Errorf("user %s: %w", membership.Quote(e.Key.ID), errListedTwice))
		}
		listed[e.Key.ID] = s
		if s.err != nil {
			switch ok, err := v.mayList(ctx, s, q.Beneath); {
			case err != nil:
				return facts.Users{}, err
			case !ok:
				page.Suspended = append(page.Suspended, facts.SuspendedUser{ID: e.Key.ID, Before: len(page.Users)})
				continue
			}
		}
		if s.user == nil {
			return facts.Users{}, unavailable(ctx, errChanging) // it was listed and is gone: the caller should read the list again
		}
		page.Users = append(page.Users, s.user)
		page.Cursors = append(page.Cursors, page.Next)
	}
	if raw.Next.ID != "" {
		page.Next = raw.Next
	}
	v.mu.Lock()
	v.listed = listed
	v.mu.Unlock()
	return page, nil
}

// cursorAfter returns the position right after a user in a list, by the record that was listed: the view may know another
// state of the user, which would be another position.
func (v *cachedView) cursorAfter(ctx context.Context, rec *facts.UserRecord, q facts.UserQuery) (facts.Cursor, error) {
	c := q.Sort.CursorAfter(rec)
	if q.Sort != facts.SortDefaultLocation || q.Beneath == "" || c.First == "" {
		return c, nil
	}
	list, err := v.organization(ctx, q.Beneath)
	if err != nil {
		return c, err
	}
	if list.tree == nil || !list.tree.Has(c.First) {
		c.First = ""
	}
	return c, nil
}

// listedUser returns one user of a list, in the state that the view has returned before, if any.
func (v *cachedView) listedUser(ctx context.Context, e *entry) (*viewedUser, error) {
	v.mu.Lock()
	before := v.users[e.Key.ID]
	v.mu.Unlock()
	if before != nil && before.user != nil {
		return before, nil
	}
	if v.c.behind(e) || v.c.check(e, v.need) != freshness.Fresh {
		return v.user(ctx, e.Key.ID)
	}
	v.c.keep(e) // not in the shared store: a walk through a large list would put everybody there, one after another
	return v.join(ctx, e)
}

// suspend adds a user whose record cannot be read, for the given reason. It returns the reason if it is not the record, or if
// the record does not even have an id.
func (v *cachedView) suspend(page *facts.Users, listed map[string]*viewedUser, raw membership.RawRecord, reason error) error {
	s, isRecord := errors.AsType[*facts.Suspended](reason)
	id := record.IDOf(raw)
	if !isRecord || !facts.ValidID(id) || listed[id] != nil {
		return reason
	}
	v.c.quarantine.add(v.need.validator, membership.Key{Kind: membership.UserRecord, ID: id}, s.Err)
	listed[id] = &viewedUser{err: reason}
	page.Suspended = append(page.Suspended, facts.SuspendedUser{ID: id, Before: len(page.Users)})
	return nil
}

// mayList reports whether a user may be used in the organization whose list is read. The error is one of that organization, or
// that another could not be fetched.
func (v *cachedView) mayList(ctx context.Context, s *viewedUser, beneath string) (bool, error) {
	root := facts.AnyOrganization
	if beneath != "" {
		e, err := v.validOrganization(ctx, beneath)
		if err != nil {
			return false, err
		}
		if e.tree != nil {
			root = e.tree.Root.ID()
		}
	}
	switch {
	case s.user != nil && s.user.SuspendedIn(root) == nil:
		return true, nil
	case s.outage:
		return false, s.err
	}
	return false, nil
}
