package membership

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Whatever a document says, it is either refused with reasons or a directory that keeps every rule.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte(everyoneYAML))
	f.Add([]byte(withUsers(everyone)))
	f.Add(generated(2, JSON))
	f.Add(generated(2, YAML))
	for _, cases := range [][]faultCase{documentFaults, locationFaults, userFaults, assignmentFaults} {
		for _, c := range cases {
			f.Add([]byte(c.document))
		}
	}
	for _, s := range []string{
		"", "{", "users:\n- &a b\n- *a\n", "locations:\n- id: a\nusers:\n- {id: \"\n- x\"}\n", "? {}\n: x\n", "a: |1\n b\n", "%YAML 1.2\n---\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []Format{Auto, JSON, YAML} {
			d, err := parse(data, format, words(), nil)
			if err == nil {
				assertInvariants(t, d)
				continue
			}
			var faults *Faults
			require.True(t, errors.As(err, &faults))
			require.Nil(t, d)
			require.NotEmpty(t, faults.All())
			require.NotEmpty(t, err.Error())
		}
		assertBlocksAgree(t, data)
	})
}

// assertInvariants goes through DOMAIN.md section 1 once more, with none of the code that enforced it.
func assertInvariants(t *testing.T, d *Directory) {
	ctx := context.Background()
	fits := map[string]string{
		"region": "regional", "division<region": "regional", "facility<division": "regional",
		"system": "health_system", "entity": "health_system", "entity<system": "health_system",
		"group": "practice_group", "practice<group": "practice_group", "vendor": "vendor",
	}
	locations, err := d.Locations(ctx, pdp.LocationQuery{Limit: 1 << 30})
	require.NoError(t, err)
	require.Len(t, locations, d.LocationCount())
	for i, l := range locations {
		require.True(t, i == 0 || locations[i-1].ID() < l.ID(), "ids are in order, and each is there once")
		assertID(t, l.ID())
		kind := l.Kind()
		if l.Parent() != nil {
			kind += "<" + l.Parent().Kind()
			require.Empty(t, l.Record().Model+l.Record().Plan)
		}
		require.NotEmpty(t, l.Model())
		require.Equal(t, fits[kind], l.Model(), kind)
		require.Equal(t, l.Model() == "health_system", l.Plan() != "")
	}
	all, err := d.Users(ctx, pdp.UserQuery{Limit: 1 << 30})
	require.NoError(t, err)
	require.Len(t, all.Users, d.UserCount())
	for _, u := range all.Users {
		assertID(t, u.ID())
		require.Same(t, u, userOf(t, d, u.ID()))
		if u.Username() != "" {
			found, err := d.UserByUsername(ctx, strings.ToUpper(u.Username()))
			require.NoError(t, err)
			require.True(t, found == u || pdp.Fold(strings.ToUpper(u.Username())) != pdp.Fold(u.Username()))
		}
		assertUser(t, d, u.Record())
	}
}

func assertUser(t *testing.T, d *Directory, rec pdp.UserRecord) {
	require.Contains(t, []string{"active", "deactivated"}, rec.Status)
	roles := map[string]string{}
	for _, a := range rec.Assignments {
		require.NotContains(t, roles, a.Location)
		roles[a.Location] = a.Role
	}
	for _, a := range rec.Assignments {
		l, err := d.Location(context.Background(), a.Location)
		require.NoError(t, err)
		require.NotNil(t, l)
		require.Contains(t, words().Roles[l.Kind()], a.Role)
		switch {
		case l.Model() != "practice_group":
			require.Equal(t, "active", a.Status)
		case l.Kind() == "practice":
			require.Equal(t, a.Role, roles[l.Parent().ID()])
		}
		require.Contains(t, []string{"active", "invited", "deactivated"}, a.Status)
		if l.Kind() != "group" {
			require.True(t, a.Access == nil && a.Profession == "" && a.RegistrationNumber == "")
		}
		if a.Access != nil {
			require.Contains(t, append(words().Levels, ""), a.Access.Level)
			for area := range a.Access.Areas {
				require.Contains(t, words().Areas, area)
			}
		}
		require.True(t, l.Model() != "regional" || rec.DefaultLocation != "")
	}
	require.True(t, rec.DefaultLocation == "" || slices.ContainsFunc(rec.Assignments, func(a pdp.AssignmentRecord) bool {
		return a.Location == rec.DefaultLocation
	}))
}

func assertID(t *testing.T, id string) {
	assert.NotEmpty(t, id)
	assert.LessOrEqual(t, len(id), 1024)
	assert.True(t, utf8.ValidString(id))
	for _, r := range id {
		assert.False(t, r < 0x20 || r >= 0x7f && r < 0xa0)
	}
}
