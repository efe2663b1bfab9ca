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

// Members of search requests.
const (
	subjectAlice = `"subject":{"type":"user","id":"alice"}`
	subjectUser  = `"subject":{"type":"user","properties":{"p":1}}`
	actionRead   = `"action":{"name":"read"}`
	resourceDoc1 = `"resource":{"type":"doc","id":"1"}`
	resourceDoc  = `"resource":{"type":"doc"}`
)

func TestDecodeSearch(t *testing.T) {
	alice, read, one := Entity{Type: "user", ID: "alice"}, Action{Name: "read"}, Entity{Type: "doc", ID: "1"}
	anyone := Entity{Type: "user", Properties: map[string]any{"p": json.Number("1")}}
	for name, c := range map[string]struct {
		decode func([]byte) (Search, error)
		body   string
		want   Search
	}{
		"subject":                {DecodeSubjectSearch, subjectUser + `,` + actionRead + `,` + resourceDoc1, Search{Subject: anyone, Action: read, Resource: one}},
		"subject with an id":     {DecodeSubjectSearch, subjectAlice + `,` + actionRead + `,` + resourceDoc1, Search{Subject: Entity{Type: "user"}, Action: read, Resource: one}},
		"subject with a bad id":  {DecodeSubjectSearch, `"subject":{"type":"user","id":[7]},` + actionRead + `,` + resourceDoc1, Search{Subject: Entity{Type: "user"}, Action: read, Resource: one}},
		"resource":               {DecodeResourceSearch, subjectAlice + `,` + actionRead + `,` + resourceDoc, Search{Subject: alice, Action: read, Resource: Entity{Type: "doc"}}},
		"resource with an id":    {DecodeResourceSearch, subjectAlice + `,` + actionRead + `,` + resourceDoc1, Search{Subject: alice, Action: read, Resource: Entity{Type: "doc"}}},
		"action":                 {DecodeActionSearch, subjectAlice + `,` + resourceDoc1, Search{Subject: alice, Resource: one}},
		"action with an action":  {DecodeActionSearch, subjectAlice + `,` + actionRead + `,` + resourceDoc1, Search{Subject: alice, Resource: one}},
		"action with a bad one":  {DecodeActionSearch, subjectAlice + `,"action":[{}],` + resourceDoc1, Search{Subject: alice, Resource: one}},
		"context":                {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"context":{"a":null}`, Search{Subject: alice, Resource: one, Context: map[string]any{"a": nil}}},
		"nulls":                  {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"context":null,"page":null`, Search{Subject: alice, Resource: one}},
		"empty page":             {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{}`, Search{Subject: alice, Resource: one, Page: &Page{}}},
		"page of nulls":          {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"token":null,"limit":null,"properties":null}`, Search{Subject: alice, Resource: one, Page: &Page{}}},
		"page":                   {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"token":"t","limit":1000,"properties":{"sort":"name"},"x":1}`, Search{Subject: alice, Resource: one, Page: &Page{Token: "t", Limit: new(1000), Properties: map[string]any{"sort": "name"}}}},
		"evaluations is unknown": {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"evaluations":7`, Search{Subject: alice, Resource: one}},
	} {
		s, err := c.decode([]byte(`{` + c.body + `}`))
		require.NoError(t, err, name)
		assert.Equal(t, c.want, s, name)
	}
}

func TestPageLimitAcceptsAnyNotationOfWholeNumbers(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "-0": 0, "0.0": 0, "0e5": 0, "0e1000000000": 0, "1": 1, "3.0": 3, "3e0": 3, "0.3e1": 3, "30e-1": 3, "1E2": 100,
		"1000": 1000, "1001": 1000, "1e3": 1000, "1e300": 1000, "123456789012345678901234567890": 1000,
	} {
		s, err := DecodeActionSearch([]byte(`{` + subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":` + text + `}}`))
		require.NoError(t, err, text)
		require.NotNil(t, s.Page.Limit, text)
		assert.Equal(t, want, *s.Page.Limit, text)
	}
}

// TestWholeNumberIsExact compares every short text with the result of math/big.
func TestWholeNumberIsExact(t *testing.T) {
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

func TestWholeNumberDoesNotExpandExponents(t *testing.T) {
	for _, text := range []string{"1e-999999", "1e999999", "1e-99999999999999999999", "1e99999999999999999999"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, ok := WholeNumber(json.Number(text), MaxLimit)
		runtime.ReadMemStats(&after)
		assert.Equal(t, !strings.Contains(text, "-"), ok, text)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), text)
	}
}

