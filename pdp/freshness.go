package pdp

import (
	"slices"
	"time"
)

// Need says how new the facts of a question have to be. The zero value is the strictest class and no announcement.
type Need struct {
	// Using is for questions about using something, whose facts may be older than those of a question about a change.
	Using bool
	// AtLeast has the tokens of announcements that the facts have to know of.
	AtLeast []string
}

// Fact says how new a record is.
type Fact struct {
	Version uint64    // of the record: only grows
	AsOf    time.Time // the record was what its source had at this moment, or later
	Vouched bool      // and, as long as every change is announced, it still is
}

// The members of context that are about facts.
const (
	atLeastMember = "at_least"
	includeMember = "include"
	freshness     = "freshness"
)

// maxAnnouncement bounds the token of an announcement.
const maxAnnouncement = 256

// need says how new the facts have to be. Its error is an [*Error] of kind [Invalid].
func (p *Policy) need(r Request) (Need, error) {
	n := Need{Using: p.catalogue[r.Action.Name].readOnly}
	switch token := r.Context[atLeastMember].(type) {
	case nil:
	case string:
		if token == "" || len(token) > maxAnnouncement {
			return n, invalid("The member %q is no token at /context.", atLeastMember)
		}
		n.AtLeast = []string{token}
	default:
		return n, invalid("The member %q is not a string at /context.", atLeastMember)
	}
	return n, nil
}

// and gives what satisfies both.
func (n Need) and(m Need) Need {
	n.Using = n.Using && m.Using
	for _, token := range m.AtLeast {
		if !slices.Contains(n.AtLeast, token) {
			n.AtLeast = append(n.AtLeast, token)
		}
	}
	return n
}

// wantsFreshness says whether a question asks how new its facts are.
func wantsFreshness(r Request) bool {
	list, _ := r.Context[includeMember].([]any)
	return slices.Contains(list, any(freshness))
}

// told is what an answer says of the records that it was made from: of the subject, of the organization that judges, and of
// the account asked about, as far as the decision tells of them itself.
func (g *gathering) told(revision string, now time.Time) map[string]any {
	var records []any
	add := func(kind, id string, f Fact) {
		records = append(records, map[string]any{
			"type": kind, "id": id, "version": int(f.Version), "vouched": f.Vouched,
			"age_ms": int(max(now.Sub(f.AsOf).Milliseconds(), 0)),
		})
	}
	at := g.judge()
	if at != nil && g.sees["organization"] {
		add("organization", at.root.ID(), g.view.OrganizationFact(at.root))
	}
	if g.subject != nil && g.sees["subject"] {
		add("user", g.subject.ID(), g.view.UserFact(g.subject))
	}
	// An invitation does not tell whether the account is a member.
	if at != nil && g.user != nil && g.user != g.subject && g.sees["user"] && !g.action.takes("new") && g.user.belongsTo(at.Organization()) {
		add("user", g.user.ID(), g.view.UserFact(g.user))
	}
	answer := map[string]any{"revision": revision}
	if len(records) > 0 {
		answer["records"] = records
	}
	return answer
}
