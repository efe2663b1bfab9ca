package cache

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Announce invalidates the changed records, here and at every sidecar that follows the stream, and returns the token of
// the announcement. It returns once the changes are in the stream. The new content of a record always comes from the
// origin, never from an announcement, and Announce does not fetch it. The error is a [pdp.Error] of kind Invalid or
// Unavailable.
func (c *Cache) Announce(ctx context.Context, changes []pdp.Change) (string, error) {
	if err := c.checkChanges(changes); err != nil {
		return "", err
	}
	if c.store == nil {
		return c.formatToken(c.tracker.InvalidateLocal(changes)), nil
	}
	at, err := c.stream.Announce(ctx, changes)
	if err != nil {
		return "", &pdp.Error{Kind: pdp.Unavailable, Message: "The changes could not be announced: try again.", Err: err}
	}
	c.tracker.Invalidate(changes, at)
	c.dropShared(ctx, changes)
	return c.formatToken(at), nil
}

// dropShared removes changed records from the shared store. A failure is harmless: the records were fetched before the
// announcement, so they are not used.
func (c *Cache) dropShared(ctx context.Context, changes []pdp.Change) {
	var keys []membership.Key
	for _, change := range changes {
		if change.Kind == pdp.UserChanged {
			keys = append(keys, membership.Key{Kind: membership.UserRecord, ID: change.ID})
			continue
		}
		keys = append(keys, membership.Key{Kind: membership.LocationPointer, ID: change.ID})
		if change.Organization != "" {
			keys = append(keys, membership.Key{Kind: membership.OrganizationRecord, ID: change.Organization})
		}
	}
	if c.store.Drop(ctx, keys...) != nil {
		c.counters.lostPuts.Add(1)
	}
}
