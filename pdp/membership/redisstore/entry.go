package redisstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

const (
	maxEntryChanges = 128     // per entry of the stream
	maxEntryBytes   = 1 << 20 // of changes in one entry, as JSON; more than the longest ids need
)

var errEntry = errors.New("an entry of the stream of changes cannot be read")

// changeJSON is a change in the stream. It has no record: sidecars fetch that from the origin.
type changeJSON struct {
	Kind         pdp.ChangeKind `json:"k"`
	ID           string         `json:"i,omitempty"`
	Organization string         `json:"o,omitempty"`
	Version      uint64         `json:"v,omitempty"`
	Since        uint64         `json:"s,omitempty"`
}

func (c changeJSON) validate() error {
	switch {
	case c.Kind != pdp.UserChanged && c.Kind != pdp.LocationChanged && c.Kind != pdp.AnythingChanged:
		return errors.New("a change has an unknown kind")
	case c.Kind != pdp.AnythingChanged && c.ID == "":
		return errors.New("a change has no id")
	case c.ID != "" && !facts.ValidID(c.ID), c.Organization != "" && !facts.ValidID(c.Organization):
		return errors.New("the id of a change is too long or has invalid characters")
	case c.Version > pdp.MaxVersion || c.Since > pdp.MaxVersion:
		return errors.New("the version of a change is too large")
	}
	return nil
}

func encodeChanges(changes []pdp.Change) ([]byte, error) {
	list := make([]changeJSON, len(changes))
	for i, c := range changes {
		list[i] = changeJSON{Kind: c.Kind, ID: c.ID, Organization: c.Organization, Version: c.Version, Since: c.Since}
		if err := list[i].validate(); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false) // escaping would take six bytes instead of one
	err := out.Encode(list)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

func decodeChanges(text string) ([]pdp.Change, error) {
	if len(text) > maxEntryBytes {
		return nil, errEntry
	}
	var list []changeJSON
	in := json.NewDecoder(strings.NewReader(text))
	if err := in.Decode(&list); err != nil || in.More() || len(list) == 0 || len(list) > maxEntryChanges {
		return nil, errEntry
	}
	changes := make([]pdp.Change, len(list))
	for i, c := range list {
		if c.validate() != nil {
			return nil, errEntry
		}
		changes[i] = pdp.Change{Kind: c.Kind, ID: c.ID, Organization: c.Organization, Version: c.Version, Since: c.Since}
	}
	return changes, nil
}

// entry is an entry of the stream.
type entry struct {
	sequence  uint64
	epoch     string // as stored in Redis, see streamState.storedEpoch
	changes   []pdp.Change
	signature string // by a fleet key; "" if there is none
}

// decodeEntry reads an entry. With a fleet key the entry must be signed by one, for this place in the stream.
func (s *Store) decodeEntry(m redis.XMessage) (entry, error) {
	n, _ := m.Values["n"].(string)
	e, _ := m.Values["e"].(string)
	c, _ := m.Values["c"].(string)
	signature, _ := m.Values["s"].(string)
	sequence, err := strconv.ParseUint(n, 10, 64)
	valid := err == nil && sequence != 0 && sequence <= pdp.MaxVersion && e != "" && len(e) <= record.MaxEpoch && len(c) <= maxEntryBytes
	if s.cfg.FleetKey != nil && s.verify(e, sequence, c, signature) != nil {
		return entry{}, errNotSigned
	}
	if !valid {
		return entry{}, errEntry
	}
	if s.cfg.FleetKey == nil && signature != "" {
		s.warnSigned.Do(func() {
			s.cfg.Logger.Warn("other sidecars sign their changes by a fleet key, and do not believe those of this one: set fleet_key_file here too")
		})
	}
	changes, err := decodeChanges(c)
	return entry{sequence, e, changes, signature}, err
}

// sizeOf returns the size of the changes of an entry, in bytes.
func sizeOf(m redis.XMessage) int {
	changes, _ := m.Values["c"].(string)
	return len(changes)
}

// follows returns an error unless the entry is the next one after sequence in the same epoch.
func (e entry) follows(sequence uint64, epoch string) error {
	switch {
	case e.epoch != epoch:
		return errors.New("the stream of changes has started a new epoch")
	case e.sequence != sequence+1:
		return fmt.Errorf("the stream of changes has a gap: %d follows %d", e.sequence, sequence)
	}
	return nil
}
