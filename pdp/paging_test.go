package pdp_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// find is one of the three searches.
type find func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)

// search runs a search and fails the test on an error.
func search(tb require.TestingT, find find, r pdp.SearchRequest) pdp.SearchResult {
	result, err := find(context.Background(), r)
	require.NoError(tb, err, "%s", show(r))
	return result
}

// lists returns searches of each kind with many hits.
func lists(engine *pdp.Engine, w *world) map[string]func(page *authzen.Page) (find, pdp.SearchRequest) {
	admin := admin(w)
	of := func(f find, r pdp.Request) func(page *authzen.Page) (find, pdp.SearchRequest) {
		return func(page *authzen.Page) (find, pdp.SearchRequest) { return f, searchOf(r, page) }
	}
	return map[string]func(page *authzen.Page) (find, pdp.SearchRequest){
		"users":     of(engine.SearchResources, ask(admin, "user.view", "user", "", "", "r0", nil)),
		"locations": of(engine.SearchResources, ask(admin, "user.list", "location", "", "", "r0", nil)),
		"subjects":  of(engine.SearchSubjects, ask("", "summary.view", "location", "r0", "", "", nil)),
		"actions":   of(engine.SearchActions, ask(admin, "", "user", admin, "", "r0", nil)),
	}
}

// pages follows the tokens from the first page to the last. Requests after the first omit the limit, which keeps it
// unchanged.
func pages(t require.TestingT, of func(*authzen.Page) (find, pdp.SearchRequest), first authzen.Page) []pdp.Hit {
	var all []pdp.Hit
	page := first
	for range 10_000 {
		f, r := of(&page)
		result := search(t, f, r)
		require.NotNil(t, result.Page)
		require.Equal(t, len(result.Hits), result.Page.Count)
		all = append(all, result.Hits...)
		if result.Page.NextToken == "" {
			return all
		}
		require.Len(t, result.Hits, *first.Limit)
		require.Nil(t, result.Page.Total, "an incomplete list has no cheap total")
		page = authzen.Page{Token: result.Page.NextToken, Properties: first.Properties}
	}
	require.Fail(t, "the list does not end")
	return nil
}

// The test covers every limit, order and field. Pages by number must equal pages by token.
func TestPagesMakeUpTheList(t *testing.T) {
	t.Parallel()
	w := generate(12)
	engine := over(t, w)
	for name, of := range lists(engine, w) {
		for i, properties := range []map[string]any{
			nil, {"sort": "name"}, {"sort": "name", "order": "desc"}, {"sort": "username", "order": "asc"},
			{"sort": "username", "order": "desc", "query": "0"}, {"sort": "default_location"},
			{"sort": "default_location", "order": "desc"}, {"sort": "last_login"}, {"sort": "last_login", "order": "desc", "query": "e"},
			{"fields": []any{"username", "status"}}, {"query": "no such text"},
		} {
			if fewerQuestions() && i%2 == 1 {
				continue
			}
			f, r := of(&authzen.Page{Limit: new(1000), Properties: properties})
			all := search(t, f, r)
			require.Empty(t, all.Page.NextToken)
			require.Equal(t, len(all.Hits), *all.Page.Total)
			if properties["query"] == nil {
				require.Greater(t, len(all.Hits), 3, "%s has too few to page through", name)
			}
			limits := []int{1, 2, 3, 5, len(all.Hits), len(all.Hits) + 1}
			if fewerQuestions() {
				limits = []int{2, len(all.Hits) + 1}
			}
			for _, limit := range limits {
				if limit == 0 {
					continue
				}
				where := fmt.Sprintf("%s, limit %d, %v", name, limit, properties)
				at := &failureLocator{T: t, where: where}
				paged := pages(at, of, authzen.Page{Limit: new(limit), Properties: properties})
				require.Equal(at, names(all.Hits), names(paged))
				require.Equal(at, len(all.Hits), countByNumber(at, of, all.Hits, limit, properties))
			}
		}
	}
}

// countByNumber compares each page by number, up to one past the last.
func countByNumber(t require.TestingT, of func(*authzen.Page) (find, pdp.SearchRequest), all []pdp.Hit, limit int, properties map[string]any) int {
	count := 0
	for number := 1; number <= len(all)/limit+2; number++ {
		f, r := of(&authzen.Page{Limit: new(limit), Properties: with(properties, map[string]any{"page": json.Number(strconv.Itoa(number))})})
		result := search(t, f, r)
		from := min((number-1)*limit, len(all))
		to := min(from+limit, len(all))
		require.Equal(t, names(all[from:to]), names(result.Hits), "page %d", number)
		require.Equal(t, to == len(all), result.Page.NextToken == "", "page %d", number)
		if to == len(all) {
			require.Equal(t, len(all), *result.Page.Total, "page %d", number)
		}
		count += len(result.Hits)
	}
	return count
}