func TestMalformedSearchIsRejected(t *testing.T) {
	for name, c := range map[string]struct {
		decode     func([]byte) (Search, error)
		body, want string
	}{
		"subject, no type":        {DecodeSubjectSearch, `"subject":{"id":"alice"},` + actionRead + `,` + resourceDoc1, `The member "type" is missing at /subject`},
		"subject, no subject":     {DecodeSubjectSearch, actionRead + `,` + resourceDoc1, `The member "subject" is missing`},
		"subject, no action":      {DecodeSubjectSearch, subjectUser + `,` + resourceDoc1, `The member "action" is missing`},
		"subject, no resource id": {DecodeSubjectSearch, subjectUser + `,` + actionRead + `,` + resourceDoc, `The member "id" is missing at /resource`},
		"resource, no subject id": {DecodeResourceSearch, subjectUser + `,` + actionRead + `,` + resourceDoc, `The member "id" is missing at /subject`},
		"resource, no action":     {DecodeResourceSearch, subjectAlice + `,` + resourceDoc, `The member "action" is missing`},
		"resource, no resource":   {DecodeResourceSearch, subjectAlice + `,` + actionRead, `The member "resource" is missing`},
		"resource, no type":       {DecodeResourceSearch, subjectAlice + `,` + actionRead + `,"resource":{"id":"1"}`, `The member "type" is missing at /resource`},
		"action, no subject id":   {DecodeActionSearch, subjectUser + `,` + resourceDoc1, `The member "id" is missing at /subject`},
		"action, no resource id":  {DecodeActionSearch, subjectAlice + `,` + resourceDoc, `The member "id" is missing at /resource`},
		"context":                 {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"context":1`, `The member "context" is not an object`},
		"properties":              {DecodeSubjectSearch, `"subject":{"type":"user","properties":"x"},` + actionRead + `,` + resourceDoc1, `The member "properties" is not an object at /subject`},
		"page":                    {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":[]`, `The member "page" is not an object`},
		"token":                   {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"token":1}`, `The member "token" is not a string at /page`},
		"page properties":         {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"properties":[]}`, `The member "properties" is not an object at /page`},
		"limit -1":                {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":-1}`, `The member "limit" is not a valid number of results at /page: send a whole number from 0 to 1000.`},
		"limit -1e3":              {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":-1e3}`, `The member "limit" is not a valid number of results`},
		"limit 1.5":               {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":1.5}`, `The member "limit" is not a valid number of results`},
		"limit a little above 3":  {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":3.00000000000000000001}`, `The member "limit" is not a valid number of results`},
		"limit 1e-3":              {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":1e-3}`, `The member "limit" is not a valid number of results`},
		"limit 1e400":             {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":1e400}`, `A number is out of range at /page/limit`},
		"limit a string":          {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":"10"}`, `The member "limit" is not a valid number of results`},
		"limit a boolean":         {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":false}`, `The member "limit" is not a valid number of results`},
		"duplicate in ignored id": {DecodeSubjectSearch, `"subject":{"type":"user","id":{"a":1,"a":1}},` + actionRead + `,` + resourceDoc1, `A member appears twice at /subject/id/a`},
		"duplicate limit":         {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `,"page":{"limit":1,"limit":2}`, `A member appears twice at /page/limit`},
		"not an object":           {DecodeActionSearch, subjectAlice + `,` + resourceDoc1 + `}]`, `The body continues`},
	} {
		_, err := c.decode([]byte(`{` + c.body + `}`))
		var e *Error
		if assert.ErrorAs(t, err, &e, name) {
			assert.Contains(t, e.Message, c.want, name)
			assertSentence(t, e.Message)
		}
	}
}
