package record

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// vocabulary looks up the terms of the policy's tables. If the policy has no table for something, it is not checked.
type vocabulary struct{ pdp.Vocabulary }

func (v vocabulary) offers(kind, role string) bool {
	return v.Roles == nil || slices.Contains(v.Roles[kind], role)
}

// level reports whether a level exists. It also accepts a level that has already been refused.
func (v vocabulary) level(name string) bool {
	return name == Unreadable || v.Levels == nil || slices.Contains(v.Levels, name)
}

func (v vocabulary) area(name string) bool {
	return v.Areas == nil || slices.Contains(v.Areas, name)
}

// words lists the words that occur in many records.
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
