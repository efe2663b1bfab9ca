package authzen

import (
	"encoding/json"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parts of searches, by what they say
const (
	who    = `"subject":{"type":"user","id":"alice"}`
	whoAny = `"subject":{"type":"user","properties":{"p":1}}`
	does   = `"action":{"name":"read"}`
	what   = `"resource":{"type":"doc","id":"1"}`
	whatOf = `"resource":{"type":"doc"}`
)

func TestDecodeSearch(t *testing.T) {
	alice, read, one := Entity{Type: "user", ID: "alice"}, Action{Name: "read"}, Entity{Type: "doc", ID: "1"}
	anyone := Entity{Type: "user", Properties: map[string]any{"p": json.Number("1")}}
	for name, c := range map[string]struct {
		decode func([]byte) (Search, error)
		body   string
		want   Search
	}{
		"subject":                {DecodeSubjectSearch, whoAny + `,` + does + `,` + what, Search{Subject: anyone, Action: read, Resource: one}},
		"subject with an id":     {DecodeSubjectSearch, who + `,` + does + `,` + what, Search{Subject: Entity{Type: "user"}, Action: read, Resource: one}},
		"subject with a bad id":  {DecodeSubjectSearch, `"subject":{"type":"user","id":[7]},` + does + `,` + what, Search{Subject: Entity{Type: "user"}, Action: read, Resource: one}},
		"resource":               {DecodeResourceSearch, who + `,` + does + `,` + whatOf, Search{Subject: alice, Action: read, Resource: Entity{Type: "doc"}}},
		"resource with an id":    {DecodeResourceSearch, who + `,` + does + `,` + what, Search{Subject: alice, Action: read, Resource: Entity{Type: "doc"}}},
		"action":                 {DecodeActionSearch, who + `,` + what, Search{Subject: alice, Resource: one}},
		"action with an action":  {DecodeActionSearch, who + `,` + does + `,` + what, Search{Subject: alice, Resource: one}},
		"action with a bad one":  {DecodeActionSearch, who + `,"action":[{}],` + what, Search{Subject: alice, Resource: one}},
		"context":                {DecodeActionSearch, who + `,` + what + `,"context":{"a":null}`, Search{Subject: alice, Resource: one, Context: map[string]any{"a": nil}}},
		"nulls":                  {DecodeActionSearch, who + `,` + what + `,"context":null,"page":null`, Search{Subject: alice, Resource: one}},
		"empty page":             {DecodeActionSearch, who + `,` + what + `,"page":{}`, Search{Subject: alice, Resource: one, Page: &Page{}}},
		"page of nulls":          {DecodeActionSearch, who + `,` + what + `,"page":{"token":null,"limit":null,"properties":null}`, Search{Subject: alice, Resource: one, Page: &Page{}}},
		"page":                   {DecodeActionSearch, who + `,` + what + `,"page":{"token":"t","limit":1000,"properties":{"sort":"name"},"x":1}`, Search{Subject: alice, Resource: one, Page: &Page{Token: "t", Limit: new(1000), Properties: map[string]any{"sort": "name"}}}},
		"evaluations is unknown": {DecodeActionSearch, who + `,` + what + `,"evaluations":7`, Search{Subject: alice, Resource: one}},
	} {
		s, err := c.decode([]byte(`{` + c.body + `}`))
		require.NoError(t, err, name)
		assert.Equal(t, c.want, s, name)
	}
}

// TestLimits are whole numbers, however they are written, and at most the greatest.
func TestLimits(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "-0": 0, "0.0": 0, "0e5": 0, "0e1000000000": 0, "1": 1, "3.0": 3, "3e0": 3, "0.3e1": 3, "30e-1": 3, "1E2": 100,
		"1000": 1000, "1001": 1000, "1e3": 1000, "1e300": 1000, "123456789012345678901234567890": 1000,
	} {
		s, err := DecodeActionSearch([]byte(`{` + who + `,` + what + `,"page":{"limit":` + text + `}}`))
		require.NoError(t, err, text)
		require.NotNil(t, s.Page.Limit, text)
		assert.Equal(t, want, *s.Page.Limit, text)
	}
}

// TestWholeNumbersAreReadExactly holds every short text against arithmetic without rounding.
func TestWholeNumbersAreReadExactly(t *testing.T) {
	const signs = "-0127.e"
	var check func(text string)
	check = func(text string) {
		if json.Valid([]byte(text)) {
			want, ok := 0, false
			if r, read := new(big.Rat).SetString(text); read && r.IsInt() && r.Sign() >= 0 {
				want, ok = 20, true
				if r.Num().Cmp(big.NewInt(20)) < 0 {
					want = int(r.Num().Int64())
				}
			}
			got, whole := WholeNumber(json.Number(text), 20)
			require.Equal(t, ok, whole, text)
			require.Equal(t, want, got, text)
		}
		if len(text) < 6 {
			for _, sign := range signs {
				check(text + string(sign))
			}
		}
	}
	check("")
	for _, text := range []string{"", "-", ".", "e1", "1x2", "1e", "1ex", "+1", "1/2", "0x10", "1_0", "Infinity"} {
		_, ok := WholeNumber(json.Number(text), 20)
		require.False(t, ok, text)
	}
}

