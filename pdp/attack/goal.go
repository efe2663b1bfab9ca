package attack

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// In a shortest path each change is needed: whoever is changed makes a change later, but for the account that the goal is about. So a
// path is hopeless once more accounts wait for their turn than moves are left.

// reach is the goal that the attacker has a power that was denied at first: an account under control holds a role that allows it. The
// more abilities a role has that were denied, the more it is.
type reach struct {
	role string // "" is any
	own  power

	hold    int32 // that gains most of those that were reached
	ability int   // one of those gained
	gain    int
}

func (g *reach) possible(_ *organization, next *state) (bool, error) {
	return next.marks[next.last.user]&controlled != 0, nil
}

func (g *reach) reached(o *organization, next *state) (most int, err error) {
	user := next.last.user
	for _, hold := range o.holdsOf(next.forms[user]) {
		if g.role != "" && o.forms.all[hold].rec.Assignments[0].Role != g.role {
			continue
		}
		p, err := o.powerOf(hold)
		if err != nil {
			return 0, err
		}
		ability, gain := p.beyond(g.own)
		if gain > g.gain {
			g.hold, g.ability, g.gain = hold, ability, gain
		}
		most = max(most, gain)
	}
	return most, nil
}

func (g *reach) hopeless(_ *organization, next *state, left int) (bool, error) {
	idle, others := next.idle()
	return idle-1 > left || others > left, nil
}

// strand is the goal that a user whom somebody could help before is where nobody can.
type strand struct{ why string }

func (g *strand) reached(*organization, *state) (int, error) { return everything, nil }

func (g *strand) possible(o *organization, next *state) (bool, error) {
	user := next.last.user
	if user == next.last.subject || user >= len(next.before.forms) {
		return false, nil
	}
	before, err := o.stranded(next.before.forms[user])
	if before != "" || err != nil {
		return false, err
	}
	g.why, err = o.stranded(next.forms[user])
	return g.why != "", err
}

func (g *strand) hopeless(_ *organization, next *state, left int) (bool, error) {
	idle, others := next.idle()
	return idle-1 > left || others > 1 && others > left, nil
}

// stranded says why an account of a form is stranded; "" if it is not. Administrators are as they were at first.
func (o *organization) stranded(n int32) (string, error) {
	f := o.forms.all[n]
	if !f.judged {
		var err error
		if f.why, err = o.whyStranded(n); err != nil {
			return "", err
		}
		f.judged = true
	}
	return f.why, nil
}

func (o *organization) whyStranded(n int32) (string, error) {
	u := o.forms.userOf(n)
	belongs, home := u.BelongsTo(o.root.ID()), u.Record().DefaultLocation
	if belongs && o.root.Model() == facts.ModelRegional && u.AssignmentAt(home) == nil {
		return fmt.Sprintf("has a default location, %s, that is none of their locations", cmp.Or(home, "absent")), nil
	}
	candidates := o.forms.all[n].candidates
	if candidates == nil {
		candidates = o.listCandidates(n, true)
		defer o.forms.forget(n)
	}
	administrators, err := o.byPower()
	if err != nil {
		return "", err
	}
	for _, subject := range administrators {
		for number := range candidates {
			if candidates[number].itself {
				continue
			}
			if _, ok, err := o.may(subject, n, false, number, &candidates[number]); ok || err != nil {
				return "", err
			}
		}
	}
	if !belongs {
		return fmt.Sprintf("has no location left in %s, and nobody there can give them one", o.root.ID()), nil
	}
	return "is where nobody can change anything about them", nil
}

// byPower returns the forms at first, those that have the most abilities first.
func (o *organization) byPower() ([]int32, error) {
	if o.ranked != nil {
		return o.ranked, nil
	}
	count := map[int32]int{}
	for _, n := range o.start {
		p, err := o.powerOfAll(n)
		if err != nil {
			return nil, err
		}
		count[n] = 0
		for _, word := range p {
			count[n] += bits.OnesCount64(word)
		}
	}
	o.ranked = slices.SortedFunc(maps.Keys(count), func(a, b int32) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	return o.ranked, nil
}

// loss is the goal that nobody is left who can do something that somebody could at first.
type loss struct{ ability int }

func (g *loss) reached(*organization, *state) (int, error) { return everything, nil }

func (g *loss) possible(o *organization, next *state) (bool, error) {
	n, err := g.holders(o, next)
	return n == 0, err
}

// hopeless: each move deprives one holder at most.
func (g *loss) hopeless(o *organization, next *state, left int) (bool, error) {
	n, err := g.holders(o, next)
	if err != nil || n > left {
		return true, err
	}
	idle, others := next.idle()
	return idle > left || others > left, nil
}

// holders counts the accounts that have the ability, and marks them for good: whoever had it can be changed last.
func (g *loss) holders(o *organization, st *state) (n int, err error) {
	for i, form := range st.forms {
		has, err := o.has(form, g.ability)
		if err != nil {
			return 0, err
		}
		if has {
			st.marks[i] |= deprivable
			n++
		}
	}
	return n, nil
}

// has reports whether an account of a form has an ability.
func (o *organization) has(n int32, ability int) (bool, error) {
	a := o.abilities.abilities[ability]
	c := &o.forms.all[a.sample].candidates[a.number]
	for _, hold := range o.holdsOf(n) {
		if _, ok, err := o.may(hold, a.sample, false, a.number, c); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
