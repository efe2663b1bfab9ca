package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// attack attacks one organization.
func (r *run) attack(root *facts.Location) error {
	people, err := r.peopleOf(root)
	if err != nil || len(people) == 0 {
		return err
	}
	n := 0
	for _, l := range r.byID {
		if l.Organization() == root.ID() {
			n++
		}
	}
	if n > maxPlaces {
		return fmt.Errorf("%s has %d locations, and can be attacked with %d at most: cut a typical part out of the directory", root.ID(), n, maxPlaces)
	}
	o, err := r.newOrganization(root, people)
	if err != nil {
		return err
	}
	abilities, err := o.abilitiesToLose()
	if err != nil {
		return err
	}
	for i, n := range o.start {
		if slices.Index(o.start, n) < i || !o.attacks(people[i]) {
			continue
		}
		if err := o.from(i, abilities); err != nil {
			return err
		}
	}
	return nil
}

// peopleOf returns the accounts of an organization that can matter, and one of each sort that can be invited from outside. Of accounts
// that hold alike there are no more than changes, and one.
func (r *run) peopleOf(root *facts.Location) ([]*facts.User, error) {
	alike := newForms(r.names, r.locate)
	count := map[string]int{}
	var people []*facts.User
	for _, u := range r.Directory.AllUsers() {
		rec := u.Record()
		key := alike.key(&rec)
		limit := r.Depth + 1
		if !u.BelongsTo(root.ID()) {
			// Nobody here sees more of such an account than whether it has assignments.
			key = fmt.Sprint("outside ", rec.Status, len(rec.Assignments) > 0, rec.Username != "")
			limit = 1
		}
		if count[key]++; count[key] <= limit {
			people = append(people, u)
		}
	}
	if !slices.ContainsFunc(people, func(u *facts.User) bool { return u.BelongsTo(root.ID()) }) {
		return nil, nil
	}
	if len(people) <= maxAccounts {
		return people, nil
	}
	return r.oneOfEach(root, people), nil
}

// oneOfEach keeps one account of each sort: those that hold the same roles at locations of the same kinds.
func (r *run) oneOfEach(root *facts.Location, people []*facts.User) []*facts.User {
	seen := map[string]bool{}
	var kept []*facts.User
	for _, u := range people {
		var roles []string
		for _, a := range u.Assignments() {
			if a.At.Organization() == root.ID() {
				roles = append(roles, fmt.Sprint(a.Role, " ", a.At.Kind(), " ", a.Status, " ", a.Location == u.Record().DefaultLocation))
			}
		}
		slices.Sort(roles)
		key := u.Record().Status + strings.Join(roles, ",")
		if !seen[key] && len(kept) < maxAccounts {
			kept = append(kept, u)
		}
		seen[key] = true
	}
	r.leaveOut("%d of the %d accounts of %s that differ: one is kept of each sort, who hold the same roles at locations of the same kinds", len(people)-len(kept), len(people), root.ID())
	return kept
}

// attacks reports whether an account is one from which an attack is tried: it holds a role here, and that asked for.
func (o *organization) attacks(u *facts.User) bool {
	return slices.ContainsFunc(u.Assignments(), func(a facts.Assignment) bool {
		return a.At.Organization() == o.root.ID() && acts(u, a) && (o.From == "" || a.Role == o.From)
	})
}

// from attacks from one account.
func (o *organization) from(attacker int, abilities []int) error {
	for _, name := range o.Goals {
		var err error
		switch name {
		case Power:
			err = o.power(attacker)
		case Strand:
			g := &strand{}
			var out outcome
			if out, err = o.find(o.begin(attacker), g); err == nil {
				err = o.add(Strand, attacker, out, func(names []string) string { return names[out.reached.last.user] + " " + g.why })
			}
		case LastAdministrator:
			err = o.lose(attacker, abilities)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin returns the state at first, with one account under control.
func (o *organization) begin(attacker int) *state {
	st := &state{forms: slices.Clone(o.start), marks: make([]mark, len(o.start))}
	st.marks[attacker] = controlled
	return st
}

// power looks for a way to a power that the attacker was denied. What an invitation offers counts as the attacker's already.
func (o *organization) power(attacker int) error {
	n := o.start[attacker]
	own, err := o.powerOfAll(n)
	if err != nil {
		return err
	}
	candidates := o.candidatesOf(n)
	for i := range candidates {
		if !candidates[i].itself {
			continue
		}
		if _, ok, err := o.may(n, n, true, i, &candidates[i]); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		offered, err := o.powerOfAll(candidates[i].to)
		if err != nil {
			return err
		}
		own.union(offered)
	}
	g := &reach{role: o.Reach, own: own}
	out, err := o.find(o.begin(attacker), g)
	if err != nil {
		return err
	}
	return o.add(Power, attacker, out, func(names []string) string {
		held := o.forms.all[g.hold].rec.Assignments[0]
		return fmt.Sprintf("%s controls an account, %s, that is %s at %s and may now %s, which %s was denied at first",
			names[attacker], names[out.reached.last.user], held.Role, held.Location, o.sayAbility(g.ability), names[attacker])
	})
}

// lose looks for a way to leave nobody who has one of the abilities.
func (o *organization) lose(attacker int, abilities []int) error {
	var best outcome
	lost := 0
	depth := o.Depth
	defer func() { o.Depth = depth }()
	for _, ability := range abilities {
		out, err := o.find(o.begin(attacker), &loss{ability})
		if err != nil {
			return err
		}
		out.states += best.states
		out.open = out.open || best.open
		if out.reached == nil {
			out.reached = best.reached
		} else {
			lost = ability
			o.Depth = len(out.reached.path()) - 1 // only a shorter one is better
		}
		best = out
	}
	o.Depth = depth
	return o.add(LastAdministrator, attacker, best, func([]string) string {
		return fmt.Sprintf("nobody is left in %s who may %s", o.root.ID(), o.sayAbility(lost))
	})
}

// abilitiesToLose returns one of each class of abilities that few enough accounts have: the same roles give them.
func (o *organization) abilitiesToLose() ([]int, error) {
	if !slices.Contains(o.Goals, LastAdministrator) {
		return nil, nil
	}
	var powers []power
	holders := make([]int, len(o.abilities.abilities))
	for _, n := range slices.Concat(o.start, o.samples) {
		p, err := o.powerOfAll(n)
		if err != nil {
			return nil, err
		}
		powers = append(powers, p)
		for i := range holders {
			if len(powers) <= len(o.start) && p.has(i) {
				holders[i]++
			}
		}
	}
	var few []int
	seen := map[string]bool{}
	for i, n := range holders {
		if n == 0 || n > o.Depth {
			continue
		}
		var class strings.Builder
		for _, p := range powers {
			fmt.Fprint(&class, p.has(i), " ")
		}
		if !seen[class.String()] {
			few = append(few, i)
		}
		seen[class.String()] = true
	}
	return few, nil
}
