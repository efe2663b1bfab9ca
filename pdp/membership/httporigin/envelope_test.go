package httporigin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

// Records are validated later, so a faulty record does not invalidate a list.
func TestEnvelopePassesFaultyRecordsOn(t *testing.T) {
	for _, record := range []string{
		`{}`, `{"id": 5}`, `{"id": "a", "id": "b"}`, `{"id": "a", "surprise": [1, {"x": null}]}`, "{\"id\": \"\xff\"}", `{"id": "\ud800"}`,
	} {
		s, err := readUserAnswer([]byte(` {"version" : 7 , "user" : ` + record + "}\n"))
		require.NoError(t, err)
		assert.Equal(t, membership.RawRecord{Record: []byte(record), Version: 7}, s)
		l, err := readListAnswer([]byte(`{"more": true, "users": [{"user": `+record+`}, {"version": 9, "user": {"id": "b"}}, {"user": {"id": "c"}}]}`), 5, facts.SortName)
		require.NoError(t, err)
		assert.Equal(t, record, string(l.Users[0].Record))
		assert.Equal(t, []membership.RawRecord{{Record: []byte(record)}, {Record: []byte(`{"id": "b"}`), Version: 9}, {Record: []byte(`{"id": "c"}`)}}, l.Users)
		assert.True(t, l.More)
	}
}

// A user whose record is too large keeps no others from being delivered.
func TestEnvelopeNamesRecordsThatAreTooLarge(t *testing.T) {
	large := `"title": "` + strings.Repeat("x", membership.MaxRecord) + `"`
	for record, id := range map[string]string{
		`{"id": "a", ` + large + `}`:                                  "a",
		`{` + large + `, "more": {"id": "b"}, "\u0069d": "a"}`:        "a",
		`{` + large + `}`:                                             "",
		`{"id": "a", ` + large + `, "id": "a"}`:                       "",
		`{"id": 5, ` + large + `}`:                                    "",
		`{"id": "` + strings.Repeat("i", membership.MaxRecord) + `"}`: "",
	} {
		l, err := readListAnswer([]byte(`{"users": [{"user": `+record+`, "version": 9}, {"user": {"id": "c"}}], "more": false}`), 5, facts.SortName)
		require.NoError(t, err)
		assert.Equal(t, []membership.RawRecord{{Fault: membership.ErrRecordTooLarge, ID: id, Version: 9}, {Record: []byte(`{"id": "c"}`)}}, l.Users)
	}
}

// A page may end with such a user, and even have nobody else.
func TestListContinuesAfterARecordThatIsTooLarge(t *testing.T) {
	large := `"id": "a", "username": "Ann", "last_login": "2026-01-02T03:04:05+01:00", "assignments": ["` + strings.Repeat("x", membership.MaxRecord) + `"]`
	next := func(user string, by facts.SortKey) facts.Cursor {
		l, err := readListAnswer([]byte(`{"users": [{"user": {"id": "z"}}, {"user": `+user+`}], "more": true}`), 5, by)
		require.NoError(t, err)
		return l.Next
	}
	named := `{"name": {"family": "Lee", "given": "Ann", "title": "Dr"}, ` + large + `}`
	assert.Equal(t, facts.Cursor{ID: "a", First: "Lee", Second: "Ann"}, next(named, facts.SortName))
	assert.Equal(t, facts.Cursor{ID: "a", First: "Ann"}, next(named, facts.SortUsername))
	assert.Equal(t, facts.Cursor{ID: "a", First: "2026-01-02T02:04:05Z"}, next(named, facts.SortLastLogin))
	assert.Equal(t, facts.Cursor{ID: "a"}, next(`{`+large+`}`, facts.SortName))
	for _, unknown := range []string{
		`{"name": {"family": 5}, ` + large + `}`, `{"name": {"family": "` + strings.Repeat("x", 2000) + `"}, ` + large + `}`, `{"ID": "a"}`,
	} {
		assert.Zero(t, next(unknown, facts.SortName))
	}
}

