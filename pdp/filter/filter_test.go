package filter_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/filter"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// texts are what columns and constants hold: some differ in case, in trailing spaces, or by what LIKE would take for a pattern.
var texts = []string{"", "a", "A", "a ", " a", "alice", "Alice", "al%", "al_ce", "%", "_", `\`, `a\b`, "o'brien", `"`, "é", "é", "ß", "日本", "🙂", "z"}

var negatedEquality = regexp.MustCompile(`not .* == `)

// Whatever a rule of the language for filters says: databases select the rows on which it holds, and what cannot be expressed is refused.
func TestFiltersSelectWhatTheRuleAllows(t *testing.T) {
	databases := map[string]database{"SQLite": &sqlite{}, "PostgreSQL": startPostgres(t)}
	refused, unconditional, selective := 0, 0, 0
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 15))
		rules := make([]string, 40)
		for i := range rules {
			rules[i] = randomRule(r, fmt.Sprintf("r%d", i))
		}
		e := engine(t, strings.Join(rules, "\n"))
		rows := randomRows(r, 60)
		known := map[string]any{"want": pick(r, texts), "list": []any{pick(r, texts), pick(r, texts)}, "limit": number(r)}
		var asked []int
		var conditions []filter.Condition
		for i := range rules {
			result, err := e.Filter(t.Context(), pdp.FilterRequest{Path: []string{"app", fmt.Sprintf("r%d", i)}, Input: pdp.DataInput{Value: known, Sent: true}})
			if err != nil {
				require.Equal(t, pdp.Invalid, pdp.KindOf(err), "%s\n%v", rules[i], err)
				refused++
				continue
			}
			if _, ok := filter.Unconditional(result.Condition); ok {
				unconditional++
			}
			asked, conditions = append(asked, i), append(conditions, result.Condition)
		}
		for name, db := range databases {
			db.insert(t, rows)
			for n, selected := range db.selects(t, conditions) {
				expected := evaluated(t, e, asked[n], known, rows)
				rule := rules[asked[n]]
				for _, id := range selected {
					require.Contains(t, expected, id, "seed %d, %s\n%s\n%#v", seed, name, rule, conditions[n])
				}
				if !negatedEquality.MatchString(rule) { // such a row may be left out where the column is NULL
					require.Len(t, selected, len(expected), "seed %d, %s\n%s\n%#v", seed, name, rule, conditions[n])
				}
				if len(expected) > 0 && len(expected) < len(rows) {
					selective++
				}
			}
		}
	}
	require.Greater(t, refused, 20)
	require.Greater(t, unconditional, 20)
	require.Greater(t, selective, 100)
}

// evaluated returns the ids of the rows on which a rule holds, sorted.
func evaluated(t *testing.T, e *pdp.Engine, rule int, known map[string]any, rows []row) []string {
	inputs := make([]pdp.DataInput, len(rows))
	for i, r := range rows {
		in := map[string]any{"users": r.input()}
		for name, value := range known {
			in[name] = value
		}
		inputs[i] = pdp.DataInput{Value: in, Sent: true}
	}
	result, err := e.Data(t.Context(), pdp.DataRequest{Path: []string{"app", fmt.Sprintf("r%d", rule)}, Inputs: inputs})
	require.NoError(t, err)
	ids := []string{}
	for i, a := range result.Answers {
		require.NoError(t, a.Err)
		if a.Value == true {
			ids = append(ids, rows[i].id)
		}
	}
	slices.Sort(ids)
	return ids
}

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

func number(r *rand.Rand) int64 { return pick(r, []int64{0, 1, -1, 5, 1 << 40, -(1 << 62)}) }

func randomRows(r *rand.Rand, n int) []row {
	text := func() *string {
		if r.IntN(5) == 0 {
			return nil
		}
		s := pick(r, texts)
		return &s
	}
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{id: strconv.Itoa(i), name: text(), role: text()}
		if r.IntN(4) > 0 {
			n := number(r)
			rows[i].n = &n
		}
		if r.IntN(4) > 0 {
			active := r.IntN(2) == 0
			rows[i].active = &active
		}
	}
	return rows
}

// randomRule returns a rule that is offered as a filter, sometimes one that is not expressible.
func randomRule(r *rand.Rand, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# METADATA\n# scope: document\n# compile:\n#   unknowns: [input.users]\n")
	if r.IntN(25) == 0 {
		fmt.Fprintf(&b, "default %s := false\n\n", name)
	}
	for range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "%s if {\n", name)
		for range 1 + r.IntN(3) {
			fmt.Fprintf(&b, "\t%s\n", randomExpression(r))
		}
		b.WriteString("}\n\n")
	}
	return b.String()
}

