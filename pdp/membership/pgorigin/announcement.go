package pgorigin

import (
	"github.com/go-json-experiment/json"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// maxAnnouncement is greater than the limit of PostgreSQL for a payload, in bytes.
const maxAnnouncement = 8000

// announcement is the payload of a notification.
type announcement struct {
	Kind         pdp.ChangeKind `json:"kind"`
	ID           string         `json:"id"`
	Organization string         `json:"organization"`
	Version      uint64         `json:"version"`
	Since        uint64         `json:"since"`
}

// parseAnnouncement parses a payload. A payload that it does not understand means that anything may have changed.
func parseAnnouncement(payload string) pdp.Change {
	anything := pdp.Change{Kind: pdp.AnythingChanged}
	var a announcement
	if len(payload) > maxAnnouncement || json.Unmarshal([]byte(payload), &a) != nil {
		return anything
	}
	switch {
	case a.Version > pdp.MaxVersion || a.Since > pdp.MaxVersion || !facts.ValidID(a.ID):
		return anything
	case a.Kind == pdp.UserChanged:
		return pdp.Change{Kind: a.Kind, ID: a.ID, Version: a.Version}
	case a.Kind == pdp.LocationChanged && (a.Organization == "" || facts.ValidID(a.Organization)):
		return pdp.Change{Kind: a.Kind, ID: a.ID, Organization: a.Organization, Version: a.Version, Since: a.Since}
	}
	return anything
}
