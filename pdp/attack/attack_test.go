package attack

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// prepared are the policies of [changed], each prepared once.
var prepared sync.Map

// changed returns the built-in policy with texts replaced: file, old, new, and so on.
func changed(t *testing.T, replacements ...string) *pdp.Policy {
	t.Helper()
	prepare, _ := prepared.LoadOrStore(strings.Join(replacements, "\n"), sync.OnceValues(func() (*pdp.Policy, error) { return prepare(replacements) }))
	p, err := prepare.(func() (*pdp.Policy, error))()
	require.NoError(t, err)
	return p
}

func prepare(replacements []string) (*pdp.Policy, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(policies.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.Files(), name)
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(replacements); i += 3 {
		file := files[replacements[i]]
		if !bytes.Contains(file.Data, []byte(replacements[i+1])) {
			return nil, fmt.Errorf("%s has no %q", replacements[i], replacements[i+1])
		}
		file.Data = bytes.ReplaceAll(file.Data, []byte(replacements[i+1]), []byte(replacements[i+2]))
	}
	r, err := bundles.Open(context.Background(), bundles.Config{Files: files, Source: "test", Entrypoint: "authz/decision"})
	if err != nil {
		return nil, err
	}
	return pdp.Prepare(context.Background(), r)
}

func builtIn(t *testing.T) *pdp.Policy {
	t.Helper()
	return changed(t)
}

const region = `
locations:
  - {id: metro, kind: region, model: regional}
  - {id: north, kind: division, parent: metro}
  - {id: abc, kind: facility, parent: north}
users:
  - {id: alice, default_location: metro, assignments: [{location: metro, role: regional_admin}]}
  - {id: nadia, default_location: north, assignments: [{location: north, role: division_admin}]}
  - {id: lisa, username: lisa@example.org, default_location: north, assignments: [{location: north, role: public_health}]}
  - {id: tom, username: tom@example.org, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
`

const system = `
locations:
  - {id: sisters, kind: system, model: health_system, plan: paid}
  - {id: mercy, kind: entity, parent: sisters}
  - {id: grace, kind: entity, parent: sisters}
users:
  - {id: helen, assignments: [{location: sisters, role: system_admin}]}
  - {id: marta, assignments: [{location: mercy, role: entity_admin}]}
  - {id: gil, assignments: [{location: grace, role: entity_admin}]}
  - {id: lucy, assignments: [{location: mercy, role: user}]}
`

const group = `
locations:
  - {id: smile, kind: group, model: practice_group}
  - {id: east, kind: practice, parent: smile}
users:
  - {id: olga, username: olga@example.org, assignments: [{location: smile, role: owner}]}
  - {id: dora, username: dora@example.org, assignments: [{location: smile, role: administrator, access: {level: limited, areas: {users: true}}}]}
  - {id: adam, username: adam@example.org, assignments: [{location: smile, role: administrator}, {location: east, role: administrator}]}
`

const vendor = `
locations:
  - {id: acme, kind: vendor, model: vendor}
  - {id: light, kind: entity, model: health_system, plan: free}
users:
  - {id: vera, assignments: [{location: acme, role: vendor_staff}]}
  - {id: simon, assignments: [{location: light, role: entity_admin}]}
  - {id: eva, assignments: [{location: acme, role: vendor_staff}, {location: light, role: user}]}
`

func attacked(t *testing.T, p *pdp.Policy, text string, change func(*Config)) *Report {
	t.Helper()
	d, err := directory.Parse([]byte(text), *p.Vocabulary())
	require.NoError(t, err)
	cfg := Config{Policy: p, Directory: d, Depth: 2, Goals: Goals, Control: Controls[:2], MaxStates: 100_000}
	if change != nil {
		change(&cfg)
	}
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	return report
}

// found returns what was found, a line for each goal and attacker, with the steps.
func found(r *Report) []string {
	lines := []string{}
	for _, f := range r.Findings {
		if f.Outcome != Found {
			continue
		}
		line := f.Goal + " " + f.Attacker
		for _, s := range f.Path {
			line += " | " + s.Says + " " + s.Rule
		}
		lines = append(lines, line+" = "+f.Result)
	}
	return lines
}