func randomExpression(r *rand.Rand) string {
	column := "input.users." + pick(r, []string{"name", "role"})
	text := func() string {
		if r.IntN(4) == 0 {
			return "input.want"
		}
		return strconv.Quote(pick(r, texts))
	}
	compare := func() string { return pick(r, []string{"==", "!=", "<", "<=", ">", ">="}) }
	not := ""
	if r.IntN(4) == 0 {
		not = "not "
	}
	switch r.IntN(16) {
	case 0, 1, 2:
		return not + column + " " + compare() + " " + text()
	case 3:
		return not + text() + " " + compare() + " " + column
	case 4:
		return not + "input.users.n " + compare() + " " + pick(r, []string{"input.limit", strconv.FormatInt(number(r), 10)})
	case 5:
		return not + "input.users.active " + pick(r, []string{"==", "!="}) + " " + pick(r, []string{"true", "false"})
	case 6:
		return not + column + " in " + pick(r, []string{"input.list", "{" + text() + ", " + text() + "}", "[]"})
	case 7, 8:
		return not + pick(r, []string{"startswith", "endswith", "contains"}) + "(" + column + ", " + text() + ")"
	case 9:
		return not + "input.want == " + text()
	case 10:
		x := fmt.Sprintf("x%d", r.Uint32())
		return "some " + x + " in input.list; " + column + " == " + x
	case 11:
		return not + "either(" + column + ")"
	case 12:
		return "every x in input.list { x != " + column + " }"
	case 13:
		return not + column + " == input.missing"
	}
	return not + pick(r, []string{column, column + " == null", "input.users.name == input.users.role", "lower(" + column + `) == "a"`,
		"input.users.n < 1.5", "count(" + column + ") > 1", "input.users.n + 1 == 2", `startswith("alice", ` + column + ")",
		column + `[0] == "a"`, "fallback(" + column + ")"})
}

// rulesBesides are what random rules call.
const rulesBesides = `
either(x) if x == "a"
either(x) if startswith(x, "al")

fallback(x) if { x == "a" } else := false if { x == "b" }

decision := {"allow": false}
`

func engine(t *testing.T, rules string) *pdp.Engine {
	t.Helper()
	r, err := bundles.Open(t.Context(), bundles.Config{Entrypoint: "app/decision",
		Files: fstest.MapFS{"app/app.rego": {Data: []byte("package app\n\n" + rules + rulesBesides)}}})
	require.NoError(t, err)
	p, err := pdp.Prepare(t.Context(), r)
	require.NoError(t, err)
	return pdp.New(pdp.Config{Policy: p, Timeout: time.Minute})
}

// The filter of the user list selects the users whom single evaluations let the administrator view, for the location listed.
func TestUserListFilterEqualsSingleEvaluations(t *testing.T) {
	data, err := os.ReadFile("../../testdata/directories/sample.yaml")
	require.NoError(t, err)
	p := builtIn(t)
	view, err := directory.Parse(data, *p.Vocabulary())
	require.NoError(t, err)
	e := pdp.New(pdp.Config{Policy: p, Source: fixed{view}, Timeout: time.Minute})
	w := readWorld(t, data)
	databases := map[string]database{"SQLite": &sqlite{}, "PostgreSQL": startPostgres(t)}
	for _, db := range databases {
		db.insert(t, w.covered())
	}
	var conditions []filter.Condition
	var expected [][]string
	var questions []string
	listed, n := 0, 0
	for _, subject := range w.users {
		for _, current := range w.locations {
			for _, place := range w.locations {
				if w.root(current) != w.root(place) {
					continue
				}
				// Each takes some milliseconds, and most of the others are denied.
				if n++; n%71 != 0 && (n%7 != 0 || !w.standsAt(subject, current)) {
					continue
				}
				question := ask(subject.id, "user.list", "location", place, current)
				result, err := e.Filter(t.Context(), pdp.FilterRequest{Path: []string{"authz", "filters", "user_list"}, Input: pdp.DataInput{Value: question, Sent: true}})
				require.NoError(t, err)
				conditions = append(conditions, result.Condition)
				questions = append(questions, fmt.Sprint(question))
				of := w.viewable(t, e, subject.id, place, current)
				expected = append(expected, of)
				listed += len(of)
			}
		}
	}
	require.Greater(t, listed, 100)
	for name, db := range databases {
		for i, selected := range db.selects(t, conditions) {
			require.Equal(t, expected[i], append([]string{}, selected...), "%s: %s", name, questions[i])
		}
	}
}

func TestFiltersAreSafeForConcurrentUse(t *testing.T) {
	e := engine(t, "# METADATA\n# scope: document\n# compile:\n#   unknowns: [input.users]\nr if {\n\teither(input.want)\n\tinput.users.name == input.want\n}\n")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			want := texts[i+1]
			for range 20 {
				result, err := e.Filter(t.Context(), pdp.FilterRequest{Path: []string{"app", "r"}, Input: pdp.DataInput{Value: map[string]any{"want": want}, Sent: true}})
				assert.NoError(t, err)
				expected := filter.Condition(filter.Any{})
				if want == "a" || strings.HasPrefix(want, "al") {
					expected = filter.Comparison{Column: filter.Column{Table: "users", Name: "name"}, Operator: filter.Equal, Value: want}
				}
				assert.Equal(t, expected, result.Condition)
			}
		})
	}
	all.Wait()
}

