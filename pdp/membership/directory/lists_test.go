package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"golang.org/x/text/cases"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func mixedDirectory(t testing.TB, seed uint64, users int) *Directory {
	t.Helper()
	return parseDirectory(t, fixture.MixedDocument(seed, users))
}

// expectedList returns the whole list for a query, by filtering and sorting all users.
func expectedList(d *Directory, q facts.UserQuery) []*facts.User {
	caser := cases.Fold()
	keys := func(u *facts.User) [2]string {
		rec := u.Record()
		switch q.Sort {
		case facts.SortUsername:
			return [2]string{caser.String(rec.Username)}
		case facts.SortDefaultLocation:
			if q.Beneath != "" && rec.DefaultLocation != "" &&
				d.ByID(rec.DefaultLocation).Organization() != d.ByID(q.Beneath).Organization() {
				return [2]string{}
			}
			return [2]string{caser.String(rec.DefaultLocation)}
		case facts.SortLastLogin:
			if rec.LastLogin.IsZero() {
				return [2]string{}
			}
			return [2]string{rec.LastLogin.Format("2006-01-02T15:04:05.000000000")}
		}
		return [2]string{caser.String(rec.Name.Family), caser.String(rec.Name.Given)}
	}
	all := slices.DeleteFunc(slices.Clone(d.users), func(u *facts.User) bool {
		rec := u.Record()
		part := caser.String(q.Text)
		name := caser.String(strings.TrimSpace(rec.Name.Given + " " + rec.Name.Family))
		found := strings.Contains(name, part) || strings.Contains(caser.String(rec.Username), part)
		return !found || q.Beneath != "" && !slices.ContainsFunc(rec.Assignments, func(a facts.AssignmentRecord) bool {
			return d.ByID(a.Location).CoveredBy(q.Beneath)
		})
	})
	slices.SortFunc(all, func(a, b *facts.User) int {
		ka, kb := keys(a), keys(b)
		for i := range ka {
			switch {
			case ka[i] == kb[i]:
			case ka[i] == "":
				return 1
			case kb[i] == "":
				return -1
			case q.Descending:
				return cmp.Compare(kb[i], ka[i])
			default:
				return cmp.Compare(ka[i], kb[i])
			}
		}
		return cmp.Compare(a.ID(), b.ID())
	})
	return all
}

func ids(all []*facts.User) []string {
	out := make([]string, len(all))
	for i, u := range all {
		out[i] = u.ID()
	}
	return out
}

func TestPagesOfAListAddUpToTheList(t *testing.T) {
	ctx := context.Background()
	d := mixedDirectory(t, 7, 300)
	for _, beneath := range []string{"", "metro", "north", "ghi", "grp", "p1", "p2", "hs", "alone", "nowhere"} {
		for _, sort := range append(membership.SortKeys[:], "") {
			for _, descending := range []bool{false, true} {
				for _, text := range []string{"", "SMITH", "ann", "straSSe1", "éa å", "@example.org", "no such"} {
					q := facts.UserQuery{Beneath: beneath, Sort: sort, Descending: descending, Text: text}
					want := ids(expectedList(d, q))
					for _, limit := range []int{0, 1, 7, 300} {
						q.Limit, q.After = limit, facts.Cursor{}
						var got []string
						for {
							page, err := d.Users(ctx, q)
							require.NoError(t, err)
							require.Len(t, page.Cursors, len(page.Users))
							got = append(got, ids(page.Users)...)
							require.Equal(t, len(got) < len(want), page.More, "%+v", q)
							if !page.More {
								break
							}
							q.After = page.Cursors[len(page.Cursors)-1]
						}
						require.Equal(t, want, append([]string{}, got...), "%+v", q)
					}
				}
			}
		}
	}
}

// ALL-4: the order of a list must not reveal what a user has in another organization.
func TestDefaultLocationInAnotherOrganizationDoesNotAffectTheOrder(t *testing.T) {
	user := func(id, defaultLocation string) string {
		return fmt.Sprintf(`{"id": %q, "default_location": %q, "assignments": [{"location": "ghi", "role": "ed_admin"},
			{"location": "jkl", "role": "ed_admin"}, {"location": "e1", "role": "user"}, {"location": "alone", "role": "user"}]}`, id, defaultLocation)
	}
	d := parseDirectory(t, fixture.WithUsers(strings.Join([]string{user("a", "jkl"), user("b", "e1"), user("c", "ghi"), user("d", "alone")}, ",")))
	list := func(beneath string, descending bool, after facts.Cursor) string {
		page, err := d.Users(context.Background(), facts.UserQuery{Beneath: beneath, Sort: facts.SortDefaultLocation, Descending: descending, After: after})
		require.NoError(t, err)
		return strings.Join(ids(page.Users), "")
	}
	after := func(beneath string, i int) facts.Cursor {
		page, err := d.Users(context.Background(), facts.UserQuery{Beneath: beneath, Sort: facts.SortDefaultLocation})
		require.NoError(t, err)
		return page.Cursors[i]
	}
	for _, c := range []struct{ beneath, ascending, descending string }{
		{"", "dbca", "acbd"},
		{"metro", "cabd", "acbd"},
		{"ghi", "cabd", "acbd"}, // default locations of the whole organization count
		{"hs", "bacd", "bacd"},
		{"alone", "dabc", "dabc"},
	} {
		assert.Equal(t, c.ascending, list(c.beneath, false, facts.Cursor{}), c.beneath)
		assert.Equal(t, c.descending, list(c.beneath, true, facts.Cursor{}), c.beneath)
		assert.Equal(t, c.ascending[2:], list(c.beneath, false, after(c.beneath, 1)), c.beneath)
	}
	assert.Empty(t, list("grp", false, facts.Cursor{ID: "a"}), "the list is empty, and the user of the cursor is not in it")
	cachedLists := func() (n int) {
		for _, of := range []*sync.Map{&d.byOrganization, &d.lists} {
			of.Range(func(any, any) bool { n++; return true })
		}
		return n
	}
	before := cachedLists()
	for i := range 100 {
		assert.Empty(t, list(fmt.Sprintf("nowhere%d", i), false, facts.Cursor{ID: "a"}))
	}
	assert.Equal(t, before, cachedLists(), "nothing is kept of unknown locations")
}

