package announcement

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Limits of one request.
const (
	MaxBody    = 4 << 20 // bytes
	maxChanges = 1000    // users and locations together
)

// The known members of a body and of a change.
var (
	bodyMembers   = []string{"users", "locations"}
	changeMembers = map[pdp.ChangeKind][]string{
		pdp.UserChanged:     {"id", "version", "record"},
		pdp.LocationChanged: {"id", "organization", "version", "record"},
	}
)

// Parse parses a body such as
//
//	{"users":     [{"id": "jane", "version": 12}, {"id": "joe", "record": {"id": "joe", ...}}],
//	 "locations": [{"id": "ghi", "organization": "metro", "version": 7}]}
//
// Each change has the id of a record that was written or deleted. It may also have the new version of the record, a whole
// number from 1 to [pdp.MaxVersion]; the record itself, in the format of policies/DOMAIN.md section 1; and, for a
// location, the organization, which is the id of the location's root. A null member counts as absent. A body has 1 to
// 1,000 changes.
//
// Parse returns users first, then locations, each in the order of the body. Every error is of kind [pdp.Invalid] or an
// [*authzen.Error], and says where in the body it is.
func Parse(body []byte) ([]pdp.Change, error) {
	members, err := authzen.ParseObject(body)
	if err != nil {
		return nil, err
	}
	if err := checkNames(members, "at the top level", bodyMembers); err != nil {
		return nil, err
	}
	var changes []pdp.Change
	for _, list := range []struct {
		name string
		kind pdp.ChangeKind
	}{{"users", pdp.UserChanged}, {"locations", pdp.LocationChanged}} {
		items, ok := members[list.name].([]any)
		switch {
		case !ok && members[list.name] != nil:
			return nil, memberError("at the top level", list.name, "is not an array: send an array of changes, or leave it out")
		case len(changes)+len(items) > maxChanges:
			return nil, invalid("There are too many changes: send at most " + strconv.Itoa(maxChanges) + " in a request.")
		}
		for i, item := range items {
			change, err := parseChange(item, list.kind, "at /"+list.name+"/"+strconv.Itoa(i))
			if err != nil {
				return nil, err
			}
			changes = append(changes, change)
		}
	}
	if len(changes) == 0 {
		return nil, invalid("There are no changes: list them in " + quoteAll(bodyMembers) + ".")
	}
	return changes, nil
}

// parseChange parses one change. Errors name its location, such as "at /users/0".
func parseChange(item any, kind pdp.ChangeKind, location string) (pdp.Change, error) {
	members, ok := item.(map[string]any)
	if !ok {
		return pdp.Change{}, invalid("The change " + location + ` is not an object: send an object with an "id".`)
	}
	err := checkNames(members, location, changeMembers[kind])
	if err != nil {
		return pdp.Change{}, err
	}
	c := pdp.Change{Kind: kind}
	if c.ID, err = parseID(members, "id", location); err != nil {
		return pdp.Change{}, err
	}
	if members["organization"] != nil {
		if c.Organization, err = parseID(members, "organization", location); err != nil {
			return pdp.Change{}, err
		}
	}
	if c.Version, err = parseVersion(members["version"], location); err != nil {
		return pdp.Change{}, err
	}
	c.Record, err = encodeRecord(members["record"], c.ID, location)
	return c, err
}

// parseID parses a member that is an id of a directory.
func parseID(members map[string]any, name, location string) (string, error) {
	id, ok := members[name].(string)
	switch {
	case members[name] == nil:
		return "", memberError(location, name, "is missing: send a non-empty string")
	case !ok || id == "":
		return "", memberError(location, name, "is not a non-empty string: send one")
	}
	if fault := facts.IDFault(id); fault != "" {
		return "", memberError(location, name, fault+": send the id of a record")
	}
	return id, nil
}

// parseVersion parses a version; an absent one is 0.
func parseVersion(value any, location string) (uint64, error) {
	if value == nil {
		return 0, nil
	}
	number, _ := value.(json.Number)
	version, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil || version < 1 || version > pdp.MaxVersion {
		return 0, memberError(location, "version",
			fmt.Sprintf("is not a whole number from 1 to %d: send one, in digits only, or leave it out", uint64(pdp.MaxVersion)))
	}
	return version, nil
}

// encodeRecord returns a record as JSON, or nil if it is absent. It checks only that the record has the id of the change.
func encodeRecord(value any, id, location string) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	record, ok := value.(map[string]any)
	if !ok {
		return nil, memberError(location, "record", "is not an object: send the record, or leave it out")
	}
	if recordID, has := record["id"]; has && recordID != id {
		return nil, memberError(location, "record", `has another "id": send the record that has changed`)
	}
	return authzen.AppendValue(nil, record)
}

// checkNames rejects members that are not in known.
func checkNames(members map[string]any, location string, known []string) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(known, name) {
			continue
		}
		shown := " " + strconv.Quote(name)
		if len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
			shown = "" // too long or not printable
		}
		return invalid("There is an unknown member" + shown + " " + location + ": the members are " + quoteAll(known) + ".")
	}
	return nil
}

func memberError(location, name, problem string) error {
	return invalid("The member " + strconv.Quote(name) + " " + location + " " + problem + ".")
}

func invalid(message string) error { return &pdp.Error{Kind: pdp.Invalid, Message: message} }

func quoteAll(names []string) string {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, strconv.Quote(name))
	}
	return strings.Join(quoted, ", ")
}
