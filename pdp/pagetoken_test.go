package pdp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// begun starts a list of several pages, and returns its first request and the token of the second page.
func begun(tb require.TestingT, engine *pdp.Engine, admin string) (pdp.SearchRequest, string) {
	r := searchOf(ask(admin, "user.view", "user", "", "r0", "r0", map[string]any{"note": "n"}),
		&authzen.Page{Limit: new(2), Properties: map[string]any{"sort": "username"}})
	result := search(tb, engine.SearchResources, r)
	require.NotEmpty(tb, result.Page.NextToken)
	return r, result.Page.NextToken
}

func admin(w *world) string {
	for _, u := range w.Users {
		if held := u.at("r0"); held != nil && isActive(u.Status) {
			return u.ID
		}
	}
	return ""
}

func TestTokenContinuesOnlyItsOwnList(t *testing.T) {
	t.Parallel()
	w := generate(12)
	engine := over(t, w)
	r, token := begun(t, engine, admin(w))
	sorted := map[string]any{"sort": "username"}
	another := func(change func(r *pdp.SearchRequest)) pdp.SearchRequest {
		c := r
		c.Page = &authzen.Page{Token: token, Properties: sorted}
		change(&c)
		return c
	}
	require.Len(t, search(t, engine.SearchResources, another(func(*pdp.SearchRequest) {})).Hits, 2)
	same := another(func(r *pdp.SearchRequest) { r.Page.Limit = new(2); r.Resource.ID = "is ignored" })
	require.Len(t, search(t, engine.SearchResources, same).Hits, 2)

	for name, change := range map[string]func(r *pdp.SearchRequest){
		"subject":             func(r *pdp.SearchRequest) { r.Subject.ID += "x" },
		"subject type":        func(r *pdp.SearchRequest) { r.Subject.Type = "service" },
		"subject properties":  func(r *pdp.SearchRequest) { r.Subject.Properties = map[string]any{"note": "m"} },
		"action":              func(r *pdp.SearchRequest) { r.Action.Name = "user.edit" },
		"action properties":   func(r *pdp.SearchRequest) { r.Action.Properties = map[string]any{"note": "m"} },
		"no properties":       func(r *pdp.SearchRequest) { r.Action.Properties = nil },
		"resource type":       func(r *pdp.SearchRequest) { r.Resource.Type = "location" },
		"resource properties": func(r *pdp.SearchRequest) { r.Resource.Properties = map[string]any{"location": "r1"} },
		"context":             func(r *pdp.SearchRequest) { r.Context = with(r.Context, map[string]any{"more": true}) },
		"no context":          func(r *pdp.SearchRequest) { r.Context = nil },
		"limit":               func(r *pdp.SearchRequest) { r.Page.Limit = new(3) },
		"page properties":     func(r *pdp.SearchRequest) { r.Page.Properties = map[string]any{"sort": "name"} },
		"order":               func(r *pdp.SearchRequest) { r.Page.Properties = with(sorted, map[string]any{"order": "desc"}) },
		"fields":              func(r *pdp.SearchRequest) { r.Page.Properties = with(sorted, map[string]any{"fields": []any{"name"}}) },
		"query":               func(r *pdp.SearchRequest) { r.Page.Properties = with(sorted, map[string]any{"query": "a"}) },
		"page number":         func(r *pdp.SearchRequest) { r.Page.Properties = with(sorted, map[string]any{"page": json.Number("2")}) },
		"no page properties":  func(r *pdp.SearchRequest) { r.Page.Properties = nil },
		"no token at all":     func(r *pdp.SearchRequest) { r.Page.Token = "nonsense" },
		"a padded token":      func(r *pdp.SearchRequest) { r.Page.Token += "=" },
		"a token in lines":    func(r *pdp.SearchRequest) { r.Page.Token = token[:8] + "\n" + token[8:] },
		"two tokens":          func(r *pdp.SearchRequest) { r.Page.Token += token },
	} {
		refused(t, engine.SearchResources, another(change), name)
	}
	for name, other := range map[string]find{"subjects": engine.SearchSubjects, "actions": engine.SearchActions} {
		refused(t, other, another(func(*pdp.SearchRequest) {}), name)
	}
	for i := range token {
		for _, c := range []byte("A_9") {
			tampered := []byte(token)
			tampered[i] = c
			if string(tampered) != token {
				refused(t, engine.SearchResources, another(func(r *pdp.SearchRequest) { r.Page.Token = string(tampered) }), string(tampered))
			}
		}
	}
}