// A list continues where the user of the cursor would be, whatever has become of that user.
func TestListContinuesWhereTheUserOfTheCursorWouldBe(t *testing.T) {
	ctx := context.Background()
	d := mixedDirectory(t, 8, 100)
	for _, sort := range membership.SortKeys {
		for _, descending := range []bool{false, true} {
			q := facts.UserQuery{Beneath: "metro", Sort: sort, Descending: descending}
			whole, err := d.Users(ctx, q)
			require.NoError(t, err)
			require.Equal(t, ids(expectedList(d, q)), ids(whole.Users))
			for i, c := range whole.Cursors {
				q.After = c
				rest, err := d.Users(ctx, q)
				require.NoError(t, err)
				require.Equal(t, ids(whole.Users[i+1:]), ids(rest.Users), "%+v", q)
				q.After.ID += "!" // a user who is gone, right behind
				rest, err = d.Users(ctx, q)
				require.NoError(t, err)
				require.Equal(t, ids(whole.Users[i+1:]), ids(rest.Users), "%+v", q)
				q.After.ID = "!" // and before those who are sorted by the same
				rest, err = d.Users(ctx, q)
				require.NoError(t, err)
				require.Greater(t, len(rest.Users), len(whole.Users[i+1:]), "%+v", q)
				require.Equal(t, [2]string{facts.Fold(c.First), facts.Fold(c.Second)},
					[2]string{facts.Fold(rest.Cursors[0].First), facts.Fold(rest.Cursors[0].Second)}, "%+v", q)
			}
		}
	}
}

func TestUsersRefusesUnknownSortKeyAndCanceledContext(t *testing.T) {
	d := mixedDirectory(t, 9, 10)
	_, err := d.Users(context.Background(), facts.UserQuery{Sort: "age"})
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = d.Users(canceled, facts.UserQuery{})
	assert.Equal(t, pdp.Timeout, pdp.KindOf(err))
	assert.ErrorIs(t, err, context.Canceled)
}

func TestLocationsArePaged(t *testing.T) {
	d := parseDirectory(t, fixture.WithUsers(""))
	list := func(q facts.LocationQuery) (out []string) {
		page, err := d.Locations(context.Background(), q)
		require.NoError(t, err)
		for _, l := range page {
			out = append(out, l.ID())
		}
		return out
	}
	assert.Equal(t, []string{"acme", "alone", "e1", "ghi", "grp", "hs", "jkl", "metro", "north", "p1", "p2"}, list(facts.LocationQuery{}))
	for range 2 { // the second answer is cached
		assert.Equal(t, []string{"ghi", "jkl", "metro", "north"}, list(facts.LocationQuery{Beneath: "metro"}))
	}
	assert.Equal(t, []string{"jkl", "metro"}, list(facts.LocationQuery{Beneath: "metro", After: "ghi", Limit: 2}))
	assert.Equal(t, []string{"north"}, list(facts.LocationQuery{Beneath: "metro", After: "n"}))
	assert.Empty(t, list(facts.LocationQuery{Beneath: "metro", After: "north"}))
	assert.Empty(t, list(facts.LocationQuery{Beneath: "nowhere"}))
	page, err := d.Locations(context.Background(), facts.LocationQuery{})
	require.NoError(t, err)
	page[0] = nil
	assert.Equal(t, "acme", list(facts.LocationQuery{})[0], "a caller may change the returned slice")
}

func TestListsAreBuiltConcurrently(t *testing.T) {
	d := mixedDirectory(t, 10, 200)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for _, sort := range membership.SortKeys {
				q := facts.UserQuery{Beneath: []string{"", "metro"}[i%2], Sort: sort, Text: "a"}
				page, err := d.Users(context.Background(), q)
				assert.NoError(t, err)
				assert.Equal(t, ids(expectedList(d, q)), ids(page.Users))
				_, err = d.Locations(context.Background(), facts.LocationQuery{Beneath: "metro"})
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
}

func TestFoldEqualsUnicodeCaseFolding(t *testing.T) {
	for _, s := range []string{"", "abc", "ABC", "a-Z_09@[`{", "Straße", "ÅNGSTRÖM", "İı", "ǅ", "ς", "K"} {
		assert.Equal(t, cases.Fold().String(s), facts.Fold(s))
	}
}

func TestSortableTimeComparesAsTimes(t *testing.T) {
	base := time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	in := []time.Time{time.Time{}.Add(1), base.AddDate(-1, 0, 0), base, base.Add(1), base.Add(2), base.AddDate(8000, 0, 0)}
	assert.True(t, slices.IsSortedFunc(in, func(a, b time.Time) int { return cmp.Compare(sortableTime(a), sortableTime(b)) }))
	assert.Empty(t, sortableTime(time.Time{}))
}
