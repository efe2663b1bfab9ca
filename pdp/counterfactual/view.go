package counterfactual

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// view is a view of the directory in which one record is another. It is not safe for concurrent use.
type view struct {
	facts.View
	user     *facts.UserRecord     // nil: all users are as they were
	location *facts.LocationRecord // nil: all locations are as they were
	joined   map[string]*facts.Location
}

func (v *view) Location(ctx context.Context, id string) (*facts.Location, error) {
	l, err := v.View.Location(ctx, id)
	if l == nil || err != nil || v.location == nil {
		return l, err
	}
	return v.join(ctx, l)
}

// join joins a location with its parent as it is here.
func (v *view) join(ctx context.Context, l *facts.Location) (*facts.Location, error) {
	if known := v.joined[l.ID()]; known != nil {
		return known, nil
	}
	rec := l.Record()
	if rec.ID == v.location.ID {
		rec = *v.location
	}
	var parent *facts.Location
	if rec.Parent != "" {
		var err error
		if parent, err = v.Location(ctx, rec.Parent); err != nil {
			return nil, err
		}
	}
	if v.joined == nil {
		v.joined = map[string]*facts.Location{}
	}
	v.joined[rec.ID] = facts.NewLocation(rec, parent, l.Version())
	return v.joined[rec.ID], nil
}

func (v *view) User(ctx context.Context, id string) (*facts.User, error) {
	return v.changed(ctx, v.View.User, id)
}

func (v *view) UserByUsername(ctx context.Context, username string) (*facts.User, error) {
	return v.changed(ctx, v.View.UserByUsername, username)
}

func (v *view) changed(ctx context.Context, find func(context.Context, string) (*facts.User, error), name string) (*facts.User, error) {
	u, err := find(ctx, name)
	if u == nil || err != nil {
		return u, err
	}
	rec := u.Record()
	switch {
	case v.user != nil && v.user.ID == rec.ID:
		rec = *v.user
	case v.location == nil:
		return u, nil
	}
	return Join(ctx, v, rec)
}

// Join joins a record of a user with the locations of a view.
func Join(ctx context.Context, v facts.View, rec facts.UserRecord) (*facts.User, error) {
	var failed error
	u, err := facts.NewUser(rec, 0, func(id string) *facts.Location {
		l, err := v.Location(ctx, id)
		if err != nil {
			failed = err
		}
		return l
	})
	if failed != nil {
		return nil, failed
	}
	return u, err
}
