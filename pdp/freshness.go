package pdp

import (
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// The members of a question's context that concern freshness.
const (
	atLeastMember   = "at_least"
	includeMember   = "include"
	freshnessMember = "freshness"
)

// maxToken is the maximum length of the token of an announcement.
const maxToken = 256

// requirement returns how fresh the facts must be for all the questions. It fails if a question has a malformed token.
func (p *Policy) requirement(questions []Request) (facts.Requirement, error) {
	all := facts.Requirement{ReadOnly: len(questions) > 0}
	for _, r := range questions {
		all.ReadOnly = all.ReadOnly && p.catalogue[r.Action.Name].readOnly
		switch token := r.Context[atLeastMember].(type) {
		case nil:
		case string:
			if token == "" || len(token) > maxToken {
				return all, invalid("The member %q is no token at /context.", atLeastMember)
			}
			if !slices.Contains(all.AtLeast, token) {
				all.AtLeast = append(all.AtLeast, token)
			}
		default:
			return all, invalid("The member %q is not a string at /context.", atLeastMember)
		}
	}
	return all, nil
}

// wantsFreshness reports whether a question asks how fresh its facts are.
func wantsFreshness(r Request) bool {
	list, _ := r.Context[includeMember].([]any)
	return slices.Contains(list, any(freshnessMember))
}

// freshness describes the records that an answer depends on: the subject, the organization whose rules apply, and the
// user asked about. It describes only the records that the decision itself discloses.
func (ev *evaluation) freshness(a answer, r Request, now time.Time) map[string]any {
	var records []any
	add := func(kind, id string, f facts.Freshness) {
		records = append(records, map[string]any{
			"type": kind, "id": id, "version": int(f.Version), "vouched": f.Confirmed,
			"age_ms": int(max(now.Sub(f.AsOf).Milliseconds(), 0)),
		})
	}
	view, subject, user, governing := ev.facts.View, a.facts.Subject, a.facts.User, a.facts.Governing()
	if governing != nil && a.disclosed["organization"] {
		add("organization", governing.Root().ID(), view.OrganizationFreshness(governing.Root()))
	}
	if subject != nil && a.disclosed["subject"] {
		add("user", subject.ID(), view.UserFreshness(subject))
	}
	// The answer to an invitation must not reveal whether the user is a member.
	action := ev.catalogue[r.Action.Name]
	if governing != nil && user != nil && user != subject && a.disclosed["user"] && !action.Has("new") && user.BelongsTo(governing.Organization()) {
		add("user", user.ID(), view.UserFreshness(user))
	}
	answer := map[string]any{"revision": ev.revision.ID}
	if len(records) > 0 {
		answer["records"] = records
	}
	return answer
}
