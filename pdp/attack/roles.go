package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// checkRoles refuses a search from a role that nobody holds, or for one that nobody can: nothing would be looked at, and nothing found.
func (r *run) checkRoles() error {
	var held, offered []string
	for _, l := range r.Directory.AllLocations() {
		if r.attacked(l.Organization()) {
			offered = append(offered, r.roles[l.Kind()]...)
		}
	}
	for _, u := range r.Directory.AllUsers() {
		for _, a := range u.Assignments() {
			if r.attacked(a.At.Organization()) && acts(u, a) {
				held = append(held, a.Role)
			}
		}
	}
	slices.Sort(held)
	slices.Sort(offered)
	held, offered = slices.Compact(held), slices.Compact(offered)
	where := ""
	if r.Organization != "" {
		where = " in " + r.Organization
	}
	switch {
	case len(held) == 0:
		return fmt.Errorf("no active account holds a role%s: there is no attacker", where)
	case r.From != "" && !slices.Contains(held, r.From):
		return fmt.Errorf("no active account holds %s%s: the roles held are %s", r.From, where, strings.Join(held, ", "))
	case r.Reach != "" && !slices.Contains(offered, r.Reach):
		return fmt.Errorf("no location%s offers %s: the roles offered are %s", where, r.Reach, strings.Join(offered, ", "))
	}
	return nil
}

func (r *run) attacked(organization string) bool {
	return r.Organization == "" || organization == r.Organization
}

// acts reports whether an account can attack by an assignment.
func acts(u *facts.User, a facts.Assignment) bool {
	return u.Record().Status == facts.StatusActive && (a.Active || a.Status == facts.StatusInvited)
}
