package pdp_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// obliging is a general policy whose allow has obligations.
const obliging = `
default supported_obligations := {"custom", "notification"}

decision := {"allow": input.action.name != "no", "reasons": [r | r := "because"; input.action.name == "no"], "obligations": owed}

owed := [{"id": "1", "type": "custom"}, {"id": "2", "type": "notification", "properties": {"to": "a", "body": "b"}}] if input.resource.id != "free"

owed := [] if input.resource.id == "free"

candidates := {"resource": {"doc": {"d", "free"}}, "action": {"doc": {"read", "no"}}, "subject": {"user": {"a"}}}
`

// The log names the fault and quotes nothing from the obligations.
func TestMalformedObligationsDeny(t *testing.T) {
	t.Parallel()
	for obligations, fault := range map[string]string{
		`[{"id": "s3cret", "type": "custom"}, {"id": "s3cret", "type": "custom"}]`:                                             "two obligations have the same id",
		`[{"id": "s3cret", "type": "s3cret"}]`:                                                                                 "not one of the types custom, notification, session_termination, step-up",
		`[{"id": "s3cret", "type": "Custom"}]`:                                                                                 "not one of the types",
		`[{"id": "s3cret", "type": "custom", "properties": ["s3cret"]}]`:                                                       "the properties of an obligation of type custom are not an object",
		`[{"id": "s3cret", "type": "step-up"}]`:                                                                                "an obligation of type step-up lacks the property acr_value",
		`[{"id": "s3cret", "type": "step-up", "properties": {"acr_value": 3}}]`:                                                "the property acr_value of an obligation of type step-up has the wrong type",
		`[{"id": "s3cret", "type": "step-up", "properties": {"acr_value": "s3cret", "amr_values": "s3cret"}}]`:                 "amr_values",
		`[{"id": "s3cret", "type": "step-up", "properties": {"acr_value": "s3cret", "amr_values": ["otp", 1]}}]`:               "amr_values",
		`[{"id": "s3cret", "type": "notification", "properties": {"to": "s3cret"}}]`:                                           "lacks the property body",
		`[{"id": "s3cret", "type": "notification", "properties": {"body": "s3cret"}}]`:                                         "lacks the property to",
		`[{"id": "s3cret", "type": "notification", "properties": {"to": null, "body": "s3cret"}}]`:                             "lacks the property to",
		`[{"id": "s3cret", "type": "notification", "properties": {"to": ["s3cret"], "body": "s3cret"}}]`:                       "the property to",
		`[{"id": "s3cret", "type": "notification", "properties": {"to": "s3cret", "body": "s3cret", "topic": {"s3cret": 1}}}]`: "the property topic",
		`[{"id": "s3cret", "type": "session_termination", "properties": {"organization": "s3cret"}}]`:                          "lacks the property subject",
		`[{"id": "s3cret", "type": "session_termination", "properties": {"subject": true}}]`:                                   "the property subject",
		`[{"id": "ok", "type": "custom"}, {"id": "s3cret", "type": "session_termination", "properties": {}}]`:                  "lacks the property subject",
	} {
		for _, allow := range []string{"true", "false"} {
			engine, log := generalLogged(t, `decision := {"allow": `+allow+`, "obligations": `+obligations+`}`, time.Minute)
			d := decide(t, engine, ask("s3cret", "s3cret", "s3cret", "s3cret", "", "", nil))
			require.Equal(t, pdp.Decision{Revision: d.Revision, Fault: true}, d, obligations)
			require.Contains(t, log.String(), fault, obligations)
			require.Contains(t, log.String(), "level=ERROR")
			require.NotContains(t, log.String(), "s3cret", "what a policy or a caller says stays out of the log")
			a := documents(t, engine, []string{"app", "decision"}, show(ask("s3cret", "s3cret", "doc", "1", "", "", nil)))[0]
			require.Equal(t, pdp.Internal, pdp.KindOf(a.Err), obligations)
			require.NotContains(t, log.String(), "s3cret")
		}
	}
}

func TestObligationPropertiesAreNeverNull(t *testing.T) {
	engine := general(t, `decision := {"allow": true, "obligations": [
		{"id": "1", "type": "custom"}, {"id": "2", "type": "custom", "properties": null}, {"id": "3", "type": "custom", "properties": {"a": 1}},
		{"id": "4", "type": "step-up", "properties": {"acr_value": "high", "amr_values": null}},
		{"id": "5", "type": "step-up", "properties": {"acr_value": "high", "amr_values": ["otp"], "more": 1}}]}`)
	var properties []map[string]any
	for _, o := range decide(t, engine, ask("a", "read", "doc", "1", "", "", nil)).Obligations {
		properties = append(properties, o.Properties)
	}
	require.Equal(t, []map[string]any{{}, {}, {"a": json.Number("1")}, {"acr_value": "high", "amr_values": nil},
		{"acr_value": "high", "amr_values": []any{"otp"}, "more": json.Number("1")}}, properties)
}

