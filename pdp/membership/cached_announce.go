package membership

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wardkeeper/wardkeeper/pdp"
)

var _ pdp.Announcer = (*Cached)(nil)

// MaxChanges is how many changes an announcement may have.
const MaxChanges = 1000

// Announce implements [pdp.Announcer]. It returns once the changes are in the stream, and what they concern is not served
// any more as it was: not here, and at other sidecars as soon as they have heard.
func (c *Cached) Announce(ctx context.Context, changes []pdp.Change) (string, error) {
	records, err := c.checked(changes)
	if err != nil {
		return "", err
	}
	changes, err = c.placed(ctx, changes)
	if err != nil {
		return "", err
	}
	began := time.Now()
	at := position{epoch: c.instance}
	if c.shared != nil {
		bare := slices.Clone(changes)
		for i := range bare {
			bare[i].Record = nil
		}
		if at, err = c.shared.announce(ctx, bare); err != nil {
			return "", &pdp.Error{Kind: pdp.Unavailable, Message: "The changes could not be announced: try again.", Err: err}
		}
		c.feed.take(changes, at)
		c.update(ctx, changes, records, at, began)
	} else {
		at.sequence = c.feed.takeLocal(changes)
	}
	return formatToken(at), nil
}

// takeLocal remembers changes that no other sidecar hears of, and gives their place among them.
func (f *feed) takeLocal(changes []pdp.Change) uint64 {
	f.take(changes, position{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at.sequence++
	return f.at.sequence
}

// checked refuses what is no announcement, and reads the records that came along, by their place.
func (c *Cached) checked(changes []pdp.Change) ([]*userDraft, error) {
	if len(changes) == 0 || len(changes) > MaxChanges {
		return nil, malformed("Announce between 1 and %d changes at a time.", MaxChanges)
	}
	records := make([]*userDraft, len(changes))
	j := c.judge.Load()
	for i, change := range changes {
		if change.Kind != pdp.UserChanged && change.Kind != pdp.LocationChanged {
			return nil, malformed("A change is about a user or a location.")
		}
		name := string(change.Kind) + " " + quote(change.ID)
		if !isID(change.ID) || change.Organization != "" && !isID(change.Organization) {
			return nil, malformed("The %s has an id that no record can have.", name)
		}
		if change.Version > pdp.MaxVersion {
			return nil, malformed("The version of the %s is greater than %d.", name, uint64(pdp.MaxVersion))
		}
		if change.Record == nil {
			continue
		}
		if len(change.Record) > MaxRecord {
			return nil, malformed("The record of the %s has more than %d bytes.", name, MaxRecord)
		}
		var err error
		if records[i], err = j.announced(change); err != nil {
			return nil, malformed("The record of the %s is at fault: %v.", name, err)
		}
	}
	return records, nil
}

func malformed(format string, args ...any) error {
	return &pdp.Error{Kind: pdp.Invalid, Message: fmt.Sprintf(format, args...)}
}

// isID says whether a record can have an id.
func isID(id string) bool {
	return id != "" && len(id) <= longest && !strings.ContainsFunc(id, unicode.IsControl)
}

// announced reads the record of a change: nil for a location, which is nothing without its organization.
func (j *judge) announced(change pdp.Change) (*userDraft, error) {
	var id string
	var faults *Faults
	var user *userDraft
	var err error
	if change.Kind == pdp.UserChanged {
		if user, faults, err = j.user(j.json(change.Record)); err == nil {
			id = user.ID
		}
	} else {
		var l []locationDraft
		if l, faults, err = j.locations(j.json(slices.Concat([]byte("["), change.Record, []byte("]")))); err == nil && len(l) == 1 {
			id = l[0].ID
		}
	}
	switch {
	case err != nil:
		return nil, err
	case id != change.ID:
		return nil, fmt.Errorf("its id is another one")
	case faults.count > 0:
		return nil, fmt.Errorf("%s", reasonOf(faults))
	}
	return user, nil
}

// placed adds to changes of locations which organization they are in by now, and which one they are known to have been in.
func (c *Cached) placed(ctx context.Context, changes []pdp.Change) ([]pdp.Change, error) {
	all := slices.Clone(changes)
	located := map[string]string{} // by location, as the origin has it
	asking, cancel := context.WithTimeout(ctx, c.cfg.FetchTimeout)
	defer cancel()
	answers := true // an origin that does not must not keep the announcement from being made
	for i, change := range changes {
		if change.Kind != pdp.LocationChanged {
			continue
		}
		was := c.roots.find(change.ID)
		if was == "" {
			was = c.sharedPointer(ctx, recordKey{locationPointer, change.ID})
		}
		if change.Organization == "" {
			if _, known := located[change.ID]; !known && answers {
				answers = c.locate(asking, change.ID, located)
			}
			all[i].Organization = located[change.ID]
		}
		if was != "" && was != all[i].Organization && all[i].Organization != "" {
			all = append(all, pdp.Change{Kind: pdp.LocationChanged, ID: change.ID, Organization: was})
		}
	}
	return all, ctx.Err()
}

// locate asks the origin for the organization of a location, and takes in all that are in it. It says whether there was an
// answer.
func (c *Cached) locate(ctx context.Context, location string, located map[string]string) bool {
	sent, err := c.origin.Organization(ctx, location)
	if err != nil || sent == nil {
		return err == nil
	}
	j := c.judge.Load()
	if drafts, _, err := j.locations(j.json(sent.Record)); err == nil {
		root := rootOf(drafts)
		for i := range drafts {
			located[drafts[i].ID] = root
		}
	}
	return true
}

// update brings the shared tier to what has been announced. Whatever fails here is not served all the same: it is older than
// the announcement.
func (c *Cached) update(ctx context.Context, changes []pdp.Change, records []*userDraft, at position, began time.Time) {
	var gone []recordKey
	for i, change := range changes {
		switch {
		case change.Kind == pdp.LocationChanged:
			gone = append(gone, recordKey{locationPointer, change.ID})
			if change.Organization != "" {
				gone = append(gone, recordKey{organizationRecord, change.Organization})
			}
		// Without a version it cannot be told from one that was announced long ago and comes late.
		case i < len(records) && records[i] != nil && change.Version > 0 && !c.shared.now().IsZero():
			e := &record{fact: fact{stamp: stamp{version: change.Version, at: at, asOf: began}},
				key: recordKey{userRecord, change.ID}, user: &account{draft: records[i], shape: &Faults{}}}
			value, version := c.packed(e)
			if c.shared.put(ctx, e.key, value, version, c.cfg.TTL) != nil {
				c.counters.lostPuts.Add(1)
			}
		default:
			gone = append(gone, recordKey{userRecord, change.ID})
		}
	}
	if len(gone) > 0 && c.shared.drop(ctx, gone...) != nil {
		c.counters.lostPuts.Add(1)
	}
}

// formatToken words a place in the stream, for context.at_least.
func formatToken(p position) string { return strconv.FormatUint(p.sequence, 36) + "~" + p.epoch }

func parseToken(token string) (position, error) {
	sequence, epoch, ok := strings.Cut(token, "~")
	n, err := strconv.ParseUint(sequence, 36, 64)
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if !ok || err != nil || epoch == "" || strings.ContainsFunc(epoch, odd) {
		return position{}, malformed("The token in at_least is none that announcing a change gave.")
	}
	return position{epoch, n}, nil
}
