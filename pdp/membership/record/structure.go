package record

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// level is what the location tree allows of a kind: the levels of a model are its structure, not policy.
type level struct {
	model   string
	root    bool     // may be an organization's root
	parents []string // kinds that it may lie beneath
	plan    bool     // has a plan, as a root
	title   string   // with its article
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

// Vocabulary looks up what the policy's tables name. What a policy has no table for is not checked.
type Vocabulary struct {
	pdp.Vocabulary
}

func (v Vocabulary) Offers(kind, role string) bool {
	return v.Roles == nil || slices.Contains(v.Roles[kind], role)
}

// level also passes what was already refused.
func (v Vocabulary) level(name string) bool {
	return name == Unreadable || v.Levels == nil || slices.Contains(v.Levels, name)
}

func (v Vocabulary) area(name string) bool {
	return v.Areas == nil || slices.Contains(v.Areas, name)
}

// Words are those that records repeat.
func (v Vocabulary) Words() []string {
	words := []string{
		"id", "name", "kind", "parent", "model", "plan", "username", "title", "given", "family", "status",
		"default_location", "last_login", "assignments", "location", "role",
		"access", "level", "areas", "profession", "registration_number",
	}
	words = slices.Concat(words, kindNames, modelNames, plans, AssignmentStatuses, v.Levels, v.Areas)
	for _, roles := range v.Roles {
		words = append(words, roles...)
	}
	return words
}

// Checker checks how the records of a draft fit together (DOMAIN.md section 1).
type Checker struct {
	*Document
	Vocab     Vocabulary
	Faults    *Faults
	Locations map[string]*Location // the first of each id
	held      map[string]*facts.AssignmentRecord
	suspended func(location string) bool // its organization must not be used, and so it is not judged by; nil: none is
}

func (c *Checker) Check() {
	c.Locations = make(map[string]*Location, len(c.Document.Locations))
	for i := range c.Document.Locations {
		l := &c.Document.Locations[i]
		if l.ID == Unreadable || l.ID == "" {
			continue
		}
		if c.Locations[l.ID] != nil {
			c.Faults.Add(l.About, "another location has this id")
			continue
		}
		c.Locations[l.ID] = l
	}
	for i := range c.Document.Locations {
		c.checkLocation(&c.Document.Locations[i])
	}
	c.checkCycles()
	c.CheckUsers()
}

func (c *Checker) checkLocation(l *Location) {
	own, known := levels[l.Kind]
	if l.Parent != "" {
		c.checkParent(l, own, known)
		if l.Model != "" {
			c.Faults.Add(l.About, "model belongs to a root")
		}
		if l.Plan != "" {
			c.Faults.Add(l.About, "plan belongs to a root")
		}
		return
	}
	switch {
	case !known:
		if l.Model == "" {
			c.Faults.Add(l.About, "a root must have a model")
		}
		return
	case !own.root:
		c.Faults.Add(l.About, "parent is missing: %s is no root", own.title)
		return
	case l.Model == "":
		c.Faults.Add(l.About, "a root must have a model, for %s %s", own.title, own.model)
	case l.Model != own.model && l.Model != Unreadable:
		c.Faults.Add(l.About, "model does not fit %s", own.title)
	}
	if own.plan && l.Plan == "" {
		c.Faults.Add(l.About, "a root of model %s must have a plan", own.model)
	}
	if !own.plan && l.Plan != "" {
		c.Faults.Add(l.About, "plan does not belong to %s", own.title)
	}
}

func (c *Checker) checkParent(l *Location, own level, known bool) {
	if l.Parent == Unreadable {
		return
	}
	parent := c.Locations[l.Parent]
	if parent == nil {
		c.Faults.Add(l.About, "parent is unknown")
		return
	}
	above, aboveKnown := levels[parent.Kind]
	switch {
	case !known || !aboveKnown: // told already
	case len(own.parents) == 0:
		c.Faults.Add(l.About, "%s has no parent", own.title)
	case !slices.Contains(own.parents, parent.Kind):
		c.Faults.Add(l.About, "%s cannot lie beneath %s, as %s is", own.title, above.title, membership.Quote(l.Parent))
	}
}

// checkCycles names every location that lies beneath itself.
func (c *Checker) checkCycles() {
	const walking, done = 1, 2
	state := make(map[*Location]int, len(c.Locations))
	for i := range c.Document.Locations {
		var walk []*Location
		at := &c.Document.Locations[i]
		for ; at != nil && state[at] == 0; at = c.Locations[at.Parent] {
			state[at] = walking
			walk = append(walk, at)
		}
		if at != nil && state[at] == walking {
			for _, l := range walk[slices.Index(walk, at):] {
				c.Faults.Add(l.About, "its parents form a cycle")
			}
		}
		for _, l := range walk {
			state[l] = done
		}
	}
}
