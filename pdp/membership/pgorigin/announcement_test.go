package pgorigin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

func TestParseAnnouncement(t *testing.T) {
	anything := pdp.Change{Kind: pdp.AnythingChanged}
	for payload, want := range map[string]pdp.Change{
		`{"kind": "user", "id": "a", "version": 7}`:                                       {Kind: pdp.UserChanged, ID: "a", Version: 7},
		`{"kind": "user", "id": "a"}`:                                                     {Kind: pdp.UserChanged, ID: "a"},
		`{"kind": "user", "id": "a", "by": "trigger"}`:                                    {Kind: pdp.UserChanged, ID: "a"},
		`{"kind": "location", "id": "l", "organization": "o", "version": 1}`:              {Kind: pdp.LocationChanged, ID: "l", Organization: "o", Version: 1},
		`{"kind": "location", "id": "l", "organization": "o", "version": 9, "since": 7}`:  {Kind: pdp.LocationChanged, ID: "l", Organization: "o", Version: 9, Since: 7},
		`{"kind": "location", "id": "l", "organization": "o", "version": 9, "since": -1}`: anything,
		`{"kind": "location", "id": "l"}`:                                                 {Kind: pdp.LocationChanged, ID: "l"},
		`{"kind": "user", "id": "a", "version": 9007199254740991}`:                        {Kind: pdp.UserChanged, ID: "a", Version: pdp.MaxVersion},
		`{"kind": "user", "id": "a", "version": 9007199254740992}`:                        anything,
		`{"kind": "anything"}`:                                                            anything,
		``:                                                                                anything,
		`user a`:                                                                          anything,
		`{"kind": "user"}`:                                                                anything,
		`{"kind": "user", "id": ""}`:                                                      anything,
		`{"kind": "user", "id": 7}`:                                                       anything,
		`{"kind": "user", "id": "a", "version": -1}`:                                      anything,
		`{"kind": "user", "id": "a", "version": 1.5}`:                                     anything,
		`{"kind": "user", "id": "a"} {}`:                                                  anything,
		`{"kind": "user", "id": "a", "id": "b"}`:                                          anything,
		`{"kind": "users", "id": "a"}`:                                                    anything,
		`{"Kind": "user", "id": "a"}`:                                                     anything,
		`{"kind": "user", "id": "\ud800"}`:                                                anything,
		"{\"kind\": \"user\", \"id\": \"\xff\"}":                                          anything,
		`{"kind": "location", "id": "l", "organization": "a\u0000"}`:                      anything,
		`{"kind": "user", "id": "` + strings.Repeat("a", facts.MaxID) + `"}`:              {Kind: pdp.UserChanged, ID: strings.Repeat("a", facts.MaxID)},
		`{"kind": "user", "id": "` + strings.Repeat("a", facts.MaxID+1) + `"}`:            anything,
		`{"kind": "user", "id": "a"` + strings.Repeat(" ", maxAnnouncement):               anything,
	} {
		assert.Equal(t, want, parseAnnouncement(payload), payload)
	}
}

func FuzzParseAnnouncement(f *testing.F) {
	for _, seed := range []string{`{"kind": "user", "id": "a", "version": 7}`, `{"kind": "location", "id": "l", "organization": "o"}`, `{"kind":`, "\xff", `[]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c := parseAnnouncement(payload)
		switch c.Kind {
		case pdp.AnythingChanged:
			assert.Equal(t, pdp.Change{Kind: pdp.AnythingChanged}, c)
		case pdp.UserChanged, pdp.LocationChanged:
			assert.True(t, facts.ValidID(c.ID))
			assert.LessOrEqual(t, c.Version, uint64(pdp.MaxVersion))
			again := fmt.Sprintf(`{"kind": %q, "version": %d}`, c.Kind, c.Version)
			assert.Equal(t, pdp.AnythingChanged, parseAnnouncement(again).Kind, "nothing is told without an id")
		default:
			t.Errorf("%q is no kind", c.Kind)
		}
	})
}
