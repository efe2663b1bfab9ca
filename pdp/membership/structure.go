package membership

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
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
	"region":   {model: pdp.ModelRegional, root: true, title: "a region"},
	"division": {model: pdp.ModelRegional, parents: []string{"region"}, title: "a division"},
	"facility": {model: pdp.ModelRegional, parents: []string{"division"}, title: "a facility"},
	"system":   {model: pdp.ModelHealthSystem, root: true, plan: true, title: "a system"},
	"entity":   {model: pdp.ModelHealthSystem, root: true, parents: []string{"system"}, plan: true, title: "an entity"},
	"group":    {model: pdp.ModelPracticeGroup, root: true, title: "a group"},
	"practice": {model: pdp.ModelPracticeGroup, parents: []string{"group"}, title: "a practice"},
	"vendor":   {model: pdp.ModelVendor, root: true, title: "a vendor"},
}

var (
	kindNames  = []string{"region", "division", "facility", "system", "entity", "group", "practice", "vendor"}
	modelNames = []string{pdp.ModelRegional, pdp.ModelHealthSystem, pdp.ModelPracticeGroup, pdp.ModelVendor}
)

// vocabulary looks up what the policy's tables name. What a policy has no table for is not checked.
type vocabulary struct {
	pdp.Vocabulary
}

func (v vocabulary) offers(kind, role string) bool {
	return v.Roles == nil || slices.Contains(v.Roles[kind], role)
}

// level also passes what was already refused.
func (v vocabulary) level(name string) bool {
	return name == unreadable || v.Levels == nil || slices.Contains(v.Levels, name)
}

func (v vocabulary) area(name string) bool {
	return v.Areas == nil || slices.Contains(v.Areas, name)
}

// words are those that records repeat.
func (v vocabulary) words() []string {
	words := []string{
		"id", "name", "kind", "parent", "model", "plan", "username", "title", "given", "family", "status",
		"default_location", "last_login", "assignments", "location", "role",
		"access", "level", "areas", "profession", "registration_number",
	}
	words = slices.Concat(words, kindNames, modelNames, plans, assignmentStatuses, v.Levels, v.Areas)
	for _, roles := range v.Roles {
		words = append(words, roles...)
	}
	return words
}

// structure checks how the records of a draft fit together (DOMAIN.md section 1).
type structure struct {
	*draft
	vocab     vocabulary
	faults    *Faults
	locations map[string]*locationDraft // the first of each id
	held      map[string]*pdp.AssignmentRecord
	suspended func(location string) bool // its organization must not be used, and so it is not judged by; nil: none is
}

func (c *structure) check() {
	c.locations = make(map[string]*locationDraft, len(c.draft.locations))
	for i := range c.draft.locations {
		l := &c.draft.locations[i]
		if l.ID == unreadable || l.ID == "" {
			continue
		}
		if c.locations[l.ID] != nil {
			c.faults.add(l.about, "another location has this id")
			continue
		}
		c.locations[l.ID] = l
	}
	for i := range c.draft.locations {
		c.checkLocation(&c.draft.locations[i])
	}
	c.checkCycles()
	c.checkUsers()
}

func (c *structure) checkLocation(l *locationDraft) {
	own, known := levels[l.Kind]
	if l.Parent != "" {
		c.checkParent(l, own, known)
		if l.Model != "" {
			c.faults.add(l.about, "model belongs to a root")
		}
		if l.Plan != "" {
			c.faults.add(l.about, "plan belongs to a root")
		}
		return
	}
	switch {
	case !known:
		if l.Model == "" {
			c.faults.add(l.about, "a root must have a model")
		}
		return
	case !own.root:
		c.faults.add(l.about, "parent is missing: %s is no root", own.title)
		return
	case l.Model == "":
		c.faults.add(l.about, "a root must have a model, for %s %s", own.title, own.model)
	case l.Model != own.model && l.Model != unreadable:
		c.faults.add(l.about, "model does not fit %s", own.title)
	}
	if own.plan && l.Plan == "" {
		c.faults.add(l.about, "a root of model %s must have a plan", own.model)
	}
	if !own.plan && l.Plan != "" {
		c.faults.add(l.about, "plan does not belong to %s", own.title)
	}
}

func (c *structure) checkParent(l *locationDraft, own level, known bool) {
	if l.Parent == unreadable {
		return
	}
	parent := c.locations[l.Parent]
	if parent == nil {
		c.faults.add(l.about, "parent is unknown")
		return
	}
	above, aboveKnown := levels[parent.Kind]
	switch {
	case !known || !aboveKnown: // told already
	case len(own.parents) == 0:
		c.faults.add(l.about, "%s has no parent", own.title)
	case !slices.Contains(own.parents, parent.Kind):
		c.faults.add(l.about, "%s cannot lie beneath %s, as %s is", own.title, above.title, quote(l.Parent))
	}
}

// checkCycles names every location that lies beneath itself.
func (c *structure) checkCycles() {
	const walking, done = 1, 2
	state := make(map[*locationDraft]int, len(c.locations))
	for i := range c.draft.locations {
		var walk []*locationDraft
		at := &c.draft.locations[i]
		for ; at != nil && state[at] == 0; at = c.locations[at.Parent] {
			state[at] = walking
			walk = append(walk, at)
		}
		if at != nil && state[at] == walking {
			for _, l := range walk[slices.Index(walk, at):] {
				c.faults.add(l.about, "its parents form a cycle")
			}
		}
		for _, l := range walk {
			state[l] = done
		}
	}
}
