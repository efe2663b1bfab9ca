package cache

import (
	"errors"
	"fmt"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// checkChanges refuses malformed announcements. A record in a change must be valid, but is not used otherwise.
func (c *Cache) checkChanges(changes []pdp.Change) error {
	if len(changes) == 0 || len(changes) > membership.MaxChanges {
		return invalid("Announce between 1 and %d changes at a time.", membership.MaxChanges)
	}
	v := c.validator.Load()
	for _, change := range changes {
		if change.Kind != pdp.UserChanged && change.Kind != pdp.LocationChanged {
			return invalid("A change is about a user or a location.")
		}
		name := string(change.Kind) + " " + membership.Quote(change.ID)
		if !facts.ValidID(change.ID) || change.Organization != "" && !facts.ValidID(change.Organization) {
			return invalid("The %s has an invalid id.", name)
		}
		if change.Version > pdp.MaxVersion {
			return invalid("The version of the %s is greater than %d.", name, uint64(pdp.MaxVersion))
		}
		if change.Record == nil {
			continue
		}
		if len(change.Record) > membership.MaxRecord {
			return invalid("The record of the %s has more than %d bytes.", name, membership.MaxRecord)
		}
		if err := checkRecord(v, change); err != nil {
			return invalid("The record of the %s is invalid: %v.", name, err)
		}
	}
	return nil
}

// invalid returns an error that is the caller's fault.
func invalid(format string, args ...any) error {
	return &pdp.Error{Kind: pdp.Invalid, Message: fmt.Sprintf(format, args...)}
}

// checkRecord validates the record of a change.
func checkRecord(v *record.Validator, change pdp.Change) error {
	var id string
	var faults *record.Faults
	var err error
	if change.Kind == pdp.UserChanged {
		var user *record.User
		if user, faults, err = v.User(v.Tokens(change.Record)); err == nil {
			id = user.ID
		}
	} else {
		var l []record.Location
		if l, faults, err = v.Locations(v.Tokens(slices.Concat([]byte("["), change.Record, []byte("]")))); err == nil && len(l) == 1 {
			id = l[0].ID
		}
	}
	switch {
	case err != nil:
		return err
	case id != change.ID:
		return errors.New("its id differs from the id of the change")
	case faults.Count() > 0:
		return errors.New(reasonOf(faults))
	}
	return nil
}
