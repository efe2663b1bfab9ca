package announcement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

func TestInvalidBodyIsRejected(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for body, want := range map[string]string{
		``:                                  "body is empty",
		`[]`:                                "not a JSON object",
		`{"users":[{"id":"a"}]}x`:           "continues after",
		`{"users":[{"id":"a","id":"b"}]}`:   "twice",
		`{"users":[{"id":"a"}],"users":[]}`: "twice",
		`{"users":[{"id":"a","record":{"id":"a","x":{"y":1,"y":2}}}]}`:      "twice",
		`{"users":[{"id":"a","record":` + strings.Repeat(`{"a":`, 64) + `1`: "too deep",
		`{}`:                            "There are no changes",
		`{"users":[],"locations":null}`: "There are no changes",
		`{"user":[{"id":"a"}]}`:         `There is an unknown member "user" at the top level: the members are "users", "locations".`,
		`{"users":[{"id":"a"}],"` + long + `":1}`:                                   `There is an unknown member at the top level`,
		`{"users":[{"id":"a"}],"a\nb":1}`:                                           `There is an unknown member at the top level`,
		`{"users":{"id":"a"}}`:                                                      `The member "users" at the top level is not an array`,
		`{"locations":"a"}`:                                                         `The member "locations" at the top level is not an array`,
		`{"users":["a"]}`:                                                           `The change at /users/0 is not an object`,
		`{"users":[{"id":"a"},null]}`:                                               `The change at /users/1 is not an object`,
		`{"users":[{"id":"a","organization":"b"}]}`:                                 `There is an unknown member "organization" at /users/0`,
		`{"locations":[{"id":"a","versoin":1}]}`:                                    `There is an unknown member "versoin" at /locations/0: the members are "id", "organization", "version", "record".`,
		`{"users":[{}]}`:                                                            `The member "id" at /users/0 is missing`,
		`{"users":[{"id":null}]}`:                                                   `The member "id" at /users/0 is missing`,
		`{"users":[{"id":""}]}`:                                                     `The member "id" at /users/0 is not a non-empty string`,
		`{"users":[{"id":7}]}`:                                                      `The member "id" at /users/0 is not a non-empty string`,
		`{"users":[{"id":"` + long + `"}]}`:                                         `The member "id" at /users/0 is longer than 1024 bytes: send the id of a record`,
		`{"users":[{"id":"a\u0000"}]}`:                                              `The member "id" at /users/0 has a control character: send the id of a record`,
		`{"locations":[{"id":"a","organization":""}]}`:                              `The member "organization" at /locations/0 is not a non-empty string`,
		`{"locations":[{"id":"a","organization":["b"]}]}`:                           `The member "organization" at /locations/0 is not a non-empty string`,
		`{"users":[{"id":"a","record":[]}]}`:                                        `The member "record" at /users/0 is not an object`,
		`{"users":[{"id":"a","record":"{}"}]}`:                                      `The member "record" at /users/0 is not an object`,
		`{"users":[{"id":"a","record":{"id":"b"}}]}`:                                `The member "record" at /users/0 has another "id"`,
		`{"users":[{"id":"a","record":{"id":null}}]}`:                               `The member "record" at /users/0 has another "id"`,
		`{"users":[{"id":"a","record":{"id":{}}}]}`:                                 `The member "record" at /users/0 has another "id"`,
		`{"users":[` + changeList(600) + `],"locations":[` + changeList(401) + `]}`: "too many changes: send at most 1000",
		`{"users":[` + changeList(1001) + `]}`:                                      "too many changes: send at most 1000",
		"{\"users\":[{\"id\":\"\xff\"}]}":                                           "not valid UTF-8",
		`{"users":[{"id":"a"}],"locations":[{"id":"b","record":{"n":1e999}}` + `]}`: "out of range",
	} {
		changes, err := Parse([]byte(body))
		require.Error(t, err, body)
		assert.Nil(t, changes, body)
		assert.Contains(t, message(t, err), want, body)
	}
	for _, version := range []string{`0`, `-1`, `9007199254740992`, `1.5`, `1.0`, `1e3`, `"12"`, `true`, `[]`, `18446744073709551616`, `-0`} {
		_, err := Parse([]byte(`{"users":[{"id":"a","version":` + version + `}]}`))
		require.Error(t, err, version)
		assert.Contains(t, message(t, err), `The member "version" at /users/0 is not a whole number from 1 to 9007199254740991`, version)
	}
}

