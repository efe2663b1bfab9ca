package review

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// findings are what the review of one organization found. They wait in memory for those of the organizations before it.
type findings struct {
	held    []held
	orphans []Orphan
	touched map[group]map[string]bool
	kinds   []kindOfRow // by id, as far as they were needed
	err     error       // the first one, which ends the run
}

// held is a role that a user holds at a location, with the numbers of what it gives by kind of row. Those who hold alike share them.
type held struct {
	user   *facts.User
	at     *location
	counts []int
}

// kindOfRow is what a question can be a row of.
type kindOfRow struct {
	action, over, rule string
	changes            bool
	change             string // [Gained], [Lost] or ""
}

// rowsOf returns the rows of one subject at one location.
func (f *findings) rowsOf(h held) (rows []Row) {
	for id, n := range h.counts {
		if n == 0 {
			continue
		}
		k := f.kinds[id]
		rows = append(rows, Row{h.user, h.user.AssignmentAt(h.at.ID()).Role, h.at.Location, k.action, k.over, n, k.rule, k.changes, k.change})
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return comparePairs(a.Action, b.Action, a.Over, b.Over, a.Rule, b.Rule)
	})
	return rows
}
