package facts

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// fixedView has the same users and locations for all questions.
type fixedView struct {
	View
	users     map[string]*User
	locations map[string]*Location
}

func (v fixedView) User(_ context.Context, id string) (*User, error)      { return v.users[id], nil }
func (v fixedView) UserByUsername(context.Context, string) (*User, error) { return nil, nil }
func (v fixedView) Location(_ context.Context, id string) (*Location, error) {
	return v.locations[id], nil
}

// What 1,000 questions have in common is built once, whether they share the caller's objects or repeat them.
func TestBatchBuildsWhatItSharesOnce(t *testing.T) {
	region := NewLocation(LocationRecord{ID: "r", Kind: "region", Model: "regional"}, nil, 1)
	other := NewLocation(LocationRecord{ID: "other", Kind: "region", Model: "regional"}, nil, 1)
	place := NewLocation(LocationRecord{ID: "f", Kind: "facility", Parent: "r"}, region, 1)
	v := fixedView{locations: map[string]*Location{"r": region, "other": other, "f": place}, users: map[string]*User{}}
	newUser := func(id, location string) {
		u, err := NewUser(UserRecord{ID: id, Assignments: []AssignmentRecord{{Location: location, Role: "x"}}}, 1, func(id string) *Location { return v.locations[id] })
		require.NoError(t, err)
		v.users[id] = u
	}
	newUser("admin", "r")
	for i := range 1000 {
		newUser(fmt.Sprint("u", i), "f")
	}
	shared := map[string]any{"current_location": "r", "n": json.Number("1"), "list": []any{"a", nil, true}}
	for name, one := range map[string]struct {
		context func() map[string]any
		current string // where the questions are asked
	}{
		"shared":                  {func() map[string]any { return shared }, "r"},
		"repeated":                {func() map[string]any { return map[string]any{"current_location": "r", "list": []any{"a", nil, true}} }, "r"},
		"of another organization": {func() map[string]any { return map[string]any{"current_location": "other"} }, "other"},
	} {
		questions := make([]authzen.Evaluation, 1000)
		for i := range questions {
			questions[i] = authzen.Evaluation{
				Subject: authzen.Entity{Type: "user", ID: "admin", Properties: map[string]any{"role": "x"}}, Context: one.context(),
				Action:   authzen.Action{Name: "user.edit", Properties: map[string]any{"fields": map[string]any{"name": "y"}}},
				Resource: authzen.Entity{Type: "user", ID: fmt.Sprint("u", i), Properties: map[string]any{"location": "f"}},
			}
		}
		b := Builder{View: v, Subjects: NewEvictor(10), Users: NewEvictor(10)}
		b.Share(questions)
		built := map[string]map[any]bool{}
		count := func(part string, m *input.Member) {
			require.NotNil(t, m, part)
			if built[part] == nil {
				built[part] = map[any]bool{}
			}
			if m.Object != nil {
				built[part][m.Object] = true
			} else {
				built[part][m.Value] = true
			}
		}
		for _, q := range questions {
			f, err := b.Gather(context.Background(), q, Action{})
			require.NoError(t, err)
			require.Equal(t, one.current, f.Current.ID())
			in, err := b.Input(q, f, ReadsAll())
			require.NoError(t, err)
			count("the subject", in.Member("subject"))
			count("the action", in.Member("action"))
			count("the context", in.Member("context"))
			count("the resource's properties", in.Member("resource").Object.Member("properties"))
			count("the resource", in.Member("resource"))
			for _, fact := range []string{"subject", "current", "place", "standings", "organization", "model", "user"} {
				if fact != "user" || one.current == "r" {
					count("the fact "+fact, f.Object().Member(ast.String(fact)))
				}
			}
		}
		for part, all := range built {
			want := 1
			if part == "the resource" || part == "the fact user" {
				want = 1000
			}
			require.Equal(t, want, len(all), "%s: %s", name, part)
		}
	}
}

func TestShareKeepsWhatDiffers(t *testing.T) {
	for _, one := range []struct {
		a, b string
		same bool
	}{
		{`{"a": 1}`, `{"a": 1}`, true},
		{`{"a": {"b": [1, "x", null, true]}}`, `{"a": {"b": [1, "x", null, true]}}`, true},
		{`{"a": 1}`, `{"a": 1.0}`, false},
		{`{"a": 1}`, `{"a": "1"}`, false},
		{`{"a": null}`, `{"b": null}`, false},
		{`{"a": null}`, `{"a": false}`, false},
		{`{"a": [1, 2]}`, `{"a": [2, 1]}`, false},
		{`{"a": [1]}`, `{"a": [1, 1]}`, false},
		{`{"a": {}}`, `{"a": []}`, false},
		{`{"a": {"b": true}}`, `{"a": {"b": false}}`, false},
		{`{"a": 1}`, `{"a": 1, "b": 1}`, false},
	} {
		parsed := func(text string) map[string]any {
			members, err := authzen.ParseObject([]byte(text))
			require.NoError(t, err)
			return members
		}
		questions := []authzen.Evaluation{{Context: parsed(one.a)}, {Context: parsed(one.b)}}
		want := parsed(one.b)
		(&Builder{}).Share(questions)
		require.Equal(t, want, questions[1].Context)
		require.Equal(t, one.same, keyOf("", "", questions[0].Context) == keyOf("", "", questions[1].Context), "%s and %s", one.a, one.b)
	}
}
