package facts

import (
	"errors"
	"runtime"
	"testing"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"
)

func TestFactsOfAUser(t *testing.T) {
	region := NewLocation(LocationRecord{ID: "r", Kind: "region", Model: "regional"}, nil, 1)
	division := NewLocation(LocationRecord{ID: "d", Kind: "division"}, region, 1)
	locations := map[string]*Location{"r": region, "d": division, "other": NewLocation(LocationRecord{ID: "other", Model: "regional"}, nil, 1)}
	for _, id := range []string{"e", "f"} {
		locations[id] = NewLocation(LocationRecord{ID: id, Kind: "facility"}, division, 1)
	}
	at := func(location, role, status string) AssignmentRecord {
		return AssignmentRecord{Location: location, Role: role, Status: status}
	}
	for name, c := range map[string]struct {
		assignments                   []AssignmentRecord
		fault                         bool
		in                            string
		wantHeld, wantWithin, wantAll string
	}{
		"none":              {in: "r", wantHeld: `{}`, wantWithin: `{}`, wantAll: `{}`},
		"one":               {assignments: []AssignmentRecord{at("f", "x", "")}, in: "r", wantHeld: `{"f": "x"}`, wantWithin: `{"d": true, "f": true, "r": true}`, wantAll: `{"f": {"role": "x", "status": "active"}}`},
		"one and a fault":   {assignments: []AssignmentRecord{at("other", "x", "")}, fault: true, in: "r", wantHeld: `{}`, wantWithin: `{"r": true}`, wantAll: `{}`},
		"one with a fault":  {assignments: []AssignmentRecord{at("f", "x", "")}, fault: true, in: "r", wantHeld: `{"f": "x"}`, wantWithin: `{"d": true, "f": true, "r": true}`, wantAll: `{"f": {"role": "x", "status": "active"}}`},
		"of another":        {assignments: []AssignmentRecord{at("f", "x", ""), at("other", "y", "")}, in: "other", wantHeld: `{"other": "y"}`, wantWithin: `{"other": true}`, wantAll: `{"other": {"role": "y", "status": "active"}}`},
		"several":           {assignments: []AssignmentRecord{at("f", "x", ""), at("e", "y", StatusDeactivated), at("other", "z", "")}, in: AnyOrganization, wantHeld: `{"f": "x", "other": "z"}`, wantWithin: `{"d": true, "e": true, "f": true, "other": true, "r": true}`, wantAll: `{"e": {"role": "y", "status": "deactivated"}, "f": {"role": "x", "status": "active"}, "other": {"role": "z", "status": "active"}}`},
		"twice at the same": {assignments: []AssignmentRecord{at("f", "x", ""), at("f", "y", "")}, in: "r", wantHeld: `{"f": "y"}`, wantWithin: `{"d": true, "f": true, "r": true}`, wantAll: `{"f": {"role": "y", "status": "active"}}`},
	} {
		u, err := NewUser(UserRecord{ID: "u", Username: "n", DefaultLocation: "f", Assignments: c.assignments}, 1, func(id string) *Location { return locations[id] })
		require.NoError(t, err, name)
		if c.fault {
			u.faults = map[string]error{"r": errors.New("")}
		}
		want := ast.MustParseTerm(`{"id": "u", "status": "active", "username": "n", "default_location": "f",
			"held": ` + c.wantHeld + `, "within": ` + c.wantWithin + `, "assignments": ` + c.wantAll + `}`).Value.(ast.Object)
		want.Insert(ast.StringTerm("assigned"), ast.BooleanTerm(len(c.assignments) > 0 || c.fault))
		got := u.in(c.in, nil).fact.Term().Value
		require.Equal(t, want.String(), got.String(), name)
		require.Zero(t, want.Compare(got), name)
	}
	require.Equal(t, `{"d": true, "f": true, "r": true}`, locations["f"].facts().path.String(), "it is shared and must not change")
}

func TestEvictorKeepsTheFactsOfSoManyUsersAndNoUser(t *testing.T) {
	evictor := NewEvictor(2)
	built := func() *User {
		u, err := NewUser(UserRecord{ID: "u"}, 1, nil)
		require.NoError(t, err)
		u.in(AnyOrganization, evictor)
		return u
	}
	first, second := built(), built()
	replaced := weak.Make(built()) // evicts the first
	require.Nil(t, first.built)
	require.NotNil(t, second.built)
	runtime.GC()
	require.Nil(t, replaced.Value(), "nothing else has it")
	built()
	require.Nil(t, second.built)
}
