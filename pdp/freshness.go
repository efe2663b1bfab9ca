package pdp

import (
	"context"
	"iter"
	"maps"
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

// includes reports whether a question asks for something beside the decision.
func includes(r Request, what string) bool {
	list, _ := r.Context[includeMember].([]any)
	return slices.Contains(list, any(what))
}

// including returns a question that asks for something beside the decision too.
func including(r Request, what string) Request {
	list, _ := r.Context[includeMember].([]any)
	r.Context = maps.Clone(r.Context)
	if r.Context == nil {
		r.Context = map[string]any{}
	}
	r.Context[includeMember] = append(slices.Clone(list), what)
	return r
}

// addIncluded adds to a decision what the question asks for beside it.
func (ev *evaluation) addIncluded(ctx context.Context, d *Decision, a answer, r Request) error {
	guarded := d.Allow && ev.isGuarded(r)
	explained := !d.Fault && isExplained(ctx, r)
	if a.facts == nil || !guarded && !explained && !includes(r, freshnessMember) {
		return nil
	}
	if d.Fault {
		a.disclosed = nil
	}
	d.Context = maps.Clone(d.Context)
	if d.Context == nil {
		d.Context = map[string]any{}
	}
	if includes(r, freshnessMember) {
		d.Context[freshnessMember] = ev.freshness(a, r, time.Now())
	}
	if explained {
		ev.addExplanation(ctx, d, r)
	}
	if guarded {
		return ev.addGuard(ctx, d, a, r)
	}
	return nil
}

// disclosedOf returns the records of an answer that the decision itself discloses.
func (ev *evaluation) disclosedOf(a answer, r Request) iter.Seq[facts.StoredRecord] {
	return func(yield func(facts.StoredRecord) bool) {
		governing, action := a.facts.Governing(), ev.catalogue[r.Action.Name]
		for stored := range a.facts.Records(ev.facts.View) {
			disclosed := false
			switch stored.User {
			case nil:
				disclosed = a.disclosed["organization"]
			case a.facts.Subject:
				disclosed = a.disclosed["subject"]
			default: // The answer to an invitation must not reveal whether the user is a member.
				disclosed = governing != nil && a.disclosed["user"] && !action.Has("new") && stored.User.BelongsTo(governing.Organization())
			}
			if disclosed && !yield(stored) {
				return
			}
		}
	}
}

// describe returns the type and the id of a record, as answers name it.
func describe(r facts.StoredRecord) (kind, id string) {
	if r.User != nil {
		return "user", r.User.ID()
	}
	return "organization", r.Root.ID()
}

// freshness describes the records that an answer depends on: the organization whose rules apply, the subject, and the user
// asked about.
func (ev *evaluation) freshness(a answer, r Request, now time.Time) map[string]any {
	var records []any
	for stored := range ev.disclosedOf(a, r) {
		kind, id := describe(stored)
		records = append(records, map[string]any{
			"type": kind, "id": id, "version": int(stored.Version), "vouched": stored.Confirmed,
			"age_ms": int(max(now.Sub(stored.AsOf).Milliseconds(), 0)),
		})
	}
	answer := map[string]any{"revision": ev.revision.ID}
	if len(records) > 0 {
		answer["records"] = records
	}
	return answer
}