// changeList returns n changes as JSON, without the brackets.
func changeList(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"id":"%d"}`, i)
	}
	return strings.Join(all, ",")
}

func TestValidBodyIsParsed(t *testing.T) {
	for body, wanted := range map[string][]pdp.Change{
		`{"users":[{"id":"a","version":null,"record":null}],"locations":null}`: {{Kind: pdp.UserChanged, ID: "a"}},
		`{"locations":[{"id":"a","organization":null}],"users":[]}`:            {{Kind: pdp.LocationChanged, ID: "a"}},
		`{"users":[{"id":"a","version":1},{"id":"a","version":2}]}`:            {{Kind: pdp.UserChanged, ID: "a", Version: 1}, {Kind: pdp.UserChanged, ID: "a", Version: 2}},
		`{"users":[{"id":"a","record":{}}]}`:                                   {{Kind: pdp.UserChanged, ID: "a", Record: []byte(`{}`)}},
		`{"users":[{"id":" \u00e4 /"}]}`:                                       {{Kind: pdp.UserChanged, ID: " ä /"}},
	} {
		changes, err := Parse([]byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, wanted, changes, body)
	}
	changes, err := Parse([]byte(`{"users":[` + changeList(600) + `],"locations":[` + changeList(400) + `,{"id":"` + strings.Repeat("x", 1024) + `"}]}`))
	require.Error(t, err)
	assert.Nil(t, changes)
	changes, err = Parse([]byte(`{"users":[` + changeList(600) + `],"locations":[` + changeList(399) + `,{"id":"` + strings.Repeat("x", 1024) + `"}]}`))
	require.NoError(t, err)
	assert.Len(t, changes, 1000)
}

// FuzzParse checks that Parse does not panic, that its errors are sentences, and that what it accepts is within the limits,
// is valid for encoding/json and is unchanged by a round trip.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `{"users":[{"id":"jane"}]}`, `{"locations":[{"id":"ghi","organization":"metro","version":7,"record":{"id":"ghi","a":[1.5,null,true]}}]}`,
		`{"users":[{"id":"a","version":9007199254740991},{"id":"\ud83d\ude00"}],"locations":null}`, `{"users":[{"id":"a","x":1}]}`,
		`{"users":[{"id":"a","record":{"id":"b"}}]}`, `{"users":7}`, `{"users":[{"id":"a","version":1e3}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := bytes.Clone(body)
		changes, err := Parse(body)
		require.Equal(t, sent, body, "the body was changed")
		if err != nil {
			text := message(t, err)
			require.True(t, strings.HasSuffix(text, ".") && len(text) < 500, text)
			require.Nil(t, changes)
			return
		}
		require.True(t, json.Valid(body))
		require.True(t, len(changes) >= 1 && len(changes) <= maxChanges)
		again, err := Parse(encode(t, changes))
		require.NoError(t, err)
		require.Equal(t, changes, again)
	})
}

// encode returns a body that announces changes.
func encode(t *testing.T, changes []pdp.Change) []byte {
	t.Helper()
	lists := map[string][]any{}
	for _, c := range changes {
		require.True(t, facts.ValidID(c.ID) && c.Version <= pdp.MaxVersion)
		item := map[string]any{"id": c.ID}
		if c.Version > 0 {
			item["version"] = c.Version
		}
		if c.Organization != "" {
			item["organization"] = c.Organization
		}
		if c.Record != nil {
			require.NoError(t, checkRecordID(c))
			item["record"] = json.RawMessage(c.Record)
		}
		name := map[pdp.ChangeKind]string{pdp.UserChanged: "users", pdp.LocationChanged: "locations"}[c.Kind]
		lists[name] = append(lists[name], item)
	}
	body, err := json.Marshal(lists)
	require.NoError(t, err)
	return body
}

// checkRecordID fails if the record of c has another id than c.
func checkRecordID(c pdp.Change) error {
	var record map[string]json.RawMessage
	if err := json.Unmarshal(c.Record, &record); err != nil {
		return err
	}
	var id string
	if own, has := record["id"]; !has || json.Unmarshal(own, &id) == nil && id == c.ID {
		return nil
	}
	return errors.New("the record has another id")
}

// message returns the sentence of an error, which must be the client's fault.
func message(t *testing.T, err error) string {
	t.Helper()
	if e, ok := errors.AsType[*pdp.Error](err); ok {
		require.Equal(t, pdp.Invalid, e.Kind)
		return e.Message
	}
	e, ok := errors.AsType[*authzen.Error](err)
	require.True(t, ok, err)
	return e.Message
}