func TestEnvelopeRejectsMalformedAnswers(t *testing.T) {
	user := func(body string) error { _, err := readUserAnswer([]byte(body)); return err }
	list := func(body string) error { _, err := readListAnswer([]byte(body), 2, facts.SortName); return err }
	ids := func(body string) error { _, _, err := readLocationsAnswer([]byte(body), 3, "b"); return err }
	for _, c := range []struct {
		read        func(string) error
		body, fault string
	}{
		{user, ``, "byte 0: unexpected EOF"},
		{user, `null`, "wrong type"},
		{user, `[]`, "wrong type"},
		{user, `{"user": {}`, "unexpected EOF"},
		{user, `{"user": {}} x`, "more follows"},
		{user, `{"user": {}, "user": {}}`, "user is there twice"},
		{user, `{"user": {}, "version": 1, "version": 2}`, "version is there twice"},
		{user, `{"user": {}, "jane": 1}`, "an unknown member"},
		{user, `{"version": 1}`, "user is missing"},
		{user, `{"user": []}`, "user: a value is of the wrong type"},
		{user, `{"user": {"id": }}`, "user: byte 16: invalid character"},
		{user, `{"user": {}, "version": 1.0}`, "version: it is not a whole number"},
		{user, `{"user": {}, "version": 1e3}`, "version: it is not a whole number"},
		{user, `{"user": {}, "version": -1}`, "version: it is not a whole number"},
		{user, `{"user": {}, "version": 18446744073709551617}`, "version: it is not a whole number"},
		{user, `{"user": {}, "version": null}`, "version: a value is of the wrong type"},
		{user, `{"user": {}, "history": "\u0000"}`, "history: it is not 1 to 64 printable"},
		{user, `{"user": {}, "history": "\ud800"}`, "history: it is not 1 to 64 printable"},
		{user, `{"user": {}, "history": "a", "history": "b"}`, "history is there twice"},
		{user, `{"user": ` + strings.Repeat(`{"a":`, 20_000), "exceeded max depth"},
		{list, `{"users": [{"user": {}}, {"user": {}}, {"user": {}}], "more": false}`, "there are more than 2"},
		{list, `{"users": [], "more": true}`, "more is true, but the page is empty"},
		{list, `{"users": [{"user": {}, "offset": 5}], "more": true}`, "an unknown member"},
		{list, `{"users": [{"user": {}, "version": 9007199254740992}], "more": true}`, "version: it is not a whole number"},
		{list, `{"users": [], "more": "false"}`, "neither true nor false"},
		{list, `{"users": [`, "unexpected EOF"},
		{ids, `{"ids": ["c", "c"], "more": true}`, "ascending order"},
		{ids, `{"ids": ["d", "c"], "more": true}`, "ascending order"},
		{ids, `{"ids": ["b"], "more": true}`, "ascending order"},
		{ids, `{"ids": ["c", "D"], "more": true}`, "ascending order"},
		{ids, "{\"ids\": [\"c\xff\"], \"more\": true}", "one is not a valid id"},
		{ids, `{"ids": ["c\ud800"], "more": true}`, "one is not a valid id"},
		{ids, `{"ids": ["c\u0000"], "more": true}`, "one is not a valid id"},
		{ids, `{"ids": [], "more": true}`, "more is true, but the page is empty"},
	} {
		err := c.read(c.body)
		assert.ErrorContains(t, err, c.fault, "%.80s", c.body)
		if err != nil {
			assertNoSecrets(t, err.Error())
		}
	}
}

