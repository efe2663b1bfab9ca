package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// cachedView reads facts for one decision, batch or page of a search. It returns the same state of a record each time.
type cachedView struct {
	c    *Cache
	need requirement

	mu     sync.Mutex
	users  map[string]*viewedUser
	listed map[string]*viewedUser // of the last page of a list
	orgs   map[string]*entry      // by location, including absent ones
	roots  map[string]*entry      // by root
}

// viewedUser is a user as the view returned it. user is nil if there is no such user.
type viewedUser struct {
	user  *facts.User
	entry *entry
	err   error // why the user must not be used, at least in some organizations
	// outage says that err may be no fault of the record: an organization could not be fetched.
	outage bool
}

var _ facts.View = (*cachedView)(nil)

// View implements [facts.Source].
func (c *Cache) View(ctx context.Context, need facts.Requirement) (facts.View, error) {
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeChange, since: c.tracker.NextOrder(), traced: tracing.On(ctx)}
	if need.ReadOnly {
		n.maxAge = c.cfg.MaxAgeUse
	}
	n.fresh, n.noFallback = need.Current, need.Current
	for _, token := range need.AtLeast {
		at, proven, err := c.parseToken(token)
		if err != nil {
			return nil, err
		}
		if !proven { // whatever it stands for, what is fetched from now on includes it
			n.fresh, n.noFallback = true, true
			continue
		}
		// If an announcement has not been received here, the record is fetched from the origin. An announcement from before
		// the stream was followed cannot be checked, so unconfirmed records do not count.
		retained := c.tracker.Retained(at)
		n.fresh = n.fresh || !c.tracker.Reached(at) || !retained && !c.tracker.ConfirmedByStream()
		n.noFallback = n.noFallback || !retained
		n.atLeast = append(n.atLeast, at)
	}
	return &cachedView{c: c, need: n}, nil
}

// User implements [facts.View].
func (v *cachedView) User(ctx context.Context, id string) (*facts.User, error) {
	s, err := v.user(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case s.err != nil:
		return nil, s.err
	}
	return s.user, nil
}

func (v *cachedView) user(ctx context.Context, id string) (*viewedUser, error) {
	if !facts.ValidID(id) {
		return &viewedUser{}, nil // no record can have this id
	}
	v.mu.Lock()
	s := v.users[id]
	if s == nil {
		s = v.listed[id]
	}
	v.mu.Unlock()
	if s != nil {
		return s, nil
	}
	e, err := v.c.user(ctx, v.need, id)
	if err != nil {
		return nil, err
	}
	if s, err = v.join(ctx, e); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if before := v.users[id]; before != nil {
		return before, nil // another goroutine was faster
	}
	if v.users == nil {
		v.users = make(map[string]*viewedUser, 2)
	}
	v.users[id] = s
	return s, nil
}

// join joins the user of an entry with the organizations as this view sees them.
func (v *cachedView) join(ctx context.Context, e *entry) (*viewedUser, error) {
	if e.Absent {
		return &viewedUser{entry: e}, nil
	}
	trees := make([]*record.Tree, len(e.user.record.Assignments))
	var missing error
	for i := range trees {
		at := e.user.record.Assignments[i].Location
		t, err := v.organization(ctx, at)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil: // the question may be about another organization
			if _, ok := errors.AsType[*facts.Suspended](err); !ok {
				missing = err
			}
			trees[i] = &record.Tree{Root: facts.NewLocation(facts.LocationRecord{ID: at}, nil, 0), Faults: err}
		case t.tree != nil:
			trees[i] = t.tree
		}
	}
	u, err := e.join(trees)
	if err == nil {
		v.c.quarantine.remove(e.validator, e.Key)
		return &viewedUser{user: u, entry: e}, nil
	}
	s, known := errors.AsType[*facts.Suspended](err)
	if !known {
		return nil, err
	}
	if _, own := s.Err.(*record.Faults); own {
		v.c.quarantine.add(e.validator, e.Key, s.Err)
	} else if missing != nil {
		return &viewedUser{user: s.User, entry: e, outage: true, err: unavailable(ctx, &facts.Suspended{User: s.User, Err: missing})}, nil
	}
	return &viewedUser{user: s.User, entry: e, err: quarantined(e.Key, err)}, nil
}

// validOrganization returns the organization of a location, or an absent entry. It fails if the organization is
// quarantined.
func (v *cachedView) validOrganization(ctx context.Context, location string) (*entry, error) {
	e, err := v.organization(ctx, location)
	switch {
	case err != nil:
		if s, ok := errors.AsType[*facts.Suspended](err); ok {
			at := facts.LocationRecord{ID: location} // only its existence is known
			return nil, quarantined(membership.Key{Kind: membership.LocationPointer, ID: location}, &facts.Suspended{Location: facts.NewSuspendedLocation(at, at), Err: s.Err})
		}
		return nil, err
	case e.tree != nil && e.tree.Faults != nil:
		return nil, quarantined(e.Key, e.tree.Suspended(location))
	}
	return e, nil
}

