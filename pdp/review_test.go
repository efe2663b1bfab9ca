package pdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/review"
	"github.com/wardkeeper/wardkeeper/policies"
)

// reviewed runs a review and returns its rows and orphans, each as text, and the rows.
func reviewed(t require.TestingT, e *pdp.Engine, d *directory.Directory, each bool) (lines []string, rows []review.Row, counts review.Counts) {
	reviewers := make([]*pdp.Reviewer, 3)
	for i := range reviewers {
		var err error
		reviewers[i], err = e.NewReviewer(context.Background())
		require.NoError(t, err)
	}
	counts, err := review.Run(context.Background(), review.Config{
		Reviewers: reviewers, Directory: d, Each: each,
		Row: func(r review.Row) error {
			rows = append(rows, r)
			lines = append(lines, fmt.Sprint(r.Subject.ID(), r.Role, r.Location.ID(), r.Action, r.Over, r.Count, r.Rule, r.Changes))
			return nil
		},
		Orphan: func(o review.Orphan) error {
			lines = append(lines, fmt.Sprint("orphan ", o.User.ID(), idOf(o.Organization), o.Administrator))
			return nil
		},
	})
	require.NoError(t, err)
	return lines, rows, counts
}

func idOf(l *facts.Location) string {
	if l == nil {
		return ""
	}
	return l.ID()
}

// What the review says is what single questions are answered, one search for each user, standing and place, whichever there are.
func TestReviewEqualsSingleDecisions(t *testing.T) {
	t.Parallel()
	engine, source := administration(t)
	worlds := 20
	if fewerQuestions() {
		worlds = 1
	}
	compared, saved := map[string]int{}, 0
	for seed := range uint64(worlds) {
		w := generate(seed)
		d := w.directory(t)
		source.set(d)
		lines, rows, counts := reviewed(t, engine, d, false)
		each, _, all := reviewed(t, engine, d, true)
		require.Equal(t, each, lines, "world %d: questions taken together, and each one", seed)
		saved += all.Decisions - counts.Decisions
		governed, assignments := map[string]bool{}, 0
		for _, u := range w.Users {
			for _, l := range w.active(u) {
				if assignments++; seed > 0 && assignments%4 != 0 {
					continue // there are too many to compare each of every world
				}
				checkUses(t, engine, w, u, w.byID(l.Location), rows, compared)
				if !givesPower(l.Role) {
					continue // what is done there by a role above is in the rows of that role
				}
				checkRows(t, engine, w, u, w.byID(l.Location), rows, compared, governed)
			}
		}
		for _, u := range w.Users {
			for _, root := range w.Locations {
				if seed > 0 {
					break // who is governed is known where all are compared
				}
				if root.Parent != "" || !w.belongs(u, root) {
					continue
				}
				orphan := slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "orphan "+u.ID+root.ID) })
				require.Equal(t, !governed[u.ID+" "+root.ID], orphan, "world %d: %s in %s", seed, u.ID, root.ID)
			}
		}
	}
	require.Positive(t, saved)
	if fewerQuestions() {
		return
	}
	for _, action := range allActions() {
		if !strings.HasPrefix(action, "invitation.") && action != "user.delete" && action != "entity.create" {
			require.NotZero(t, compared[action], "nobody may %s", action)
		}
	}
	require.NotZero(t, compared[review.OverElsewhere])
}

// A policy may give power over users who are assigned elsewhere in the organization.
func TestReviewOfPowerOverUsersElsewhere(t *testing.T) {
	t.Parallel()
	for action, change := range map[string][2]string{
		"user.reset_password": {"division: {place: any, user: covered}}\n  user.deactivate", "division: {place: any, user: any}}\n  user.deactivate"},
		"assignment.edit":     {`REG-7,  region: {place: any, user: any, edit: both},  region_in_division: "no",                                     division: "no"}`, `REG-7,  region: {place: any, user: any, edit: both},  region_in_division: "no",                                     division: {place: any, user: any, edit: both}}`},
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			checkUsersElsewhere(t, action, policyChanged(t, "authz/regional/data.yaml", change[0], change[1]))
		})
	}
}

func checkUsersElsewhere(t *testing.T, action string, policy *pdp.Policy) {
	worlds, elsewhere := 3, 0
	if fewerQuestions() {
		worlds = 1
	}
	for seed := range uint64(worlds) {
		w := generate(seed)
		d := w.directory(t)
		engine := withSourceBy(policy, fixed{d})
		lines, rows, _ := reviewed(t, engine, d, false)
		each, _, _ := reviewed(t, engine, d, true)
		require.Equal(t, each, lines, "world %d", seed)
		for _, row := range rows {
			if row.Action == action && row.Role == "division_admin" && row.Over == review.OverElsewhere {
				elsewhere++
			}
		}
		for _, u := range w.Users {
			for _, l := range w.active(u) {
				if givesPower(l.Role) && strings.HasPrefix(l.Role, "division") {
					checkRows(t, engine, w, u, w.byID(l.Location), rows, map[string]int{}, map[string]bool{})
				}
			}
		}
	}
	require.Positive(t, elsewhere)
}

