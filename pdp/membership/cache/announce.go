package cache

import (
	"context"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Announce invalidates the records that have changed, here and at every sidecar that follows the stream, and returns the token
// of the announcement. It returns once the changes are in the stream. The new content of a record always comes from the origin,
// never from an announcement. The error is a [pdp.Error] of kind Invalid or Unavailable.
func (c *Cache) Announce(ctx context.Context, changes []pdp.Change) (string, error) {
	if err := c.checkChanges(changes); err != nil {
		return "", err
	}
	changes, err := c.addOrganizations(ctx, changes)
	if err != nil {
		return "", err
	}
	if c.store == nil {
		return formatToken(c.tracker.InvalidateLocal(changes)), nil
	}
	at, err := c.stream.Announce(ctx, changes)
	if err != nil {
		return "", &pdp.Error{Kind: pdp.Unavailable, Message: "The changes could not be announced: try again.", Err: err}
	}
	c.tracker.Invalidate(changes, at)
	c.dropShared(ctx, changes)
	return formatToken(at), nil
}

// maxOrganizationQueries bounds how often the origin is asked for one announcement which organizations its locations belong to. A
// location whose organization stays unknown invalidates all organizations.
const maxOrganizationQueries = 32

// addOrganizations completes changes of locations with the organization that each belongs to now, and with the one it is known to
// have belonged to before.
func (c *Cache) addOrganizations(ctx context.Context, changes []pdp.Change) ([]pdp.Change, error) {
	all := slices.Clone(changes)
	rootOf := map[string]string{} // by location, as the origin has it
	queries, cancel := context.WithTimeout(ctx, c.cfg.FetchTimeout)
	defer cancel()
	left := maxOrganizationQueries
	for i, change := range changes {
		if change.Kind != pdp.LocationChanged {
			continue
		}
		previous := c.orgIndex.find(change.ID)
		if previous == "" {
			previous = c.sharedPointer(ctx, membership.Key{Kind: membership.LocationPointer, ID: change.ID})
		}
		if change.Organization == "" {
			if _, known := rootOf[change.ID]; !known && left > 0 {
				left--
				if !c.queryOrganization(queries, change.ID, rootOf) {
					left = 0 // an origin that does not answer must not prevent the announcement
				}
			}
			all[i].Organization = rootOf[change.ID]
		}
		if previous != "" && previous != all[i].Organization && all[i].Organization != "" {
			all = append(all, pdp.Change{Kind: pdp.LocationChanged, ID: change.ID, Organization: previous})
		}
	}
	return all, ctx.Err()
}

// queryOrganization asks the origin for the organization of a location, and adds all locations of it to rootOf. It reports whether
// the origin answered. An absent location is entered as its own root: its id alone invalidates the organizations that still list
// it.
func (c *Cache) queryOrganization(ctx context.Context, location string, rootOf map[string]string) bool {
	raw, err := c.origin.Organization(ctx, location)
	if err != nil {
		return false
	}
	if raw == nil {
		rootOf[location] = location
		return true
	}
	v := c.validator.Load()
	if locations, _, err := v.Locations(v.Tokens(raw.Record)); err == nil {
		root := rootID(locations)
		for i := range locations {
			rootOf[locations[i].ID] = root
		}
	}
	return true
}

// dropShared removes changed records from the shared store. If that fails they still are not used: they were fetched before the
// announcement.
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
