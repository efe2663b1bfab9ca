package record

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// level describes where a kind of location may be in a tree. The levels of a model are its structure, not policy.
type level struct {
	model   string
	root    bool     // may be the root of an organization
	parents []string // kinds of its parent
	plan    bool     // has a plan, as a root
	title   string   // with the indefinite article
}

var levels = map[string]level{
	"region":   {model: facts.ModelRegional, root: true, title: "a region"},
	"division": {model: facts.ModelRegional, parents: []string{"region"}, title: "a division"},
	"facility": {model: facts.ModelRegional, parents: []string{"division"}, title: "a facility"},
	"system":   {model: facts.ModelHealthSystem, root: true, plan: true, title: "a system"},
	"entity":   {model: facts.ModelHealthSystem, root: true, parents: []string{"system"}, plan: true, title: "an entity"},
	"group":    {model: facts.ModelPracticeGroup, root: true, title: "a group"},
	"practice": {model: facts.ModelPracticeGroup, parents: []string{"group"}, title: "a practice"},
	"vendor":   {model: facts.ModelVendor, root: true, title: "a vendor"},
}

var (
	kindNames  = []string{"region", "division", "facility", "system", "entity", "group", "practice", "vendor"}
	modelNames = []string{facts.ModelRegional, facts.ModelHealthSystem, facts.ModelPracticeGroup, facts.ModelVendor}
)

// checker checks the consistency of records (policies/DOMAIN.md section 1).
type checker struct {
	vocab     vocabulary
	faults    *Faults
	locations map[string]*Location               // by id; the first if an id occurs twice
	held      map[string]*facts.AssignmentRecord // of one user; reused for the next
	suspended func(location string) bool         // whether its organization must not be used; nil means none is
}

// checkLocations checks all locations, and keeps them for the checks of users.
func (c *checker) checkLocations(all []Location) {
	c.locations = make(map[string]*Location, len(all))
	for i := range all {
		l := &all[i]
		if l.ID == Unreadable || l.ID == "" {
			continue
		}
		if c.locations[l.ID] != nil {
			c.faults.Add(l.About, "another location has this id")
			continue
		}
		c.locations[l.ID] = l
	}
	for i := range all {
		c.checkLocation(&all[i])
	}
	c.checkCycles(all)
}

func (c *checker) checkLocation(l *Location) {
	own, known := levels[l.Kind]
	if l.Parent != "" {
		c.checkParent(l, own, known)
		if l.Model != "" {
			c.faults.Add(l.About, "model belongs to a root")
		}
		if l.Plan != "" {
			c.faults.Add(l.About, "plan belongs to a root")
		}
		return
	}
	switch {
	case !known:
		if l.Model == "" {
			c.faults.Add(l.About, "a root must have a model")
		}
		return
	case !own.root:
		c.faults.Add(l.About, "parent is missing: %s is no root", own.title)
		return
	case l.Model == "":
		c.faults.Add(l.About, "a root must have a model, for %s %s", own.title, own.model)
	case l.Model != own.model && l.Model != Unreadable:
		c.faults.Add(l.About, "model does not fit %s", own.title)
	}
	if own.plan && l.Plan == "" {
		c.faults.Add(l.About, "a root of model %s must have a plan", own.model)
	}
	if !own.plan && l.Plan != "" {
		c.faults.Add(l.About, "plan does not belong to %s", own.title)
	}
}

func (c *checker) checkParent(l *Location, own level, known bool) {
	if l.Parent == Unreadable {
		return
	}
	parent := c.locations[l.Parent]
	if parent == nil {
		c.faults.Add(l.About, "parent is unknown")
		return
	}
	above, aboveKnown := levels[parent.Kind]
	switch {
	case !known || !aboveKnown: // already reported
	case len(own.parents) == 0:
		c.faults.Add(l.About, "%s has no parent", own.title)
	case !slices.Contains(own.parents, parent.Kind):
		c.faults.Add(l.About, "%s cannot lie beneath %s, as %s is", own.title, above.title, membership.Quote(l.Parent))
	}
}

// checkCycles reports every location that is beneath itself.
func (c *checker) checkCycles(all []Location) {
	const walking, done = 1, 2
	state := make(map[*Location]int, len(c.locations))
	for i := range all {
		var walk []*Location
		at := &all[i]
		for ; at != nil && state[at] == 0; at = c.locations[at.Parent] {
			state[at] = walking
			walk = append(walk, at)
		}
		if at != nil && state[at] == walking {
			for _, l := range walk[slices.Index(walk, at):] {
				c.faults.Add(l.About, "its parents form a cycle")
			}
		}
		for _, l := range walk {
			state[l] = done
		}
	}
}