func givesPower(role string) bool {
	return slices.ContainsFunc(allActions(), func(action string) bool {
		return !needsNoCurrentLocation(action) && slices.Contains(builtInPolicy().Roles(action), role)
	})
}

// checkRows compares the rows of one assignment with what single searches find.
func checkRows(t require.TestingT, e *pdp.Engine, w *world, u *person, l *byID, rows []review.Row, compared map[string]int, governed map[string]bool) {
	root := w.root(l)
	type kind struct{ action, over string }
	over := map[kind]map[string]bool{}
	mark := func(action, of, what string) {
		if over[kind{action, of}] == nil {
			over[kind{action, of}] = map[string]bool{}
		}
		over[kind{action, of}][what] = true
	}
	for _, from := range w.Locations {
		if !w.covers(l, from) || !w.canStandAt(u, from) {
			continue
		}
		for _, place := range w.Locations {
			if w.root(place) != root {
				continue
			}
			for _, other := range w.Users {
				if !w.belongs(other, root) {
					continue
				}
				of := review.OverElsewhere
				if slices.ContainsFunc(other.Assignments, func(a assignment) bool { return w.covers(l, w.byID(a.Location)) }) {
					of = review.OverUsers
				}
				for _, action := range actionsFor(t, e, ask(u.ID, "", "user", other.ID, place.ID, from.ID, nil)) {
					if needsNoCurrentLocation(action) {
						continue
					}
					mark(action, of, other.ID)
					if other != u && !entryOf(action).ReadOnly {
						governed[other.ID+" "+root.ID] = true
					}
				}
			}
			if !w.covers(l, place) {
				continue
			}
			for _, action := range actionsFor(t, e, ask(u.ID, "", "location", place.ID, "", from.ID, nil)) {
				if !needsNoCurrentLocation(action) && !strings.HasPrefix(action, "entity.") {
					mark(action, review.OverLocations, place.ID)
				}
			}
		}
	}
	if l.Kind == "vendor" {
		for _, place := range w.Locations {
			for _, action := range actionsFor(t, e, ask(u.ID, "", "location", place.ID, "", l.ID, nil)) {
				if strings.HasPrefix(action, "entity.") {
					mark(action, review.OverLocations, place.ID)
				}
			}
		}
	}
	found := map[kind][]int{}
	for _, row := range rows {
		if row.Subject.ID() == u.ID && row.Location.ID() == l.ID && (row.Over == review.OverUsers || row.Over == review.OverElsewhere || row.Over == review.OverLocations) {
			found[kind{row.Action, row.Over}] = append(found[kind{row.Action, row.Over}], row.Count)
		}
	}
	for _, action := range allActions() {
		for _, of := range []string{review.OverUsers, review.OverElsewhere, review.OverLocations} {
			k := kind{action, of}
			if needsNoCurrentLocation(action) {
				continue
			}
			if len(over[k]) == 0 {
				require.Empty(t, found[k], "%s at %s: %v", u.ID, l.ID, k)
				continue
			}
			compared[action]++
			compared[of]++
			// A user may count in the rows of several rules.
			sum := 0
			for _, n := range found[k] {
				sum += n
				require.LessOrEqual(t, n, len(over[k]), "%s at %s: %v", u.ID, l.ID, k)
			}
			if len(found[k]) == 1 {
				require.Equal(t, len(over[k]), sum, "%s at %s: %v on %v", u.ID, l.ID, k, over[k])
			}
			require.GreaterOrEqual(t, sum, len(over[k]), "%s at %s: %v on %v", u.ID, l.ID, k, over[k])
		}
	}
}

// A policy may decide otherwise about somebody whom it knows by id, and is then asked about that one; if it reads meaning into ids, the
// review does not go by one for all.
func TestReviewOfAPolicyThatReadsIDs(t *testing.T) {
	t.Parallel()
	with := func(condition string) *pdp.Policy { return whereAnyUserIs(t, condition) }
	w := crowded(40)
	d := w.directory(t)
	engine := func(p *pdp.Policy) *pdp.Engine {
		return pdp.New(pdp.Config{Policy: p, Source: fixed{d}, Timeout: time.Minute})
	}
	usual, _, _ := reviewed(t, engine(builtInPolicy()), d, false)
	named := engine(with(`input.resource.id != "c17"`))
	lines, _, counts := reviewed(t, named, d, false)
	each, _, all := reviewed(t, named, d, true)
	require.Equal(t, each, lines)
	require.NotEqual(t, usual, lines)
	require.Less(t, 5*counts.Decisions, all.Decisions)

	odd := engine(with(`not endswith(input.resource.id, "1")`))
	reviewer, err := odd.NewReviewer(t.Context())
	require.NoError(t, err)
	ignore := review.Config{Reviewers: []*pdp.Reviewer{reviewer}, Directory: d, Row: func(review.Row) error { return nil }, Orphan: func(review.Orphan) error { return nil }}
	_, err = review.Run(t.Context(), ignore)
	require.ErrorIs(t, err, review.ErrTellsApart)
	ignore.Each = true
	_, err = review.Run(t.Context(), ignore)
	require.NoError(t, err)
}