// FuzzHTTPAnswers checks that every answer is either refused or decoded as encoding/json decodes it.
func FuzzHTTPAnswers(f *testing.F) {
	for _, s := range []string{
		`{"user": {"id": "a"}, "version": 1}`, `{"user": {}, "history": "b"}`, `{"users": [{"user": {}, "version": 4}], "more": true}`, `{"locations": [{}]}`, `{"ids": ["c"], "more": false}`,
		`{"code": "unknown"}`, `{`, ``, `{"user": {}, "user": {}}`, "{\"ids\": [\"\xff\"]}", `{"\u0075ser": {}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if s, err := readUserAnswer(body); err == nil {
			require.Equal(t, s.Fault == nil, len(s.Record) > 0)
			require.LessOrEqual(t, s.Version, uint64(pdp.MaxVersion))
			var same struct {
				User    json.RawMessage
				Version uint64
				History string
			}
			if json.Unmarshal(body, &same) == nil {
				require.Equal(t, same.History, s.History)
				require.Equal(t, string(same.User), string(s.Record))
				require.Equal(t, same.Version, s.Version)
			}
		}
		if all, err := readUsersAnswer(body); err == nil {
			require.LessOrEqual(t, len(all), 2)
		}
		if s, err := readOrganizationAnswer(body); err == nil {
			require.Equal(t, byte('['), s.Record[0])
		}
		if l, err := readListAnswer(body, 3, facts.SortName); err == nil {
			require.LessOrEqual(t, len(l.Users), 3)
		}
		if ids, _, err := readLocationsAnswer(body, 3, "b"); err == nil {
			require.LessOrEqual(t, len(ids), 3)
			for i, id := range ids {
				require.True(t, facts.ValidID(id) && id > "b" && (i == 0 || ids[i-1] < id))
			}
		}
		_ = readUnknownAnswer(body)
	})
}

// Ids are sent only in the query. Impossible ids are not sent.
func TestHostileIDsAreSentEscapedOrNotAtAll(t *testing.T) {
	a, url := startApplication(t)
	h, _ := openTestOrigin(t, url, nil)
	for _, id := range append([]string{"../../etc/passwd", "%2e%2e%2f", "a?b#c&limit=5;d", "\u202e"}, origintest.OddIDs...) {
		before := len(a.Requests())
		_, err := h.User(context.Background(), id)
		require.NoError(t, err)
		_, err = h.Organization(context.Background(), id)
		require.NoError(t, err)
		_, err = h.UserByUsername(context.Background(), id)
		require.NoError(t, err)
		_, err = h.Users(context.Background(), facts.UserQuery{Beneath: id, Text: id, After: facts.Cursor{ID: id}, Limit: 5})
		require.NoError(t, err)
		asked := a.Requests()[before:]
		require.Len(t, asked, 4)
		for i, want := range []map[string][]string{
			{"id": {id}}, {"id": {id}}, {"username": {id}},
			{"beneath": {id}, "query": {id}, "after": {id}, "limit": {"5"}, "sort": {"name"}, "order": {"asc"}},
		} {
			assert.Equal(t, want, map[string][]string(asked[i].URL.Query()))
			assert.Equal(t, []string{"/users/by-id", "/organizations/by-location", "/users/by-username", "/users"}[i], asked[i].URL.Path)
			assert.NotContains(t, asked[i].URL.RawQuery, "+")
		}
	}
	before := len(a.Requests())
	for _, id := range []string{"", "\x00", "a\n", "\xff", strings.Repeat("x", 1025)} {
		s, err := h.User(context.Background(), id)
		assert.True(t, s == nil && err == nil)
		found, err := h.UserByUsername(context.Background(), id)
		assert.True(t, found == nil && err == nil)
	}
	_, err := h.Users(context.Background(), facts.UserQuery{Text: strings.Repeat("x", 1025)})
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
	_, err = h.Locations(context.Background(), "\x00", 5)
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
	assert.Len(t, a.Requests(), before)
}

func TestLongListsAreFetchedInPages(t *testing.T) {
	r := &origintest.Document{Locations: []origintest.Location{{ID: "metro", Kind: "region", Model: "regional"}, {ID: "north", Kind: "division", Parent: "metro"}}}
	for i := range 1100 {
		r.Locations = append(r.Locations, origintest.Location{ID: fmt.Sprintf("f%04d", i), Kind: "facility", Parent: "north"})
	}
	for i := range 2500 {
		r.Users = append(r.Users, origintest.User{ID: fmt.Sprintf("u%d", i), Username: fmt.Sprintf("u%d@example.org", i), DefaultLocation: "north",
			Assignments: []origintest.Assignment{{Location: "north", Role: "public_health"}}})
	}
	a := origintest.NewApplication(t, r.String())
	h := openOrigin(t, a, a.Serve().URL, nil)
	q := facts.UserQuery{Beneath: "metro", Sort: facts.SortUsername, Limit: 2200, After: facts.Cursor{ID: "u0", First: "u0@example.org"}}
	for n := range 3 {
		before := len(a.Requests())
		got, err := h.Users(context.Background(), q)
		require.NoError(t, err)
		q.Limit = 1000
		want, err := a.Directory.Users(context.Background(), q)
		require.NoError(t, err)
		origintest.AssertRawUsers(t, want, got, q)
		assert.Equal(t, n < 2, got.More)
		assert.Len(t, a.Requests(), before+1)
		q.After = want.Next
	}
	ids, err := h.Locations(context.Background(), "", 1015)
	require.NoError(t, err)
	assert.Len(t, ids, 1015)
}

func TestConcurrentRequestsAreBounded(t *testing.T) {
	a, url := startApplication(t)
	var running, peak atomic.Int64
	a.Intercept(func(http.ResponseWriter, *http.Request) bool {
		n := running.Add(1)
		defer running.Add(-1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
		return false
	})
	h, _ := openTestOrigin(t, url, func(cfg *Config) { cfg.MaxConnections = 3 })
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			_, err := h.User(context.Background(), fmt.Sprint(i))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.LessOrEqual(t, peak.Load(), int64(3))
}
