package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// naive looks for a path by trying every move of every account in every state, and returns the number of moves of a shortest one, 0 if
// there is none of at most so many, and the most that one of those gains.
func naive(t *testing.T, o *organization, start *state, g goal, depth int) (length, most int) {
	level := []*state{start}
	for done := 1; done <= depth; done++ {
		var next []*state
		seen := map[string]bool{}
		for _, st := range level {
			for subject := range st.forms {
				if st.marks[subject]&controlled == 0 {
					continue
				}
				for user := 0; user <= len(st.forms); user++ {
					form := o.nobody
					if user < len(st.forms) {
						form = st.forms[user]
					}
					for i := range o.candidatesOf(form) {
						c := &o.candidatesOf(form)[i]
						if c.itself && user != subject {
							continue
						}
						_, ok, err := o.may(st.forms[subject], form, user == subject, i, c)
						require.NoError(t, err)
						if !ok {
							continue
						}
						after := st.after(subject, user, c)
						possible, err := g.possible(o, after)
						require.NoError(t, err)
						gain, err := g.reached(o, after)
						require.NoError(t, err)
						if possible && gain > 0 {
							length, most = done, max(most, gain)
						}
						if key := fmt.Sprint(after.forms, after.marks); !seen[key] {
							seen[key] = true
							next = append(next, after)
						}
					}
				}
			}
		}
		if length > 0 {
			break
		}
		level = next
	}
	return length, most
}

// The search leaves out what cannot matter, and nothing else: it finds a path exactly where trying everything does, as short as that, and
// one that gains as much.
func TestSearchFindsWhatTryingEverythingFinds(t *testing.T) {
	t.Parallel()
	twice := strings.Replace(region, "users:\n", "users:\n  - {id: albert, default_location: metro, assignments: [{location: metro, role: regional_admin}, {location: abc, role: ed_admin}]}\n", 1)
	compared := map[bool]int{}
	for name, c := range map[string]struct {
		text     string
		replaced []string
	}{
		"built-in":             {twice, nil},
		"built-in, of a group": {group, nil},
		"self":                 {region, []string{cells, deactivates, strings.Replace(deactivates, "false", "true", 1)}},
		"no last location":     {region, []string{rules, another, always("another_location"), rules, notTheDefault, always("not_the_default")}},
		"any role":             {region, []string{cells, adds, strings.TrimSuffix(adds, `"no"`) + "{place: any, user: any}"}},
	} {
		if fewerCases() && name != "self" {
			continue
		}
		p := changed(t, c.replaced...)
		d, err := directory.Parse([]byte(c.text), *p.Vocabulary())
		require.NoError(t, err)
		r, err := newRun(t.Context(), Config{Policy: p, Directory: d, Depth: 2, Goals: Goals, Control: Controls[:2], MaxStates: 1 << 30})
		require.NoError(t, err)
		root := d.AllLocations()[0].Root()
		people, err := r.peopleOf(root)
		require.NoError(t, err)
		o, err := r.newOrganization(root, people)
		require.NoError(t, err)
		lose, err := o.abilitiesToLose()
		require.NoError(t, err)
		for i, n := range o.start {
			own, err := o.powerOfAll(n)
			require.NoError(t, err)
			goals := []func() goal{func() goal { return &reach{own: own} }, func() goal { return &strand{} }}
			for _, ability := range lose {
				goals = append(goals, func() goal { return &loss{ability} })
			}
			for _, g := range goals {
				out, err := o.find(o.begin(i), g())
				require.NoError(t, err)
				length := 0
				if out.reached != nil {
					length = len(out.reached.path())
				}
				wantLength, wantGain := naive(t, o, o.begin(i), g(), 2)
				require.Equal(t, wantLength, length, "%s: %T from %s", name, g(), people[i].ID())
				require.Equal(t, wantGain, out.gain, "%s: %T from %s", name, g(), people[i].ID())
				compared[length > 0]++
			}
		}
	}
	require.NotZero(t, compared[true])
	require.NotZero(t, compared[false])
}

// Who was changed and has made no change since still has to, but for the one that the goal is about; and can only if under control.
func TestHopelessPaths(t *testing.T) {
	t.Parallel()
	mine, idle, changed := controlled, controlled|pending, pending
	for _, c := range []struct {
		marks         []mark
		left          int
		reach, strand bool
	}{
		{[]mark{mine}, 1, false, false},
		{[]mark{mine, changed}, 0, true, false},
		{[]mark{mine, changed}, 1, false, false},
		{[]mark{mine, idle}, 0, false, false},
		{[]mark{mine, idle, changed}, 1, false, false},
		{[]mark{mine, idle, idle}, 0, true, true},
		{[]mark{mine, changed, changed}, 1, true, true},
		{[]mark{mine, changed, changed}, 2, false, false},
		{[]mark{mine, changed | deprivable, idle}, 0, false, false},
	} {
		st := &state{marks: c.marks}
		for g, want := range map[goal]bool{&reach{}: c.reach, &strand{}: c.strand} {
			got, err := g.hopeless(nil, st, c.left)
			require.NoError(t, err)
			require.Equal(t, want, got, "%T: %v with %d left", g, c.marks, c.left)
		}
	}
}