// whereAnyUserIs returns the built-in policy with a further condition on the users in cells of the matrix that are about any user.
func whereAnyUserIs(t *testing.T, condition string) *pdp.Policy {
	const file, anybody = "authz/regional/matrix.rego", "_fits_user(\"any\", _)\n"
	text, err := fs.ReadFile(policies.Files(), file)
	require.NoError(t, err)
	require.Contains(t, string(text), anybody)
	changed := strings.Replace(string(text), anybody, "_fits_user(\"any\", _) if "+condition+"\n", 1)
	return prepared(t, open(t, overlay(t, map[string]string{file: changed}), "authz/decision"))
}

// Two administrators who hold alike, but are colleagues of others, are two.
func TestReviewTellsColleaguesApart(t *testing.T) {
	t.Parallel()
	w := crowded(5)
	w.Locations = append(w.Locations, &byID{ID: "g", Kind: "facility", Parent: "d"})
	w.Users = nil
	for id, at := range map[string]string{"one": "f", "two": "g", "a": "f", "b": "f", "c": "f", "x": "g"} {
		u := &person{ID: id, Default: at, Assignments: []assignment{{Location: at, Role: "ed_normal"}}}
		if len(id) > 1 {
			u.Assignments = append(u.Assignments, assignment{Location: "r", Role: "regional_admin"})
		}
		w.Users = append(w.Users, u)
	}
	d := w.directory(t)
	policy := whereAnyUserIs(t, "{\n\tsome place, _ in input.facts.subject.assignments\n\tplace != \"r\"\n\tinput.facts.user.assignments[place]\n}")
	engine := pdp.New(pdp.Config{Policy: policy, Source: fixed{d}, Timeout: time.Minute})
	lines, rows, _ := reviewed(t, engine, d, false)
	each, _, _ := reviewed(t, engine, d, true)
	require.Equal(t, each, lines)
	viewed := map[string]int{}
	for _, row := range rows {
		if row.Action == "user.view_locations" {
			viewed[row.Subject.ID()] = row.Count
		}
	}
	require.Equal(t, map[string]int{"one": 4, "two": 2}, viewed)
}

// crowded returns a region with an administrator and many users who are alike.
func crowded(users int) *world {
	w := &world{Locations: []*byID{{ID: "r", Kind: "region", Model: "regional"}, {ID: "d", Kind: "division", Parent: "r"}, {ID: "f", Kind: "facility", Parent: "d"}}}
	w.Users = append(w.Users, &person{ID: "admin", Default: "r", Assignments: []assignment{{Location: "r", Role: "regional_admin"}}})
	for i := range users {
		w.Users = append(w.Users, &person{ID: fmt.Sprintf("c%02d", i), Default: "f", Assignments: []assignment{{Location: "f", Role: "ed_normal"}}})
	}
	return w
}

// A review has facts to go by, or says that it cannot be made.
func TestReviewNeedsACatalogue(t *testing.T) {
	t.Parallel()
	_, err := general(t, "decision := true").NewReviewer(t.Context())
	require.Equal(t, pdp.NotOffered, pdp.KindOf(err))
}

// A reach over people and locations of other names has nothing of the former names.
func TestReachesAreRenamedAsAWhole(t *testing.T) {
	t.Parallel()
	renamed := func(id string) (string, bool) {
		return "new" + strings.TrimPrefix(id, "old"), strings.HasPrefix(id, "old")
	}
	for _, text := range []string{
		`{}`, `{"location": "old1"}`, `{"location": "old1", "status": "active", "except": "old2"}`,
		`{"location": "old1", "assigned": {"locations": ["old2", "old3"], "roles": ["owner"], "active": true}}`,
		`{"location": "old1", "assigned_around": {"locations": ["old2"], "beneath": "old3"}}`,
	} {
		read := func(text string) pdp.Reach {
			var scope any
			require.NoError(t, json.Unmarshal([]byte(text), &scope))
			reach, err := pdp.ReachOf(scope)
			require.NoError(t, err)
			return reach
		}
		got, ok := read(text).Renamed(renamed, renamed)
		require.True(t, ok)
		require.True(t, read(strings.ReplaceAll(text, "old", "new")).Equal(got), text)
		_, ok = read(strings.Replace(text, "old", "unknown", 1)).Renamed(renamed, renamed)
		require.Equal(t, text == "{}", ok, "%s: a name that is not known", text)
	}
}
