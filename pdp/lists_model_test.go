package pdp_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// publish replaces the directory of a source.
type publish func(t require.TestingT, w *world)

// uncached returns the source over an origin that asks for everything anew.
func uncached(t *testing.T, origin membership.Origin) facts.Source {
	c, err := cache.Open(cache.Config{Origin: origin, Vocabulary: vocabulary(), Logger: slog.New(slog.DiscardHandler), FetchTimeout: time.Minute,
		MaxAgeChange: time.Nanosecond, MaxAgeUse: time.Nanosecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func fileSource(*testing.T) (facts.Source, publish) {
	source := &replaceable{}
	return source, func(t require.TestingT, w *world) { source.set(w.directory(t)) }
}

func applicationSource(t *testing.T) (facts.Source, publish) {
	a := origintest.NewApplication(t, `{"locations": [], "users": []}`)
	o, err := httporigin.Open(httporigin.Config{URL: a.Serve().URL + "/membership", Timeout: time.Minute})
	require.NoError(t, err)
	return uncached(t, o), func(_ require.TestingT, w *world) { a.Replace(string(w.json())) }
}

func postgresSource(t *testing.T) (facts.Source, publish) {
	target := pgorigin.Target{URL: servertest.StartPostgres(t).Database(), Schema: true}
	o, err := pgorigin.Open(t.Context(), pgorigin.Config{URL: target.URL, Timeout: time.Minute})
	require.NoError(t, err)
	return uncached(t, struct{ membership.Origin }{o}), func(t require.TestingT, w *world) {
		require.NoError(t, pgorigin.Import(context.Background(), target, w.directory(t), nil))
		target.Schema = false
	}
}

// Lists of every source are what single evaluations say: in any directory, of any model, in any order, by pages of any size and by any
// query, also while users are changed between the pages.
func TestListsAreSingleEvaluations(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (facts.Source, publish){
		"file": fileSource, "application": applicationSource, "PostgreSQL": postgresSource,
	} {
		t.Run(name, func(t *testing.T) {
			source, publish := open(t)
			l := &listModel{engine: withSource(t, source), publish: publish}
			rounds, until := 150, time.Now().Add(20*time.Second)
			if fewerQuestions() {
				rounds, until = 40, time.Now().Add(5*time.Second)
			}
			for seed := uint64(0); l.lists < rounds && (time.Now().Before(until) || l.lists < 4); seed++ {
				l.round(t, seed)
			}
			t.Logf("%d lists, %d pages with %d hits, %d changes", l.lists, l.pages, l.listed, l.changes)
			assert.Greater(t, l.pages, l.lists)
		})
	}
}

// listModel compares the pages of a list with what single evaluations say of each state of a directory.
type listModel struct {
	*rand.Rand
	engine  *pdp.Engine // over the source
	publish publish

	t       require.TestingT
	world   *world
	exact   *pdp.Engine // of single evaluations: over a file with the same directory
	find    find
	asked   pdp.Request
	query   string
	hitsNow func() []string

	lists, pages, listed, changes int
}

func (l *listModel) round(t *testing.T, seed uint64) {
	l.Rand = rand.New(rand.NewPCG(seed, 3))
	l.world = generate(seed)
	at := &failureLocator{T: t}
	l.t = at
	l.state()
	l.query = pick(l.Rand, "", "", "", "", "a", "nn e", "NAME0", "@example", "u1", "no such text")
	if !l.choose(newQuestionGenerator(l.world, seed)) {
		return
	}
	sort, order := pick(l.Rand, "", "name", "username", "default_location", "last_login"), pick(l.Rand, "asc", "desc")
	properties := map[string]any{"order": order, "fields": []any{"name", "username", "default_location", "last_login"}}
	if sort != "" {
		properties["sort"] = sort
	}
	if l.query != "" {
		properties["query"] = l.query
	}
	at.where = fmt.Sprintf("directory %d, %v: %s", seed, properties, show(l.asked))
	whole := search(at, l.find, searchOf(l.asked, &authzen.Page{Limit: new(1000), Properties: properties}))
	require.Equal(at, l.hitsNow(), sortedIDs(whole.Hits))
	l.requireOrder(whole.Hits, sort, order)
	l.follow(properties, sort, order)
	l.lists++
}

// state makes the world the present state of the source.
func (l *listModel) state() {
	l.publish(l.t, l.world)
	l.exact = pdp.New(pdp.Config{Policy: builtInPolicy(), Source: fixed{l.world.directory(l.t)}, Timeout: time.Minute})
}

// choose chooses a list with hits.
func (l *listModel) choose(generator *questionGenerator) bool {
	least := pick(l.Rand, 1, 4, 6, 8)
	for range 100 {
		l.asked = generator.question()
		if l.asked.Resource.Type != "user" && l.chance(70) {
			continue
		}
		l.find = l.engine.SearchSubjects
		probe := l.exact.SearchSubjects // a list is found by a list, but what it must have is found by single evaluations
		found := func() []string { return subjectsFoundBy(l.t, l.exact, l.world, l.asked) }
		if l.asked.Resource.Type == "user" && l.chance(75) {
			l.asked.Resource.ID, l.find, probe = "", l.engine.SearchResources, l.exact.SearchResources
			found = func() []string { return usersFoundBy(l.t, l.exact, l.world, l.asked) }
		} else if l.chance(50) {
			delete(l.asked.Context, "current_location")
		}
		l.hitsNow = func() []string {
			return slices.DeleteFunc(found(), func(id string) bool { return !l.matches(l.world.user(id)) })
		}
		if len(search(l.t, probe, searchOf(l.asked, &authzen.Page{Limit: new(1000), Properties: map[string]any{"query": l.query}})).Hits) >= least {
			return true
		}
	}
	return false
}

func (l *listModel) chance(percent int) bool { return chance(l.Rand, percent) }

func (l *listModel) matches(u *person) bool {
	name := ""
	if u.Name != nil {
		name = strings.TrimSpace(u.Name.Given + " " + u.Name.Family)
	}
	part := strings.ToLower(l.query)
	return strings.Contains(strings.ToLower(name), part) || strings.Contains(strings.ToLower(u.Username), part)
}

// follow follows a list from page to page, with changes between them.
func (l *listModel) follow(properties map[string]any, sort, order string) {
	throughout := l.hitsNow() // hits that have not been changed
	listed := map[string]bool{}
	page := &authzen.Page{Limit: new(1 + l.IntN(4)), Properties: properties}
	for range 200 {
		result := search(l.t, l.find, searchOf(l.asked, page))
		l.pages, l.listed = l.pages+1, l.listed+len(result.Hits)
		now := l.hitsNow()
		for _, id := range names(result.Hits) {
			require.Contains(l.t, now, id, "a single evaluation denies this hit")
			require.False(l.t, listed[id], "%s is listed twice", id)
			listed[id] = true
		}
		l.requireOrder(result.Hits, sort, order)
		throughout = slices.DeleteFunc(throughout, func(id string) bool { return !slices.Contains(now, id) })
		if result.Page.NextToken == "" {
			for _, id := range throughout {
				require.True(l.t, listed[id], "%s is skipped", id)
			}
			return
		}
		require.Len(l.t, result.Hits, *page.Limit)
		last := result.Hits[len(result.Hits)-1].ID
		for range l.IntN(3) {
			id := l.change(last)
			throughout = slices.DeleteFunc(throughout, func(other string) bool { return other == id })
			delete(listed, id) // in its new state it may come again
		}
		page = &authzen.Page{Token: result.Page.NextToken, Limit: page.Limit, Properties: properties}
		l.state()
	}
	require.Fail(l.t, "the list does not end")
}

// change changes, adds or deletes a user, often the last hit. It returns the user's id.
func (l *listModel) change(last string) string {
	l.changes++
	fixed := []string{l.asked.Subject.ID, l.asked.Resource.ID} // without whom there is no list
	id := last
	if l.chance(50) {
		id = pick(l.Rand, l.world.Users...).ID
	}
	u := l.world.user(id)
	if u == nil || slices.Contains(fixed, id) || l.chance(20) {
		u = &person{ID: fmt.Sprintf("x%d", l.changes), Username: fmt.Sprintf("name0%d@new.example", l.changes)}
		if like := l.world.user(last); like != nil {
			u.Assignments, u.Default = slices.Clone(like.Assignments), like.Default
		}
		l.world.Users = append(l.world.Users, u)
	}
	switch l.IntN(6) {
	case 0, 1:
		u.Name = &fullName{Given: pick(l.Rand, "Ann", "Aa", "zoe", ""), Family: pick(l.Rand, "Aaron", "fox", "Zz", "")}
	case 2:
		if u.Username != "" {
			u.Username = fmt.Sprintf("%s%d@changed.example", pick(l.Rand, "aa", "name0", "ZZ"), l.changes)
		}
		u.LastLogin = pick(l.Rand, "", "2020-01-01T00:00:00Z", "2026-02-02T10:00:00Z", "2030-01-01T00:00:00Z")
	case 3:
		u.Status = pick(l.Rand, "active", "deactivated")
	case 4: // a move
		like := pick(l.Rand, l.world.Users...)
		u.Assignments, u.Default = slices.Clone(like.Assignments), like.Default
	default:
		l.world.Users = slices.DeleteFunc(l.world.Users, func(other *person) bool { return other == u })
	}
	return u.ID
}

// requireOrder requires hits to be in the order that was asked for, by the fields that they have.
func (l *listModel) requireOrder(hits []pdp.Hit, sort, order string) {
	key := func(h pdp.Hit) []string {
		text := func(members map[string]any, name string) string {
			value, _ := members[name].(string)
			return strings.ToLower(value)
		}
		if sort == "" || sort == "name" {
			name, _ := h.Properties["name"].(map[string]any)
			return []string{text(name, "family"), text(name, "given")}
		}
		return []string{text(h.Properties, sort)}
	}
	for i := 1; i < len(hits); i++ {
		a, b := key(hits[i-1]), key(hits[i])
		before := inOrder(a, b, order)
		require.True(l.t, before < 0 || before == 0 && hits[i-1].ID < hits[i].ID, "%s %v comes before %s %v", hits[i-1].ID, a, hits[i].ID, b)
	}
}
