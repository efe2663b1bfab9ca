package cache

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// editedOrganization is an origin that delivers organizations with a text replaced.
type editedOrganization struct {
	*fakeOrigin
	from, to string
}

func (s *editedOrganization) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	raw, err := s.fakeOrigin.Organization(ctx, location)
	if raw != nil && s.from != "" {
		raw.Record = json.RawMessage(strings.Replace(string(raw.Record), s.from, s.to, 1))
	}
	return raw, err
}

// The fault is in the record and not in the parsed content, which stays the same.
func TestFaultOutsideContentIsFound(t *testing.T) {
	for name, to := range map[string]string{
		"an unknown member": `"id":"ghi","boss":true`,
		"a member twice":    `"id":"ghi","kind":"facility"`,
		"an empty plan":     `"id":"ghi","plan":""`,
		"a null":            `"id":"ghi","name":null`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				s := &editedOrganization{fakeOrigin: o}
				c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Origin = s })
				waitHeartbeat()
				announce := func() {
					_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "ghi"}})
					require.NoError(t, err)
				}
				assertRole(t, c, "jane", "ed_normal")
				o.set(func() { s.from, s.to = `"id":"ghi"`, to })
				announce()
				assertFails(t, c, "jane", pdp.Unavailable)
				assert.Equal(t, []string{`organization "metro"`}, c.Status().Quarantined)
				o.set(func() { s.from = "" })
				announce()
				assertRole(t, c, "jane", "ed_normal")
				assert.Empty(t, c.Status().Quarantined)
			})
		})
	}
}

func TestQuarantineEndsWithValidRecord(t *testing.T) {
	for name, to := range map[string]string{
		"no list":      ``,
		"two roots":    `[{"id":"ghi","kind":"region","model":"regional"},{"id":"metro","kind":"region","model":"regional"}]`,
		"no root":      `[{"id":"ghi","kind":"facility","parent":"nowhere"}]`,
		"no location":  `[1,{"id":"metro","kind":"region","model":"regional"},{"id":"north","kind":"division","parent":"metro"},{"id":"ghi","kind":"facility","parent":"north"}]`,
		"no id at all": `[{"kind":"region","model":"regional"},{"id":"metro","kind":"region","model":"regional"},{"id":"ghi","kind":"facility","parent":"metro"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				s := &replacedOrganization{fakeOrigin: o}
				first := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Origin = s })
				waitHeartbeat()
				s.record = &to
				assertFails(t, first, "jane", pdp.Unavailable)
				require.NotEmpty(t, first.Status().Quarantined)
				s.record = nil
				_, err := first.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "ghi"}})
				require.NoError(t, err)
				second := openCache(t, o, h.connect(), nil)
				waitHeartbeat()
				assertRole(t, second, "jane", "ed_normal") // fetches and shares it
				waitHeartbeat()
				asked := o.requestCount()
				assertRole(t, first, "jane", "ed_normal")
				require.Equal(t, asked, o.requestCount(), "the record comes from the shared tier")
				assert.Empty(t, first.Status().Quarantined)
			})
		})
	}
}

// replacedOrganization is an origin that delivers a replacement for the records of organizations.
type replacedOrganization struct {
	*fakeOrigin
	record *string
}

func (s *replacedOrganization) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	raw, err := s.fakeOrigin.Organization(ctx, location)
	if raw != nil && s.record != nil {
		raw.Record = json.RawMessage(*s.record)
	}
	return raw, err
}