// What the built-in policy allows in small organizations of each model. The administrator of an entity may invite whoever is of the
// system (SYS-2) and reset the password of whoever is at the entity (SYS-1), so that the system's administrator is two changes away; and
// who belongs to another organization too cannot be invited again once they were removed (SYS-2, SYS-4).
func TestBuiltInPolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		directory string
		want      []string
		leftOut   int
	}{
		"region": {region, []string{}, 0},
		"group":  {group, []string{}, 0},
		"system": {system, []string{
			"power gil | gil: user.invite on helen at grace, role: entity_admin SYS-2 | gil: user.reset_password on helen, standing at grace; the account is now under the attacker's control SYS-1" +
				" = gil controls an account, helen, that is system_admin at sisters and may now user.invite on somebody new at mercy, role: entity_admin, which gil was denied at first",
			"power marta | marta: user.invite on helen at mercy, role: entity_admin SYS-2 | marta: user.reset_password on helen, standing at mercy; the account is now under the attacker's control SYS-1" +
				" = marta controls an account, helen, that is system_admin at sisters and may now user.invite on somebody new at grace, role: entity_admin, which marta was denied at first",
		}, 0},
		"vendor": {vendor, []string{"strand simon | simon: assignment.remove on eva at light SYS-4 = eva has no location left in light, and nobody there can give them one"}, 2},
	} {
		r := attacked(t, builtIn(t), c.directory, nil)
		require.Equal(t, c.want, found(r), name)
		require.Len(t, r.LeftOut, c.leftOut, name)
		require.NotZero(t, r.States, name)
		outcome := None
		if len(c.want) > 0 {
			outcome = Found
		}
		require.Equal(t, outcome, r.Outcome(), name)
	}
}

// Who administers a place administers everybody assigned there, whatever else they are: REG-11 and SYS-1 know no rank.
func TestBuiltInPolicyOverAdministratorsAssignedBeneath(t *testing.T) {
	t.Parallel()
	r := attacked(t, builtIn(t), strings.Replace(region, "role: regional_admin}", "role: regional_admin}, {location: abc, role: ed_normal}", 1), func(c *Config) {
		c.From, c.Reach, c.Goals = "division_admin", "regional_admin", []string{Power}
	})
	require.Len(t, found(r), 1)
	require.Contains(t, found(r)[0], "power nadia | nadia: user.reset_password on alice, standing at abc; the account is now under the attacker's control REG-11 = nadia controls an account, alice, that is regional_admin at metro and may now ")
	r = attacked(t, builtIn(t), strings.Replace(region, "role: regional_admin}", "role: regional_admin}, {location: abc, role: ed_normal}", 1), func(c *Config) {
		c.Control, c.Goals = nil, []string{Power}
	})
	require.Empty(t, found(r), "without control of others")
}

const (
	cells         = "authz/regional/data.yaml"
	rules         = "authz/regional/membership.rego"
	adds          = `assignment.add:              {rule: REG-5,  region: {place: any, user: any},              region_in_division: "no",                                     division: "no"`
	deactivates   = "user.deactivate:         {resource: user,     allow_self: false,"
	another       = `met("another_location", _, _) if count(input.facts.user.assignments) > 1`
	notTheDefault = `met("not_the_default", _, place) if input.facts.user.default_location != place.id`
)

// always returns a clause by which a rule of stage 3 holds for everybody whose record is known.
func always(rule string) string { return `met("` + rule + `", _, _) if input.facts.user` }

