package cache

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	refetchers   = 2
	maxRefetches = 1024 // that wait; when more records change at a time, whoever needs them fetches them
)

// refetching is the tracker's handler of the stream. While this sidecar leads, it also fetches what has changed, for all: the leader has
// a connection to the origin, and any other sidecar would open one for a single record.
type refetching struct {
	membership.StreamHandler
	c *Cache
}

func (h refetching) Changed(a membership.Announcement) {
	h.StreamHandler.Changed(a)
	if h.c.cfg.Leads == nil || !h.c.cfg.Leads() {
		return
	}
	for _, change := range a.Changes {
		change.Record = nil
		select {
		case h.c.refetches <- change:
		default:
			return
		}
	}
}

func (c *Cache) refetchAll() {
	for {
		select {
		case change := <-c.refetches:
			c.refetch(change)
		case <-c.ctx.Done():
			return
		}
	}
}

// refetch fetches a changed record, if the shared store or, for an organization, this process has it: somebody uses it.
func (c *Cache) refetch(change pdp.Change) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
	defer cancel()
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeChange, since: c.tracker.NextOrder()}
	switch change.Kind {
	case pdp.UserChanged:
		value, err := c.store.Get(ctx, membership.Key{Kind: membership.UserRecord, ID: change.ID})
		if err == nil && value != nil {
			_, _ = c.user(ctx, n, change.ID) // whoever needs it will see why it fails
		}
	case pdp.LocationChanged:
		if root := change.Organization; root != "" && c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: root}) != nil {
			_, _ = c.organization(ctx, n, root)
		}
	}
}