// organization returns the organization of a location, even if quarantined, or an absent entry. The view sees all
// locations of an organization in one state.
func (v *cachedView) organization(ctx context.Context, location string) (*entry, error) {
	v.mu.Lock()
	e := v.orgs[location]
	if e == nil {
		e = v.seen(location)
	}
	v.mu.Unlock()
	if e == nil {
		var err error
		if e, err = v.c.organization(ctx, v.need, location); err != nil {
			return nil, err
		}
		e = v.remember(location, e)
	}
	return e, nil
}

// seen returns the organization in which the view has seen a location already, wherever that has moved since; nil if it has not. The
// caller must hold the lock.
func (v *cachedView) seen(location string) *entry {
	if root := v.roots[v.c.orgIndex.find(location)]; root != nil && root.tree.Has(location) {
		return root
	}
	for _, root := range v.roots {
		if root.tree.Has(location) {
			return root
		}
	}
	return nil
}

func (v *cachedView) remember(location string, e *entry) *entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.orgs == nil {
		v.orgs, v.roots = make(map[string]*entry, 4), make(map[string]*entry, 1)
	}
	if before := v.orgs[location]; before != nil {
		return before
	}
	if e.tree != nil {
		root := e.tree.Root.ID()
		if before := v.roots[root]; before != nil && before.tree.Has(location) {
			e = before
		} else {
			v.roots[root] = e
		}
	}
	v.orgs[location] = e
	return e
}

// UserByUsername implements [facts.View].
func (v *cachedView) UserByUsername(ctx context.Context, username string) (*facts.User, error) {
	folded := facts.FoldCanonical(username)
	if len(folded) > facts.MaxID || !facts.IsUsername(username) {
		return nil, nil // no user can have this username
	}
	key := membership.Key{Kind: membership.UsernamePointer, ID: folded}
	pointer, n := "", v.need
	if e := v.c.memory.get(key); e != nil && !e.Absent {
		pointer = e.pointer
	}
	for range maxFetches {
		if pointer != "" {
			u, err := v.User(ctx, pointer)
			if err != nil || u != nil && facts.FoldCanonical(u.Username()) == folded {
				return u, err
			}
			// The user now has another username, and this one may belong to a different user.
			n.fresh, n.since = true, v.c.tracker.NextOrder()
		}
		e, err := v.c.username(ctx, n, folded)
		switch {
		case err != nil:
			return nil, err
		case e.Absent:
			return nil, nil
		}
		pointer = e.pointer
	}
	return nil, unavailable(ctx, fmt.Errorf("%s: %w", key, errChanging))
}

// Location implements [facts.View].
func (v *cachedView) Location(ctx context.Context, id string) (*facts.Location, error) {
	if !facts.ValidID(id) {
		return nil, nil // no record can have this id
	}
	e, err := v.validOrganization(ctx, id)
	if err != nil || e.Absent {
		return nil, err
	}
	return e.tree.ByID(id), nil
}

// Locations implements [facts.View].
func (v *cachedView) Locations(ctx context.Context, q facts.LocationQuery) ([]*facts.Location, error) {
	if q.Beneath != "" {
		if !facts.ValidID(q.Beneath) {
			return nil, nil
		}
		e, err := v.validOrganization(ctx, q.Beneath)
		if err != nil || e.Absent {
			return nil, err
		}
		return e.tree.Page(q), nil
	}
	ids, err := v.c.origin.Locations(ctx, q.After, membership.PageLimit(q.Limit))
	if err != nil {
		v.c.failed(err)
		return nil, unavailable(ctx, err)
	}
	all := make([]*facts.Location, 0, len(ids))
	for _, id := range ids {
		l, err := v.Location(ctx, id)
		if err != nil {
			return nil, err
		}
		if l == nil {
			return nil, unavailable(ctx, errChanging) // the location was listed and has disappeared
		}
		all = append(all, l)
	}
	return all, nil
}

// UserFreshness implements [facts.View].
func (v *cachedView) UserFreshness(u *facts.User) facts.Freshness {
	v.mu.Lock()
	s := v.users[u.ID()]
	if s == nil {
		s = v.listed[u.ID()]
	}
	v.mu.Unlock()
	if s == nil || s.entry == nil {
		return facts.Freshness{Version: u.Version()}
	}
	return v.fact(s.entry)
}

// OrganizationFreshness implements [facts.View].
func (v *cachedView) OrganizationFreshness(root *facts.Location) facts.Freshness {
	v.mu.Lock()
	e := v.roots[root.ID()]
	v.mu.Unlock()
	if e == nil {
		return facts.Freshness{Version: root.Version()}
	}
	return v.fact(e)
}

func (v *cachedView) fact(e *entry) facts.Freshness {
	_, confirmed := v.c.tracker.Check(&e.Provenance, v.need.maxAge)
	return facts.Freshness{Version: e.Version, AsOf: e.AsOf, Confirmed: confirmed}
}