// Each hole is found, by the shortest path.
func TestPlantedHolesAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hole      []string
		directory string
		from      string
		want      []string
	}{
		"a division administrator gives any role anywhere": {
			[]string{cells, adds, strings.TrimSuffix(adds, `"no"`) + "{place: any, user: any}"},
			region, "division_admin",
			[]string{
				"power nadia | nadia: assignment.add on alice at abc, role: ed_admin REG-5 | nadia: user.reset_password on alice, standing at abc; the account is now under the attacker's control REG-11",
				"last-administrator nadia | nadia: assignment.add on alice at abc, role: ed_admin REG-5 | nadia: user.deactivate on alice, standing at abc REG-11",
			},
		},
		"a division administrator makes administrators of the region here": {
			[]string{cells, "regional_admin:      {offered_at: [region],", "regional_admin:      {offered_at: [region, division],"},
			region, "division_admin",
			[]string{"power nadia | nadia: user.reset_password on lisa, standing at north; the account is now under the attacker's control REG-11" +
				" | nadia: assignment.edit on lisa at north, new_role: regional_admin REG-6 = nadia controls an account, lisa, that is regional_admin at north and may now"},
		},
		"the default location can be removed": {
			[]string{rules, notTheDefault, always("not_the_default")},
			strings.Replace(region, "{location: abc, role: ed_normal}", "{location: abc, role: ed_normal}, {location: north, role: public_health}", 1), "regional_admin",
			[]string{"strand alice | alice: assignment.remove on tom at abc REG-9 = tom has a default location, abc, that is none of their locations"},
		},
		"the only location can be removed, but for the default": {[]string{rules, another, always("another_location")}, region, "regional_admin", []string{}},
		"the only location can be removed": {
			[]string{rules, another, always("another_location"), rules, notTheDefault, always("not_the_default")},
			region, "regional_admin",
			[]string{"strand alice | alice: assignment.remove on lisa at north, standing at metro REG-10 = lisa has no location left in metro, and nobody there can give them one"},
		},
		"anybody deactivates themselves": {
			[]string{cells, deactivates, strings.Replace(deactivates, "false", "true", 1)},
			region, "regional_admin",
			[]string{"last-administrator alice | alice: user.deactivate on alice, standing at metro REG-11 = nobody is left in metro who may"},
		},
		"two administrators deactivate each other and themselves": {
			[]string{cells, deactivates, strings.Replace(deactivates, "false", "true", 1)},
			region + "  - {id: albert, default_location: metro, assignments: [{location: metro, role: regional_admin}, {location: north, role: division_admin}]}\n", "regional_admin",
			[]string{"last-administrator albert | albert: user.deactivate on alice", "last-administrator alice | alice: user.deactivate on albert"},
		},
		"a member makes owners": {
			[]string{"authz/practice_group/power.rego", "	not _makes_owner\n", ""},
			group, "administrator",
			[]string{"power dora | dora: user.invite on new-1 at smile, role: owner, level: full; the account is now under the attacker's control PRA-3 = dora controls an account, new-1, that is owner at "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := found(attacked(t, changed(t, c.hole...), c.directory, func(cfg *Config) { cfg.From = c.from }))
			require.Len(t, lines, len(c.want), lines)
			for i, want := range c.want {
				require.True(t, strings.HasPrefix(lines[i], want), "%s\nis not\n%s", lines[i], want)
			}
		})
	}
}

// Whoever is deprived need not make a change any more, however many they are.
func TestThreeAdministratorsAreRemoved(t *testing.T) {
	t.Parallel()
	text := region
	for _, id := range []string{"albert", "agnes"} {
		text += "  - {id: " + id + ", default_location: metro, assignments: [{location: metro, role: regional_admin}]}\n"
	}
	r := attacked(t, changed(t, cells, deactivates, strings.Replace(deactivates, "false", "true", 1)), text, func(c *Config) {
		c.Depth, c.Goals, c.From = 3, []string{LastAdministrator}, "regional_admin"
	})
	require.Len(t, found(r), 1, "of those who hold alike one is tried")
	require.Len(t, r.Findings[0].Path, 3)
}

// A policy that reads meaning into ids is not attacked by what people hold: that is said.
func TestAttackOfAPolicyThatReadsIDs(t *testing.T) {
	t.Parallel()
	p := changed(t, rules, another, always("another_location"), rules, notTheDefault, always("not_the_default"),
		"authz/regional/matrix.rego", "_fits_user(\"any\", _)\n", "_fits_user(\"any\", _) if startswith(input.resource.id, \"us\")\n")
	d, err := directory.Parse([]byte(region), *p.Vocabulary())
	require.NoError(t, err)
	_, err = Run(t.Context(), Config{Policy: p, Directory: d, Depth: 1, Goals: []string{Strand}, From: "regional_admin", MaxStates: 1000})
	require.ErrorIs(t, err, ErrTellsApart)
}

// What was not looked at is never called none.
func TestBoundsAreSaid(t *testing.T) {
	t.Parallel()
	r := attacked(t, builtIn(t), region, func(c *Config) { c.MaxStates, c.Goals = 1, []string{Power} })
	require.Equal(t, Open, r.Outcome())
	var many strings.Builder
	for i := range maxAccounts + 1 {
		fmt.Fprintf(&many, "  - {id: l%d, kind: facility, parent: north}\n", i)
	}
	d, err := directory.Parse([]byte(strings.Replace(region, "users:\n", many.String()+"users:\n", 1)), *builtIn(t).Vocabulary())
	require.NoError(t, err)
	_, err = Run(t.Context(), Config{Policy: builtIn(t), Directory: d, Depth: 1, Goals: Goals, MaxStates: 1})
	require.ErrorContains(t, err, "metro has 204 locations, and can be attacked with 100 at most")
}