// The same holds for policies that do not mention supported_obligations.
func TestUnsupportedObligationsDeny(t *testing.T) {
	t.Parallel()
	engine := general(t, obliging)
	for said, can := range map[string][]string{
		``: {"1", "2"}, `null`: {"1", "2"}, `["custom","notification"]`: {"1", "2"}, `["notification","step-up","custom","nonsense","custom"]`: {"1", "2"},
		`[]`: {}, `["custom"]`: {"1"}, `["notification"]`: {"2"}, `["Custom","notification"]`: {"2"}, `["step-up"]`: {},
		`"custom"`: {}, `{"custom":true,"notification":true}`: {}, `["custom","notification",1]`: {}, `["custom","notification",null]`: {}, `true`: {}, `0`: {}, `""`: {},
	} {
		r := ask("a", "read", "doc", "d", "", "", nil)
		r.Context = map[string]any{}
		if said != "" {
			var value any
			require.NoError(t, json.Unmarshal([]byte(said), &value))
			r.Context["supported_obligations"] = value
		}
		d := decide(t, engine, r)
		if len(can) == 2 {
			require.True(t, d.Allow, said)
			require.Len(t, d.Obligations, 2)
		} else {
			require.Equal(t, pdp.Decision{Revision: d.Revision, Reasons: []any{map[string]any{
				"code": "obligation_unsupported", "message": "The application cannot do what this would require of it."}}}, d, said)
		}
		a := documents(t, engine, []string{"app", "decision"}, show(r))[0]
		require.Equal(t, d.Allow, a.Value.(map[string]any)["allow"], "%s: to clients of OPA, too", said)
		part := documents(t, engine, []string{"app", "decision", "allow"}, show(r))[0]
		require.Equal(t, d.Allow, part.Value, said)
		found := search(t, engine.SearchResources, searchOf(r, nil))
		require.Equal(t, d.Allow, len(found.Hits) == 2, "%s: and in lists", said)

		r.Resource.ID = "free"
		require.True(t, decide(t, engine, r).Allow, "%s: where nothing is owed, nothing has to be supported", said)

		// A denial stays a denial, keeps its reasons, and has the obligations that the caller supports.
		r.Resource.ID, r.Action.Name = "d", "no"
		d = decide(t, engine, r)
		require.False(t, d.Allow)
		require.Equal(t, "because", d.Reasons[0], said)
		kept := []string{}
		for _, o := range d.Obligations {
			kept = append(kept, o.ID)
		}
		require.Equal(t, can, kept, said)
		require.Len(t, d.Reasons, map[bool]int{true: 1, false: 2}[len(can) == 2], said)
	}
	// An input that is not a question can have a context, too.
	a := documents(t, engine, []string{"app", "decision"}, `{"context":{"supported_obligations":[]},"action":{"name":"read"},"resource":{"id":"d"}}`)[0]
	require.Equal(t, false, a.Value.(map[string]any)["allow"])
}

// If a policy declares no obligation types, no caller supports any.
func TestUndeclaredObligationTypesAreIgnored(t *testing.T) {
	for declared, allowed := range map[string]bool{``: false, `supported_obligations := []`: false, `supported_obligations := ["notification"]`: false,
		`supported_obligations := {"custom"}`: true, `supported_obligations contains "custom"`: true} {
		engine := general(t, "decision := {\"allow\": true, \"obligations\": [{\"id\": \"1\", \"type\": \"custom\"}]}\n\n"+declared+"\n")
		r := ask("a", "read", "doc", "d", "", "", nil)
		require.True(t, decide(t, engine, r).Allow, "absent says nothing")
		r.Context = map[string]any{"supported_obligations": []any{"custom"}}
		require.Equal(t, allowed, decide(t, engine, r).Allow, declared)
	}
}