func refused(t *testing.T, f find, r pdp.SearchRequest, why string) {
	t.Helper()
	result, err := f(context.Background(), r)
	require.Error(t, err, why)
	require.Equal(t, pdp.Invalid, pdp.KindOf(err), why)
	require.Empty(t, result, why)
}

// With a fleet key a token is sealed: callers learn nothing from it, and cannot make one. Any sidecar with the key can
// continue the list, also while the key is rotated.
func TestTokensAreSealedByTheFleetKey(t *testing.T) {
	t.Parallel()
	w := generate(12)
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	var keys *fleetkey.Keys // of the engine opened last
	open := func(lines ...string) *pdp.Engine {
		path := filepath.Join(t.TempDir(), "fleet.key")
		require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
		var err error
		keys, err = fleetkey.Open(path, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return pdp.WithFleetKey(over(t, w), keys)
	}
	engine := open(a)
	own := keys
	forged := func() (n uint64) {
		for _, refused := range own.Status().Refused {
			if refused.Reason == "forged" {
				n += refused.Count
			}
		}
		return n
	}
	r, token := begun(t, engine, admin(w))
	data, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	require.NotContains(t, string(data), `"i"`)
	resumed := func(token string) pdp.SearchRequest {
		c := r
		c.Page = &authzen.Page{Token: token, Properties: r.Page.Properties}
		return c
	}
	second := search(t, engine.SearchResources, resumed(token)).Hits
	require.Len(t, second, 2)
	_, again := begun(t, engine, admin(w))
	require.NotEqual(t, token, again)
	for name, other := range map[string]*pdp.Engine{"another sidecar": open(a), "with the next key too": open(a, b), "that signs with the next": open(b, a)} {
		require.Equal(t, second, search(t, other.SearchResources, resumed(token)).Hits, name)
	}
	require.Equal(t, second, search(t, open(a, b).SearchResources, resumed(search(t, open(b, a).SearchResources, r).Page.NextToken)).Hits)

	_, plain := begun(t, over(t, w), admin(w))
	refused(t, engine.SearchResources, resumed(plain), "a token of a process without a fleet key")
	refused(t, over(t, w).SearchResources, resumed(token), "at a sidecar without a key")
	refused(t, open(b).SearchResources, resumed(token), "another key")
	other := resumed(token)
	other.Page.Properties = map[string]any{"sort": "name"}
	refused(t, engine.SearchResources, other, "another list")
	other = resumed(token)
	other.Page.Limit = new(3)
	refused(t, engine.SearchResources, other, "another limit")
	require.Zero(t, forged(), "a mistake is no attack")
	for i := range token {
		tampered := []byte(token)
		tampered[i] ^= 1
		refused(t, engine.SearchResources, resumed(string(tampered)), string(tampered))
	}
	refused(t, engine.SearchResources, resumed(token+"\n"), "a token in lines")
	require.NotZero(t, forged())
}

// A token has what the list is sorted by, so that it is sealed without a fleet key too: by a key that one process has.
func TestTokensAreSealedWithoutAFleetKey(t *testing.T) {
	w := generate(12)
	engine := over(t, w)
	r, token := begun(t, engine, admin(w))
	hits := search(t, engine.SearchResources, r).Hits
	data, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	last := w.user(hits[len(hits)-1].ID)
	require.NotEmpty(t, last.Username)
	for _, secret := range []string{last.ID, last.Username, `"l"`} {
		require.NotContains(t, string(data), secret)
	}
	resumed := r
	resumed.Page = &authzen.Page{Token: token, Properties: r.Page.Properties}
	require.NotEmpty(t, search(t, engine.SearchResources, resumed).Hits)
	refused(t, over(t, w).SearchResources, resumed, "another process")
}

// Nobody is listed twice and nobody who was there throughout is left out, in any order, when the last hit of each page is
// renamed, moved or deleted before the next page. Each hit is somebody whom a single evaluation allows then.
func TestListsWhileTheDirectoryChanges(t *testing.T) {
	t.Parallel()
	changes := 0
	for i, sort := range []string{"name", "username", "default_location", "last_login"} {
		for j, order := range []string{"asc", "desc"} {
			for k, change := range []func(w *world, u *person){
				func(w *world, u *person) { u.Name, u.Username, u.LastLogin = &fullName{Family: "Zz"}, "", "" },
				func(w *world, u *person) { u.Name, u.Username = nil, "0"+u.Username },
				func(w *world, u *person) { u.Default, u.Assignments = "", nil },
				func(w *world, u *person) {
					w.Users = slices.DeleteFunc(w.Users, func(v *person) bool { return v == u })
				},
			} {
				w := generate(uint64(20 + i + 4*j + 8*k)).clone()
				changes += assertPagesWhileChanging(t, w, map[string]any{"sort": sort, "order": order}, change)
			}
		}
	}
	require.Greater(t, changes, 40)
}

// assertPagesWhileChanging returns how many hits were changed.
func assertPagesWhileChanging(t *testing.T, w *world, properties map[string]any, change func(w *world, u *person)) int {
	t.Helper()
	engine, source := administration(t)
	source.set(w.directory(t))
	self := admin(w)
	of := func(page *authzen.Page) pdp.SearchRequest {
		page.Properties = properties
		return searchOf(ask(self, "user.view", "user", "", "", "r0", nil), page)
	}
	wanted := names(search(t, engine.SearchResources, of(&authzen.Page{Limit: new(1000)})).Hits)
	listed, changed := []string{}, map[string]bool{}
	for page := (&authzen.Page{Limit: new(2)}); page != nil; {
		result := search(t, engine.SearchResources, of(page))
		for _, hit := range result.Hits {
			require.True(t, decide(t, engine, ask(self, "user.view", "user", hit.ID, "", "r0", nil)).Allow, hit.ID)
			if !changed[hit.ID] {
				listed = append(listed, hit.ID)
			}
		}
		if page = nil; result.Page.NextToken != "" {
			page = &authzen.Page{Token: result.Page.NextToken}
			if last := result.Hits[len(result.Hits)-1].ID; last != self {
				change(w, w.user(last))
				changed[last] = true
				source.set(w.directory(t))
			}
		}
	}
	require.Equal(t, wanted, listed, "%v", properties)
	return len(changed)
}

func TestMalformedPagePropertiesAreRefused(t *testing.T) {
	w := generate(12)
	of := lists(over(t, w), w)["users"]
	for _, page := range []*authzen.Page{
		{Limit: new(-1)},
		{Properties: map[string]any{"sort": "id"}}, {Properties: map[string]any{"sort": json.Number("1")}},
		{Properties: map[string]any{"sort": ""}}, {Properties: map[string]any{"sort": "Name"}},
		{Properties: map[string]any{"order": "up"}}, {Properties: map[string]any{"order": true}},
		{Properties: map[string]any{"query": json.Number("1")}}, {Properties: map[string]any{"query": []any{}}},
		{Properties: map[string]any{"page": json.Number("0")}}, {Properties: map[string]any{"page": json.Number("-1")}},
		{Properties: map[string]any{"page": json.Number("1.5")}}, {Properties: map[string]any{"page": "1"}},
		{Properties: map[string]any{"page": json.Number("99999999999999999999")}}, {Properties: map[string]any{"page": json.Number("1000001")}},
		{Properties: map[string]any{"fields": "name"}}, {Properties: map[string]any{"fields": []any{"password"}}},
		{Properties: map[string]any{"fields": []any{json.Number("1")}}}, {Properties: map[string]any{"fields": map[string]any{}}},
	} {
		f, r := of(page)
		refused(t, f, r, show(page))
	}
	// Null counts as absent, and unknown members are ignored.
	f, r := of(&authzen.Page{Limit: new(1000), Properties: map[string]any{"sort": nil, "order": nil, "query": nil, "page": nil, "fields": nil, "colour": "red"}})
	found := search(t, f, r)
	f, r = of(whole)
	assert.Equal(t, search(t, f, r), found)
}

// A limit of 0 gives an empty page that continues from the same position. A limit above the maximum gives the maximum.
func TestLimitsAtTheirBounds(t *testing.T) {
	t.Parallel()
	w := generate(12)
	engine := over(t, w)
	for name, of := range lists(engine, w) {
		f, r := of(&authzen.Page{Limit: new(2)})
		first := search(t, f, r)
		f, r = of(&authzen.Page{Limit: new(0)})
		none := search(t, f, r)
		require.Equal(t, []pdp.Hit{}, none.Hits, name)
		require.Zero(t, none.Page.Count)
		require.Nil(t, none.Page.Total)
		require.NotEmpty(t, none.Page.NextToken, name)
		for _, limit := range []*int{nil, new(0)} {
			f, r = of(&authzen.Page{Token: none.Page.NextToken, Limit: limit})
			again := search(t, f, r)
			require.NotEmpty(t, again.Page.NextToken, name)
			again.Page.NextToken = none.Page.NextToken // each is sealed with a salt of its own
			require.Equal(t, none, again, name)
		}
		f, r = of(&authzen.Page{Token: none.Page.NextToken, Limit: new(2)})
		refused(t, f, r, "another limit")
		f, r = of(&authzen.Page{Token: first.Page.NextToken, Limit: new(0)})
		refused(t, f, r, "another limit")

		f, r = of(&authzen.Page{Limit: new(1001)})
		more := search(t, f, r)
		f, r = of(&authzen.Page{Limit: new(1000)})
		require.Equal(t, search(t, f, r), more, name)
	}
	// If no hit follows, an empty page is the last one.
	f, r := lists(engine, w)["users"](&authzen.Page{Limit: new(0), Properties: map[string]any{"query": "no such text"}})
	zero := 0
	require.Equal(t, pdp.SearchResult{Page: &pdp.PageInfo{Total: &zero}, Hits: []pdp.Hit{}}, search(t, f, r))
}

func TestCappedLimitCanBeRepeated(t *testing.T) {
	engine := general(t, `
default decision := true

candidates := {"resource": {"doc": {sprintf("d%04d", [i]) | some i in numbers.range(1, 1500)}}}
`)
	r := searchOf(ask("bob", "read", "doc", "", "", "", nil), &authzen.Page{Limit: new(5000)})
	first := search(t, engine.SearchResources, r)
	require.Len(t, first.Hits, 1000)
	for _, limit := range []*int{nil, new(5000), new(1000)} {
		r.Page = &authzen.Page{Token: first.Page.NextToken, Limit: limit}
		require.Len(t, search(t, engine.SearchResources, r).Hits, 500)
	}
}

// A field without a value is left out.
func TestRequestedFieldsAreReturned(t *testing.T) {
	w := generate(12)
	all := lists(over(t, w), w)
	f, r := all["users"](&authzen.Page{Limit: new(1000), Properties: map[string]any{
		"fields": []any{"name", "username", "status", "default_location", "last_login"}}})
	for _, hit := range search(t, f, r).Hits {
		u := w.user(hit.ID)
		wanted := map[string]any{"status": "active"}
		if u.Status == "deactivated" {
			wanted["status"] = u.Status
		}
		if u.Username != "" {
			wanted["username"] = u.Username
		}
		if u.LastLogin != "" {
			wanted["last_login"] = u.LastLogin
		}
		if u.Default != "" && w.root(w.byID(u.Default)).ID == "r0" { // a default location in another organization is not shown
			wanted["default_location"] = u.Default
		}
		name := map[string]any{}
		if u.Name != nil && u.Name.Given != "" {
			name["given"] = u.Name.Given
		}
		if u.Name != nil && u.Name.Family != "" {
			name["family"] = u.Name.Family
		}
		if len(name) > 0 {
			wanted["name"] = name
		}
		require.Equal(t, wanted, hit.Properties, hit.ID)
		require.Equal(t, "user", hit.Type)
	}
	for name, of := range all {
		f, r := of(whole)
		for _, hit := range search(t, f, r).Hits {
			require.Nil(t, hit.Properties, name)
		}
	}
}

// Whatever the token, nothing may panic, and each hit must evaluate to true.
func FuzzPageToken(f *testing.F) {
	w := generate(12)
	engine := over(f, w)
	r, token := begun(f, engine, admin(w))
	data, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(f, err)
	f.Add(token, string(data), 2)
	f.Add("", "{}", 0)
	f.Add("e30", `{"i":"u00","f":"Bo","g":"\u0000","l":1000,"s":""}`, 1)
	f.Add("nonsense", `{"i":"","f":"x","l":1,"s":"AAAA"}`, -5)
	f.Fuzz(func(t *testing.T, token, content string, limit int) {
		for _, sent := range []string{token, base64.RawURLEncoding.EncodeToString([]byte(content))} {
			for _, list := range []find{engine.SearchResources, engine.SearchSubjects, engine.SearchActions} {
				asked := r
				asked.Page = &authzen.Page{Token: sent, Limit: new(limit), Properties: r.Page.Properties}
				result, err := list(context.Background(), asked)
				if err != nil {
					require.Equal(t, pdp.Invalid, pdp.KindOf(err))
					require.Empty(t, result)
				}
			}
			// A token grants no right: even one that somebody with the key has made up must give no hit that the policy denies.
			for _, hit := range pdp.Forged(engine, r, content) {
				question := pdp.Request{Subject: r.Subject, Action: r.Action, Resource: authzen.Entity{Type: "user", ID: hit.ID}, Context: r.Context}
				require.True(t, decide(t, engine, question).Allow, "%s", hit.ID)
			}
		}
	})
}
