package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Announce announces changes for the API. It returns once the changes are in the stream, and what they concern is not served
// any more as it was: not here, and at other sidecars as soon as they have heard. It takes nothing else from an announcement:
// what a record says now, the origin says.
func (c *Cache) Announce(ctx context.Context, changes []pdp.Change) (string, error) {
	if err := c.checkChanges(changes); err != nil {
		return "", err
	}
	changes, err := c.placed(ctx, changes)
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

// checkChanges refuses what is no announcement. A record that comes along has to be well-formed, and is not used.
func (c *Cache) checkChanges(changes []pdp.Change) error {
	if len(changes) == 0 || len(changes) > membership.MaxChanges {
		return malformed("Announce between 1 and %d changes at a time.", membership.MaxChanges)
	}
	j := c.validator.Load()
	for _, change := range changes {
		if change.Kind != pdp.UserChanged && change.Kind != pdp.LocationChanged {
			return malformed("A change is about a user or a location.")
		}
		name := string(change.Kind) + " " + membership.Quote(change.ID)
		if !isID(change.ID) || change.Organization != "" && !isID(change.Organization) {
			return malformed("The %s has an id that no record can have.", name)
		}
		if change.Version > pdp.MaxVersion {
			return malformed("The version of the %s is greater than %d.", name, uint64(pdp.MaxVersion))
		}
		if change.Record == nil {
			continue
		}
		if len(change.Record) > membership.MaxRecord {
			return malformed("The record of the %s has more than %d bytes.", name, membership.MaxRecord)
		}
		if err := checkRecord(j, change); err != nil {
			return malformed("The record of the %s is at fault: %v.", name, err)
		}
	}
	return nil
}

func malformed(format string, args ...any) error {
	return &pdp.Error{Kind: pdp.Invalid, Message: fmt.Sprintf(format, args...)}
}

// isID says whether a record can have an id.
func isID(id string) bool {
	return id != "" && len(id) <= membership.MaxID && !strings.ContainsFunc(id, unicode.IsControl)
}

// checkRecord says what is wrong with the record of a change.
func checkRecord(j *record.Validator, change pdp.Change) error {
	var id string
	var faults *record.Faults
	var err error
	if change.Kind == pdp.UserChanged {
		var user *record.User
		if user, faults, err = j.User(j.Tokens(change.Record)); err == nil {
			id = user.ID
		}
	} else {
		var l []record.Location
		if l, faults, err = j.Locations(j.Tokens(slices.Concat([]byte("["), change.Record, []byte("]")))); err == nil && len(l) == 1 {
			id = l[0].ID
		}
	}
	switch {
	case err != nil:
		return err
	case id != change.ID:
		return errors.New("its id is another one")
	case faults.Count() > 0:
		return errors.New(reasonOf(faults))
	}
	return nil
}

// mostLocated bounds how often the origin is asked where locations are for one announcement. Where it is not known of one, all
// organizations are in doubt.
const mostLocated = 32

// placed adds to changes of locations which organization they are in by now, and which one they are known to have been in.
func (c *Cache) placed(ctx context.Context, changes []pdp.Change) ([]pdp.Change, error) {
	all := slices.Clone(changes)
	located := map[string]string{} // by location, as the origin has it
	asking, cancel := context.WithTimeout(ctx, c.cfg.FetchTimeout)
	defer cancel()
	asks := mostLocated
	for i, change := range changes {
		if change.Kind != pdp.LocationChanged {
			continue
		}
		was := c.orgIndex.find(change.ID)
		if was == "" {
			was = c.sharedPointer(ctx, membership.Key{Kind: membership.LocationPointer, ID: change.ID})
		}
		if change.Organization == "" {
			if _, known := located[change.ID]; !known && asks > 0 {
				asks--
				if !c.locate(asking, change.ID, located) {
					asks = 0 // an origin that does not answer must not keep the announcement from being made
				}
			}
			all[i].Organization = located[change.ID]
		}
		if was != "" && was != all[i].Organization && all[i].Organization != "" {
			all = append(all, pdp.Change{Kind: pdp.LocationChanged, ID: change.ID, Organization: was})
		}
	}
	return all, ctx.Err()
}

// locate asks the origin for the organization of a location, and takes in all that are in it. One that is nowhere concerns
// no organization but those that have it, which end by its own id; it stands for its own. It says whether there was an answer.
func (c *Cache) locate(ctx context.Context, location string, located map[string]string) bool {
	sent, err := c.origin.Organization(ctx, location)
	if err != nil {
		return false
	}
	if sent == nil {
		located[location] = location
		return true
	}
	j := c.validator.Load()
	if drafts, _, err := j.Locations(j.Tokens(sent.Record)); err == nil {
		root := rootOf(drafts)
		for i := range drafts {
			located[drafts[i].ID] = root
		}
	}
	return true
}

// dropShared takes what has been announced out of the shared tier. Where that fails it is not served all the same: it was
// fetched before the announcement.
func (c *Cache) dropShared(ctx context.Context, changes []pdp.Change) {
	var gone []membership.Key
	for _, change := range changes {
		if change.Kind == pdp.UserChanged {
			gone = append(gone, membership.Key{Kind: membership.UserRecord, ID: change.ID})
			continue
		}
		gone = append(gone, membership.Key{Kind: membership.LocationPointer, ID: change.ID})
		if change.Organization != "" {
			gone = append(gone, membership.Key{Kind: membership.OrganizationRecord, ID: change.Organization})
		}
	}
	if c.store.Drop(ctx, gone...) != nil {
		c.counters.lostPuts.Add(1)
	}
}

// formatToken words a place in the stream, for context.at_least.
func formatToken(p membership.Position) string {
	return strconv.FormatUint(p.Sequence, 36) + "~" + p.Epoch
}

func parseToken(token string) (membership.Position, error) {
	sequence, epoch, ok := strings.Cut(token, "~")
	n, err := strconv.ParseUint(sequence, 36, 64)
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if !ok || err != nil || epoch == "" || strings.ContainsFunc(epoch, odd) {
		return membership.Position{}, malformed("The token in at_least is none that announcing a change gave.")
	}
	return membership.Position{Epoch: epoch, Sequence: n}, nil
}