// TestAWholeNumberCostsNoMoreThanItsLength, whatever its exponent says.
func TestAWholeNumberCostsNoMoreThanItsLength(t *testing.T) {
	for _, text := range []string{"1e-999999", "1e999999", "1e-99999999999999999999", "1e99999999999999999999"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, ok := WholeNumber(json.Number(text), MaxLimit)
		runtime.ReadMemStats(&after)
		assert.Equal(t, !strings.Contains(text, "-"), ok, text)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), text)
	}
}

func TestRefusedSearches(t *testing.T) {
	for name, c := range map[string]struct {
		decode     func([]byte) (Search, error)
		body, want string
	}{
		"subject, no type":        {DecodeSubjectSearch, `"subject":{"id":"alice"},` + does + `,` + what, `The member "type" is missing at /subject`},
		"subject, no subject":     {DecodeSubjectSearch, does + `,` + what, `The member "subject" is missing`},
		"subject, no action":      {DecodeSubjectSearch, whoAny + `,` + what, `The member "action" is missing`},
		"subject, no resource id": {DecodeSubjectSearch, whoAny + `,` + does + `,` + whatOf, `The member "id" is missing at /resource`},
		"resource, no subject id": {DecodeResourceSearch, whoAny + `,` + does + `,` + whatOf, `The member "id" is missing at /subject`},
		"resource, no action":     {DecodeResourceSearch, who + `,` + whatOf, `The member "action" is missing`},
		"resource, no resource":   {DecodeResourceSearch, who + `,` + does, `The member "resource" is missing`},
		"resource, no type":       {DecodeResourceSearch, who + `,` + does + `,"resource":{"id":"1"}`, `The member "type" is missing at /resource`},
		"action, no subject id":   {DecodeActionSearch, whoAny + `,` + what, `The member "id" is missing at /subject`},
		"action, no resource id":  {DecodeActionSearch, who + `,` + whatOf, `The member "id" is missing at /resource`},
		"context":                 {DecodeActionSearch, who + `,` + what + `,"context":1`, `The member "context" is not an object`},
		"properties":              {DecodeSubjectSearch, `"subject":{"type":"user","properties":"x"},` + does + `,` + what, `The member "properties" is not an object at /subject`},
		"page":                    {DecodeActionSearch, who + `,` + what + `,"page":[]`, `The member "page" is not an object`},
		"token":                   {DecodeActionSearch, who + `,` + what + `,"page":{"token":1}`, `The member "token" is not a string at /page`},
		"page properties":         {DecodeActionSearch, who + `,` + what + `,"page":{"properties":[]}`, `The member "properties" is not an object at /page`},
		"limit -1":                {DecodeActionSearch, who + `,` + what + `,"page":{"limit":-1}`, `The member "limit" is no number of hits at /page: send a whole number from 0 to 1000.`},
		"limit -1e3":              {DecodeActionSearch, who + `,` + what + `,"page":{"limit":-1e3}`, `The member "limit" is no number of hits`},
		"limit 1.5":               {DecodeActionSearch, who + `,` + what + `,"page":{"limit":1.5}`, `The member "limit" is no number of hits`},
		"limit a little above 3":  {DecodeActionSearch, who + `,` + what + `,"page":{"limit":3.00000000000000000001}`, `The member "limit" is no number of hits`},
		"limit 1e-3":              {DecodeActionSearch, who + `,` + what + `,"page":{"limit":1e-3}`, `The member "limit" is no number of hits`},
		"limit 1e400":             {DecodeActionSearch, who + `,` + what + `,"page":{"limit":1e400}`, `A number is out of range at /page/limit`},
		"limit a string":          {DecodeActionSearch, who + `,` + what + `,"page":{"limit":"10"}`, `The member "limit" is no number of hits`},
		"limit a boolean":         {DecodeActionSearch, who + `,` + what + `,"page":{"limit":false}`, `The member "limit" is no number of hits`},
		"duplicate in ignored id": {DecodeSubjectSearch, `"subject":{"type":"user","id":{"a":1,"a":1}},` + does + `,` + what, `A member is there twice at /subject/id/a`},
		"duplicate limit":         {DecodeActionSearch, who + `,` + what + `,"page":{"limit":1,"limit":2}`, `A member is there twice at /page/limit`},
		"not an object":           {DecodeActionSearch, who + `,` + what + `}]`, `The body goes on`},
	} {
		_, err := c.decode([]byte(`{` + c.body + `}`))
		var e *Error
		if assert.ErrorAs(t, err, &e, name) {
			assert.Contains(t, e.Message, c.want, name)
			assertSentence(t, e.Message)
		}
	}
}