func TestTokenContinuesAPageByNumber(t *testing.T) {
	w := generate(12)
	of := lists(over(t, w), w)["users"]
	f, r := of(whole)
	all := names(search(t, f, r).Hits)
	properties := map[string]any{"page": json.Number("2")}
	f, r = of(&authzen.Page{Limit: new(2), Properties: properties})
	second := search(t, f, r)
	require.Equal(t, all[2:4], names(second.Hits))
	f, r = of(&authzen.Page{Token: second.Page.NextToken, Properties: properties})
	require.Equal(t, all[4:6], names(search(t, f, r).Hits))
}

func TestPageIsReturnedOnRequestOrIfIncomplete(t *testing.T) {
	t.Parallel()
	w := generate(12)
	for name, of := range lists(over(t, w), w) {
		f, r := of(nil)
		result := search(t, f, r)
		require.Nil(t, result.Page, name)
		total := len(result.Hits)
		require.LessOrEqual(t, total, 100)

		f, r = of(&authzen.Page{})
		result = search(t, f, r)
		require.Equal(t, &pdp.PageInfo{Count: total, Total: &total}, result.Page, name)
	}
	// There are more hits than the default limit of 100, so the list is incomplete even though no page was requested.
	for i := range 150 {
		w.Users = append(w.Users, &person{ID: fmt.Sprintf("x%03d", i), Default: "r0",
			Assignments: []assignment{{Location: "r0", Role: "regional_admin"}}})
	}
	f, r := lists(over(t, w), w)["users"](nil)
	result := search(t, f, r)
	require.Len(t, result.Hits, 100)
	require.Equal(t, 100, result.Page.Count)
	require.NotEmpty(t, result.Page.NextToken)
	first := names(result.Hits)
	r.Page = &authzen.Page{Token: result.Page.NextToken}
	rest := search(t, f, r)
	require.Empty(t, rest.Page.NextToken)
	r.Page = whole
	require.Equal(t, names(search(t, f, r).Hits), append(first, names(rest.Hits)...))
}

// Each order is compared with a list that the test sorts: case-folded, absent values last, ties by id in both
// directions.
func TestListsAreSorted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		w := generate(12 + seed)
		of := lists(over(t, w), w)["users"]
		// A default location in another organization is neither shown nor sorted by.
		shown := map[string]string{}
		f, r := of(&authzen.Page{Limit: new(1000), Properties: map[string]any{"fields": []any{"default_location"}}})
		for _, hit := range search(t, f, r).Hits {
			shown[hit.ID], _ = hit.Properties["default_location"].(string)
		}
		for key, value := range map[string]func(*person) []string{
			"name": func(u *person) []string {
				if u.Name == nil {
					return []string{"", ""}
				}
				return []string{strings.ToLower(u.Name.Family), strings.ToLower(u.Name.Given)}
			},
			"username":         func(u *person) []string { return []string{strings.ToLower(u.Username)} },
			"default_location": func(u *person) []string { return []string{shown[u.ID]} },
			"last_login":       func(u *person) []string { return []string{u.LastLogin} },
		} {
			for _, order := range []string{"asc", "desc"} {
				f, r := of(&authzen.Page{Limit: new(1000), Properties: map[string]any{"sort": key, "order": order}})
				hits := names(search(t, f, r).Hits)
				wanted := slices.Clone(hits)
				slices.SortFunc(wanted, func(a, b string) int {
					return cmp.Or(inOrder(value(w.user(a)), value(w.user(b)), order), cmp.Compare(a, b))
				})
				require.Equal(t, wanted, hits, "world %d by %s, %s", 12+seed, key, order)
			}
		}
	}
}

func inOrder(a, b []string, order string) int {
	for i := range a {
		switch {
		case a[i] == b[i]:
		case a[i] == "" || b[i] == "":
			return cmp.Compare(len(b[i]), len(a[i]))
		case order == "desc":
			return strings.Compare(b[i], a[i])
		default:
			return strings.Compare(a[i], b[i])
		}
	}
	return 0
}

func TestQueryFiltersByNameOrUsername(t *testing.T) {
	t.Parallel()
	w := generate(12)
	of := lists(over(t, w), w)["users"]
	f, r := of(whole)
	all := search(t, f, r).Hits
	for _, query := range []string{"ann", "ANN", "n f", "Bo ek", "EXAMPLE", "name0", "u", ""} {
		wanted := []string{}
		for _, hit := range all {
			u := w.user(hit.ID)
			name := ""
			if u.Name != nil {
				name = strings.TrimSpace(u.Name.Given + " " + u.Name.Family)
			}
			if part := strings.ToLower(query); strings.Contains(strings.ToLower(name), part) || strings.Contains(strings.ToLower(u.Username), part) {
				wanted = append(wanted, hit.ID)
			}
		}
		f, r := of(&authzen.Page{Limit: new(1000), Properties: map[string]any{"query": query}})
		require.Equal(t, wanted, names(search(t, f, r).Hits), "query %q", query)
	}
}