// A policy offers the searches for which it has candidates, and the obligations that it declares.
func TestOffersFollowThePolicy(t *testing.T) {
	t.Parallel()
	all := pdp.Offers{Subjects: true, Resources: true, Actions: true}
	for rego, want := range map[string]pdp.Offers{
		``:                               {},
		`candidates := {}`:               {},
		`candidates := "doc"`:            {},
		`candidates contains "resource"`: {},
		`candidates := {"subject": {"doc": {"d1"}}}`:                                         {Subjects: true},
		`candidates := {"resource": {"doc": {"d1", input.subject.id}}, "other": 1}`:          {Resources: true},
		`candidates := {"action": {input.resource.type: {x | some x in ["read"]}}}`:          {Actions: true},
		`candidates.resource.doc contains "d1"`:                                              {Resources: true},
		"candidates.resource.doc contains \"d1\"\n\ncandidates.action.doc contains \"read\"": {Resources: true, Actions: true},
		`candidates["subject"] := {"user": {"a"}}`:                                           {Subjects: true},
		`candidates.resource[type] contains id if some type, id in {"doc": "d1"}`:            {Resources: true},
		`candidates[kind] := {} if some kind in ["subject"]`:                                 all,
		`candidates := {kind: {} | some kind in ["subject"]}`:                                all,
		"candidates := {\"subject\": {}} if input.x\n\nelse := {\"action\": {}}":             {Subjects: true, Actions: true},
		"default candidates := {}\n\ncandidates := {\"subject\": {}} if input.x":             {Subjects: true},
		`supported_obligations := {"step-up", "custom"}`:                                     {Obligations: []string{"custom", "step-up"}},
		`supported_obligations := ["custom", "custom"]`:                                      {Obligations: []string{"custom"}},
	} {
		engine := general(t, "default decision := true\n\n"+rego+"\n")
		require.Equal(t, want, engine.Offers(), rego)
		for _, c := range []struct {
			find    find
			offered bool
		}{{engine.SearchSubjects, want.Subjects}, {engine.SearchResources, want.Resources}, {engine.SearchActions, want.Actions}} {
			result, err := c.find(t.Context(), searchOf(ask("a", "read", "doc", "d", "", "", nil), nil))
			if c.offered {
				require.NoError(t, err, rego)
				continue
			}
			require.Equal(t, pdp.NotOffered, pdp.KindOf(err), rego)
			require.Empty(t, result)
		}
	}
	require.Equal(t, pdp.Offers{Subjects: true, Resources: true, Actions: true, Guards: true, Obligations: []string{"custom", "notification", "session_termination"}},
		withSource(t, fixed{generate(12).directory(t)}).Offers())
	engine := pdp.New(pdp.Config{})
	require.Equal(t, pdp.Offers{}, engine.Offers())
	engine.Activate(builtInPolicy())
	require.True(t, engine.Offers().Actions, "the active policy's")
}

func TestMalformedObligationDeclarationsRefuseThePolicy(t *testing.T) {
	for declared, fault := range map[string]string{
		`supported_obligations := "custom"`:                        "not a list of types",
		`supported_obligations := {"custom": true}`:                "not a list of types",
		`supported_obligations := ["custom", 1]`:                   "not a list of types",
		`supported_obligations := ["custom", "beep"]`:              `"beep" is not one of the types custom, notification, session_termination, step-up`,
		`supported_obligations := x if some x in [["custom"], []]`: "cannot be read",
	} {
		files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := true\n\n" + declared + "\n")}}
		_, err := pdp.Prepare(t.Context(), open(t, files, "app/decision"))
		require.ErrorContains(t, err, fault, declared)
	}
}

// The obligations are those of the decision, in lists of every kind.
func TestHitsHaveTheirObligations(t *testing.T) {
	engine := general(t, obliging)
	owed := decide(t, engine, ask("a", "read", "doc", "d", "", "", nil)).Obligations
	require.Len(t, owed, 2)
	r := searchOf(ask("a", "read", "doc", "d", "", "", nil), nil)
	require.Equal(t, []pdp.Hit{{Type: "doc", ID: "d", Obligations: owed}, {Type: "doc", ID: "free", Obligations: []pdp.Obligation{}}},
		search(t, engine.SearchResources, r).Hits)
	require.Equal(t, []pdp.Hit{{Name: "read", Obligations: owed}}, search(t, engine.SearchActions, r).Hits)
	require.Equal(t, []pdp.Hit{{Type: "user", ID: "a", Obligations: owed}}, search(t, engine.SearchSubjects, r).Hits)
}

// The test searches generated worlds for questions that have hits.
func TestHitsOfTheModelsCarryTheirObligations(t *testing.T) {
	carried := map[string]int{}
	forEachQuestion(t, 6, 40, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		check := func(kind string, hit pdp.Hit, asked pdp.Request) {
			d := decide(t, e, asked)
			if !d.Allow && kind == "action" {
				require.Empty(t, hit.Obligations)
				return
			}
			require.True(t, d.Allow, "%s %s", kind, show(asked))
			require.Equal(t, show(d.Obligations), show(hit.Obligations), "%s %s", kind, show(asked))
			carried[kind] += len(hit.Obligations)
		}
		if r.Resource.Type == "user" {
			narrow := r
			narrow.Resource.Properties = nil
			for _, hit := range search(t, e.SearchResources, searchOf(narrow, whole)).Hits {
				asked := narrow
				asked.Resource.ID = hit.ID
				check("resource", hit, asked)
			}
		}
		for _, hit := range search(t, e.SearchActions, searchOf(r, whole)).Hits {
			asked := r
			asked.Action.Name, asked.Action.Properties = hit.Name, nil
			check("action", hit, asked)
		}
		if text(r.Context["current_location"]) == "" {
			return
		}
		for _, hit := range search(t, e.SearchSubjects, searchOf(r, whole)).Hits {
			asked := r
			asked.Subject.ID = hit.ID
			check("subject", hit, asked)
		}
	})
	if fewerQuestions() {
		return
	}
	for _, kind := range []string{"resource", "action", "subject"} {
		require.NotZero(t, carried[kind], kind)
	}
}
