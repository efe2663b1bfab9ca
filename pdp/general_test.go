package pdp_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// The policy sees every part of the request with its properties, and no facts.
func TestGeneralPolicySeesTheRequestAsSent(t *testing.T) {
	engine := general(t, `decision := {"allow": true, "context": {"seen": input}}`)
	r := pdp.Request{
		Subject:  authzen.Entity{Type: "agent", ID: "a", Properties: map[string]any{"facts": map[string]any{"x": true}, "n": nil}},
		Action:   authzen.Action{Name: "can_read", Properties: map[string]any{"list": []any{"1", true, nil}}},
		Resource: authzen.Entity{Type: "doc", ID: "1", Properties: map[string]any{"owner": map[string]any{"id": "a"}}},
		Context:  map[string]any{"time": "now", "facts": "forged"},
	}
	seen := decide(t, engine, r).Context["seen"]
	require.JSONEq(t, show(r), show(seen))
	require.NotContains(t, seen, "facts")

	bare := pdp.Request{Subject: authzen.Entity{Type: "agent", ID: "a"}, Action: authzen.Action{Name: "x"}, Resource: authzen.Entity{Type: "doc", ID: "1"}}
	require.JSONEq(t, show(bare), show(decide(t, engine, bare).Context["seen"]))
}

func TestGeneralPolicySeesFactsWithASource(t *testing.T) {
	w := generate(12)
	files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndefault decision := false\n\ndecision := input.facts.subject.id == input.subject.id\n")}}
	engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: prepared(t, open(t, files, "app/decision")), Source: fixed{w.directory(t)}})
	require.True(t, decide(t, engine, ask(admin(w), "read", "doc", "1", "", "", nil)).Allow)
}

const shop = `
decision if {
	input.action.name == "read"
	input.resource.id in {"d1", "d2", "d3", "d5"}
	input.subject.id != "mallory"
}

decision if {
	input.action.name == "write"
	input.subject.id == "alice"
}

candidates := {
	"subject": {"user": {"alice", "bob", "mallory"}},
	"resource": {"doc": {sprintf("d%d", [i]) | some i in numbers.range(1, 6)}},
	"action": {"doc": {"delete", "read", "write"}},
}
`

// Each candidate is evaluated. A type that the policy does not offer has no candidates.
func TestGeneralPolicySearchesItsCandidates(t *testing.T) {
	engine := general(t, shop)
	read := ask("bob", "read", "doc", "d1", "", "", nil)
	require.Equal(t, []pdp.Hit{{Type: "user", ID: "alice"}, {Type: "user", ID: "bob"}}, search(t, engine.SearchSubjects, searchOf(read, nil)).Hits)
	require.Equal(t, []string{"d1", "d2", "d3", "d5"}, names(search(t, engine.SearchResources, searchOf(read, nil)).Hits))
	require.Equal(t, []pdp.Hit{{Name: "read"}}, search(t, engine.SearchActions, searchOf(read, nil)).Hits)
	alices := ask("alice", "", "doc", "d1", "", "", nil)
	require.Equal(t, []string{"read", "write"}, names(search(t, engine.SearchActions, searchOf(alices, nil)).Hits))

	unknown := searchOf(ask("bob", "read", "page", "d1", "", "", nil), whole)
	for _, find := range []find{engine.SearchResources, engine.SearchActions} {
		result := search(t, find, unknown)
		zero := 0
		require.Equal(t, pdp.SearchResult{Page: &pdp.PageInfo{Total: &zero}, Hits: []pdp.Hit{}}, result)
	}
	unknown.Subject.Type = "service"
	require.Empty(t, search(t, engine.SearchSubjects, unknown).Hits)
}

// Pages are available by token and by number, as for the lists of the models.
func TestCandidatesArePaged(t *testing.T) {
	engine := general(t, shop)
	of := func(page *authzen.Page) (find, pdp.SearchRequest) {
		return engine.SearchResources, searchOf(ask("bob", "read", "doc", "d1", "", "", nil), page)
	}
	all := []string{"d1", "d2", "d3", "d5"}
	for limit := 1; limit <= 5; limit++ {
		require.Equal(t, all, names(pages(t, of, authzen.Page{Limit: new(limit)})))
		f, r := of(whole)
		require.Equal(t, len(all), countByNumber(t, of, search(t, f, r).Hits, limit, nil))
	}
	f, r := of(&authzen.Page{Limit: new(1)})
	token := search(t, f, r).Page.NextToken
	r.Page = &authzen.Page{Token: token}
	require.Equal(t, []string{"d2"}, names(search(t, f, r).Hits[:1]))
	r.Action.Name = "write"
	refused(t, f, r, "another action")
}

// Candidates can also be arrays or separate rules.
func TestCandidatesCanDependOnTheRequest(t *testing.T) {
	read := searchOf(ask("bob", "read", "doc", "d1", "", "", nil), nil)
	for name, rego := range map[string]string{
		"by the request": `candidates := {"resource": {input.resource.type: {"d1", input.subject.id}}}`,
		"arrays":         `candidates := {"resource": {"doc": ["d1", "bob"]}}`,
		"an object rule": `candidates["resource"] := {"doc": {"d1", "bob"}}`,
		"set rules":      "candidates.resource.doc contains \"d1\"\n\ncandidates.resource.doc contains input.subject.id",
		"a general set":  `candidates.resource[type] contains id if some type, id in {"doc": "d1", "page": "p1"}`,
	} {
		engine := general(t, "decision := true\n\n"+rego+"\n")
		found := names(search(t, engine.SearchResources, read).Hits)
		require.Contains(t, found, "d1", name)
		require.NotContains(t, found, "p1", name)
		if name != "a general set" {
			require.ElementsMatch(t, []string{"d1", "bob"}, found, name)
		}
	}
}

// A policy without candidates does not offer the search.
func TestMalformedCandidatesAreAnError(t *testing.T) {
	read := searchOf(ask("bob", "read", "doc", "d1", "", "", nil), nil)
	for rego, fault := range map[string]pdp.Kind{
		`candidates := "doc"`: pdp.NotOffered, `candidates := {"resource": 1}`: "", `candidates := {"subject": {"doc": {"d1"}}}`: pdp.NotOffered,
		`candidates := {"resource": {"doc": "d1"}}`: pdp.Internal, `candidates := {"resource": {"doc": {1}}}`: pdp.Internal, ``: pdp.NotOffered,
		`candidates := {"resource": {"doc": {}}}`: pdp.Internal, `candidates := {"resource": {"doc": set()}}`: "",
	} {
		engine := general(t, "decision := true\n\n"+rego+"\n")
		result, err := engine.SearchResources(t.Context(), read)
		require.Empty(t, result.Hits, rego)
		if fault != "" {
			require.Equal(t, fault, pdp.KindOf(err), rego)
			continue
		}
		require.NoError(t, err, rego)
	}
}

// A candidate for which the policy has no well-formed decision is not a hit either.
func TestDeniedCandidatesAreNoHits(t *testing.T) {
	engine, log := generalLogged(t, `
decision := {"allow": true} if input.resource.id == "yes"

decision := {"allow": "true"} if input.resource.id == "odd"

candidates := {"resource": {"doc": {"no", "odd", "yes"}}}
`, 0)
	found := search(t, engine.SearchResources, searchOf(ask("bob", "read", "doc", "", "", "", nil), nil))
	require.Equal(t, []string{"yes"}, names(found.Hits))
	require.Contains(t, log.String(), "policy fault")
}