// Annotations of a package, and those that name something else than tables, offer no filter, and no bundle is refused for them.
func TestOtherAnnotationsOfferNoFilter(t *testing.T) {
	for path, rules := range map[string]string{
		"app":   "# METADATA\n# scope: package\n# compile:\n#   unknowns: [input.users]\npackage app\n\nr if input.users.name == \"a\"\n",
		"app/r": "package app\n\n# METADATA\n# scope: document\n# compile:\n#   unknowns: [input.users, data.rows]\nr if input.users.name == \"a\"\n",
	} {
		r, err := bundles.Open(t.Context(), bundles.Config{Entrypoint: "app/decision", Files: fstest.MapFS{"app/app.rego": {Data: []byte(rules + rulesBesides)}}})
		require.NoError(t, err)
		p, err := pdp.Prepare(t.Context(), r)
		require.NoError(t, err)
		_, err = pdp.New(pdp.Config{Policy: p}).Filter(t.Context(), pdp.FilterRequest{Path: strings.Split(path, "/")})
		require.Equal(t, pdp.Invalid, pdp.KindOf(err), "%s: %v", path, err)
		require.ErrorContains(t, err, "offers no filter")
	}
}

// fixed is a source whose directory never changes.
type fixed struct{ view facts.View }

func (f fixed) View(context.Context, facts.Requirement) (facts.View, error) { return f.view, nil }

func builtIn(t *testing.T) *pdp.Policy {
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	require.NoError(t, err)
	r, err := bundles.Open(t.Context(), bundles.Config{Files: policies.Files(), Entrypoint: "authz/decision", Schema: schema})
	require.NoError(t, err)
	p, err := pdp.Prepare(t.Context(), r)
	require.NoError(t, err)
	return p
}

func ask(subject, action, kind, resource, current string) map[string]any {
	return map[string]any{"subject": map[string]any{"type": "user", "id": subject}, "action": map[string]any{"name": action},
		"resource": map[string]any{"type": kind, "id": resource}, "context": map[string]any{"current_location": current}}
}

// viewable returns the users at or below a place whom the subject may view, if the subject may list the place, sorted.
func (w *world) viewable(t *testing.T, e *pdp.Engine, subject, place, current string) []string {
	ids := []string{}
	if !allowed(t, e, ask(subject, "user.list", "location", place, current)) {
		return ids
	}
	for _, u := range w.users {
		if slices.ContainsFunc(u.locations, func(l string) bool { return slices.Contains(w.above(l), place) }) &&
			allowed(t, e, ask(subject, "user.view", "user", u.id, current)) {
			ids = append(ids, u.id)
		}
	}
	slices.Sort(ids)
	return ids
}

func allowed(t *testing.T, e *pdp.Engine, question map[string]any) bool {
	q, err := authzen.EvaluationOf(question)
	require.NoError(t, err)
	d, err := e.Decide(t.Context(), q)
	require.NoError(t, err)
	return d.Allow
}

// world is a directory as its file has it.
type world struct {
	users     []person
	locations []string
	parents   map[string]string
}

type person struct {
	id        string
	locations []string
}

func readWorld(t *testing.T, data []byte) *world {
	var file struct {
		Locations []struct{ ID, Parent string }
		Users     []struct {
			ID          string
			Assignments []struct{ Location string }
		}
	}
	require.NoError(t, yaml.Unmarshal(data, &file))
	w := &world{parents: map[string]string{}}
	for _, l := range file.Locations {
		w.locations, w.parents[l.ID] = append(w.locations, l.ID), l.Parent
	}
	for _, u := range file.Users {
		p := person{id: u.ID}
		for _, a := range u.Assignments {
			p.locations = append(p.locations, a.Location)
		}
		w.users = append(w.users, p)
	}
	return w
}

// above returns a location and all above it.
func (w *world) above(location string) []string {
	var all []string
	for ; location != ""; location = w.parents[location] {
		all = append(all, location)
	}
	return all
}

// standsAt reports whether a person has an assignment at or above a location.
func (w *world) standsAt(p person, location string) bool {
	return slices.ContainsFunc(w.above(location), func(l string) bool { return slices.Contains(p.locations, l) })
}

func (w *world) root(location string) string {
	above := w.above(location)
	return above[len(above)-1]
}

// covered returns the rows that the filter of the user list is about.
func (w *world) covered() []row {
	var rows []row
	for _, u := range w.users {
		for _, l := range u.locations {
			for _, above := range w.above(l) {
				rows = append(rows, row{id: u.id, covered: &above})
			}
		}
	}
	return rows
}
