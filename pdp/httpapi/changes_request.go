package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// The bounds of an announcement.
const (
	maxChangesBody = 4 << 20 // bytes
	maxChanges     = 1000    // of both kinds together
)

// The members of what is announced. Any other is refused: misspelt, it would be a revocation lost.
var (
	announcementMembers = []string{"users", "locations"}
	changeMembers       = map[pdp.ChangeKind][]string{
		pdp.UserChanged:     {"id", "version", "record"},
		pdp.LocationChanged: {"id", "organization", "version", "record"},
	}
)

// parseChanges reads an announcement: users first, each list in its order. Every error is the caller's fault, and tells
// where it is.
func parseChanges(body []byte) ([]pdp.Change, error) {
	members, err := authzen.ParseObject(body)
	if err != nil {
		return nil, err
	}
	if err := checkNames(members, "at the top level", announcementMembers); err != nil {
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
			return nil, badMember("at the top level", list.name, "is not an array: send an array of changes, or leave it out")
		case len(changes)+len(items) > maxChanges:
			return nil, invalid("There are too many changes: send at most " + strconv.Itoa(maxChanges) + " in a request.")
		}
		for i, item := range items {
			change, err := changeOf(item, list.kind, "at /"+list.name+"/"+strconv.Itoa(i))
			if err != nil {
				return nil, err
			}
			changes = append(changes, change)
		}
	}
	if len(changes) == 0 {
		return nil, invalid("Nothing is announced: name what has changed in " + quoted(announcementMembers) + ".")
	}
	return changes, nil
}

// changeOf reads one change. at says where it is.
func changeOf(item any, kind pdp.ChangeKind, at string) (pdp.Change, error) {
	members, ok := item.(map[string]any)
	if !ok {
		return pdp.Change{}, invalid("The change " + at + ` is not an object: send an object with an "id".`)
	}
	err := checkNames(members, at, changeMembers[kind])
	if err != nil {
		return pdp.Change{}, err
	}
	c := pdp.Change{Kind: kind}
	if c.ID, err = reference(members, "id", at); err != nil {
		return pdp.Change{}, err
	}
	if members["organization"] != nil {
		if c.Organization, err = reference(members, "organization", at); err != nil {
			return pdp.Change{}, err
		}
	}
	if c.Version, err = versionOf(members["version"], at); err != nil {
		return pdp.Change{}, err
	}
	c.Record, err = recordOf(members["record"], c.ID, at)
	return c, err
}

// reference reads an id, as a directory may have one.
func reference(members map[string]any, name, at string) (string, error) {
	id, ok := members[name].(string)
	switch {
	case members[name] == nil:
		return "", badMember(at, name, "is missing: send a non-empty string")
	case !ok || id == "":
		return "", badMember(at, name, "is not a non-empty string: send one")
	case len(id) > authzen.MaxName:
		return "", badMember(at, name, "is too long: send at most "+strconv.Itoa(authzen.MaxName)+" bytes")
	case strings.ContainsFunc(id, unicode.IsControl):
		return "", badMember(at, name, "has control characters: send the id of a record")
	}
	return id, nil
}

// versionOf reads a version; 0 where there is none.
func versionOf(value any, at string) (uint64, error) {
	if value == nil {
		return 0, nil
	}
	number, _ := value.(json.Number)
	version, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil || version < 1 || version > pdp.MaxVersion {
		return 0, badMember(at, "version", fmt.Sprintf("is not a whole number from 1 to %d: send one, in digits alone, or leave it out", uint64(pdp.MaxVersion)))
	}
	return version, nil
}

// recordOf reads a record, of which nothing is checked here but that it is the one that the change is about; nil where
// there is none.
func recordOf(value any, id, at string) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	record, ok := value.(map[string]any)
	if !ok {
		return nil, badMember(at, "record", "is not an object: send the record, or leave it out")
	}
	if own, has := record["id"]; has && own != id {
		return nil, badMember(at, "record", `has another "id": send the record that the change is about`)
	}
	return authzen.AppendValue(nil, record)
}

// checkNames refuses members that are not among those known.
func checkNames(members map[string]any, at string, known []string) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(known, name) {
			continue
		}
		if len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
			name = "of that name" // whatever that is
		} else {
			name = strconv.Quote(name)
		}
		return invalid("There is no member " + name + " " + at + ": the members are " + quoted(known) + ".")
	}
	return nil
}

func badMember(at, name, what string) error {
	return invalid("The member " + strconv.Quote(name) + " " + at + " " + what + ".")
}

// quoted lists names.
func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, strconv.Quote(name))
	}
	return strings.Join(all, ", ")
}
