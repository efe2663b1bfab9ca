package decisionrecord_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// people have names, usernames and an id that is an address. The ids of the others are none.
const people = `
locations:
  - {id: smile, name: Smile Dental, kind: group, model: practice_group}
  - {id: smile-a, name: Smile A, kind: practice, parent: smile}
users:
  - {id: olga, username: Olga.Canary@example.org, name: {given: Olga, family: Canaryfield}, assignments: [{location: smile, role: owner}]}
  - {id: pia.canary@example.org, username: piacanary, name: {given: Pia, family: Canaryfield}, assignments: [{location: smile, role: practitioner, access: {level: full}}]}
  - {id: newcomer, username: New.Canary@example.org, name: {given: New, family: Canaryfield}}
`

// questionsOfPeople are questions in every member of which something private is, with the answers.
var questionsOfPeople = map[string]string{
	`{"subject":{"type":"user","id":"olga","properties":{"email":"olga.canary@example.org","Olga Canaryfield":1}},"action":{"name":"user.edit","properties":{"note":"about Canaryfield"}},` +
		`"resource":{"type":"user","id":"pia.canary@example.org","properties":{"location":"Canaryfield Street 1"}},"context":{"current_location":"smile","comment":"Canaryfield called","at":["Canaryfield x"]}}`: decisionrecord.Denied,
	`{"subject":{"type":"user","id":"olga"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"pia.canary@example.org"},"context":{"current_location":"smile","confirmed":true}}`:                                                                   decisionrecord.Allowed,
	`{"subject":{"type":"user","id":"pia.canary@example.org"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"olga"},"context":{"current_location":"smile"}}`:                                                                                    decisionrecord.Denied,
	`{"subject":{"type":"user","id":"olga"},"action":{"name":"user.deactivate"},"resource":{"type":"user","id":"pia.canary@example.org"},"context":{"current_location":"smile"}}`:                                                                              decisionrecord.Allowed,
	invite("newbie", `"new":true,"name":{"given":"Zoraida","family":"Canaryfield","title":"Dr Canaryfield"},"username":"zoraida.canary@example.org","username_confirmation":"Zoraida.Canary@example.org","password_supplied":true,"password":"canary secret"`): decisionrecord.Allowed,
	invite("newbie", `"new":true,"name":{"given":"Zoraida"},"username":"zoraidacanary ","username_confirmation":"other canary","password_supplied":"canary secret"`):                                                                                           decisionrecord.Denied,
	invite("newbie", `"new":true,"name":"Zoraida Canaryfield","username":["zoraidacanary x"],"username_confirmation":{"a canary":"b canary"},"password_supplied":true`):                                                                                        decisionrecord.Denied,
	invite("New.Canary@example.org", `"username":"new.canary@example.org","username_confirmation":"NEW.CANARY@example.org"`):                                                                                                                                   decisionrecord.Allowed,
	invite("piacanary", `"username":"piacanary","username_confirmation":"piacanary"`):                                                                                                                                                                          decisionrecord.Denied,
}

func invite(id, properties string) string {
	return `{"subject":{"type":"user","id":"olga"},"action":{"name":"user.invite","properties":{"role":"practitioner","profession":"dentist","level":"full","registration_number":"canary 471147114711",` +
		`"locations":["smile-a"],` + properties + `}},"resource":{"type":"user","id":"` + id + `"},"context":{"current_location":"smile"}}`
}

func TestRecordsAreReplayedToTheSameAnswers(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]decisionrecord.Config{"ids": {}, "pseudonyms": {Pseudonyms: true, Key: []byte("key")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s sink
			cfg.Sink = &s
			e := engine(t, builtIn(), parsed(t, people), cfg)
			for text, outcome := range questionsOfPeople {
				d, err := e.Decide(t.Context(), question(t, text))
				require.NoError(t, err)
				record, entry := s.last(t)
				require.Equal(t, outcome, entry.Outcome, "%s\n%v", text, d)
				is, same, err := entry.Replay(t.Context(), builtIn())
				require.NoError(t, err)
				require.True(t, same, "%s\n%s\n%v is %v", text, record, entry.Answer, is)
				require.Len(t, is.Reasons, len(d.Reasons))
				require.Len(t, is.Obligations, len(d.Obligations))
				require.Len(t, is.Advice, len(d.Advice))
			}
		})
	}
}

func TestRecordsHaveNothingPrivate(t *testing.T) {
	t.Parallel()
	var s sink
	e := engine(t, builtIn(), parsed(t, people), decisionrecord.Config{Sink: &s})
	caller := pdp.Caller{Door: "authzen", Name: "canary@example.org", RequestID: "about Zoraida Canaryfield"}
	ctx := pdp.WithCaller(t.Context(), caller)
	var items []pdp.Item
	for text := range questionsOfPeople {
		q := question(t, text)
		items = append(items, pdp.Item{Request: q})
		if q.Resource.ID == "piacanary" {
			q.Resource.ID = "pia" // without its username beside it, it could be an id
		}
		search := pdp.SearchRequest{Subject: q.Subject, Action: q.Action, Resource: q.Resource, Context: q.Context,
			Page: &authzen.Page{Properties: map[string]any{"query": "canary", "fields": []any{"username", "name"}}}}
		_, _ = e.SearchSubjects(ctx, search)
		_, _ = e.SearchResources(ctx, search)
		_, _ = e.SearchActions(ctx, search)
		value, err := authzen.ParseValue([]byte(text))
		require.NoError(t, err)
		for _, path := range [][]string{{"authz", "decision"}, {"authz", "Zoraida Canaryfield"}, {"authz"}} {
			_, err := e.Data(ctx, pdp.DataRequest{Path: path, Inputs: []pdp.DataInput{{Value: value, Sent: true}, {Value: "Zoraida Canaryfield", Sent: true}}})
			require.NoError(t, err)
		}
	}
	_, err := e.DecideAll(ctx, items, authzen.ExecuteAll)
	require.NoError(t, err)
	require.Len(t, s.records, 10*len(questionsOfPeople))
	for _, record := range s.records {
		require.NotRegexp(t, `(?i)canary|zoraida|secret|471147114711|@`, record)
	}
}

func TestPseudonymsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	var s sink
	e := engine(t, builtIn(), parsed(t, people), decisionrecord.Config{Sink: &s, Key: []byte("key"), Pseudonyms: true})
	_, err := e.Decide(t.Context(), question(t, `{"subject":{"type":"user","id":"olga"},"action":{"name":"user.deactivate"},"resource":{"type":"user","id":"pia.canary@example.org"},"context":{"current_location":"smile"}}`))
	require.NoError(t, err)
	text, entry := s.last(t)
	olga, pia := decisionrecord.Pseudonym([]byte("key"), "olga"), decisionrecord.Pseudonym([]byte("key"), "pia.canary@example.org")
	require.NotContains(t, text, "olga")
	require.NotEqual(t, olga, decisionrecord.Pseudonym([]byte("other"), "olga"))
	require.Equal(t, olga, entry.Subject())
	require.Equal(t, pia, entry.Resource())
	require.Equal(t, olga, entry.Facts["subject"].(map[string]any)["id"])
	require.Equal(t, pia, entry.Facts["user"].(map[string]any)["id"])
	require.Equal(t, pia, entry.Answer.Obligations[0].(map[string]any)["properties"].(map[string]any)["subject"])
	require.Equal(t, "smile", entry.Facts["organization"].(map[string]any)["id"], "locations are no people")
	require.Contains(t, text, `"versions":[{"type":"organization","id":"smile","version":1},{"type":"user","id":"`+olga+`","version":1},{"type":"user","id":"`+pia)
}

func TestRecordOfEachKind(t *testing.T) {
	t.Parallel()
	var s sink
	e := engine(t, builtIn(), bench(t), decisionrecord.Config{Sink: &s})
	q := question(t, edit)
	ctx := pdp.WithCaller(t.Context(), pdp.Caller{Door: "opa", Name: "[::1]:1234", RequestID: "r-1"})
	value, err := authzen.ParseValue([]byte(edit))
	require.NoError(t, err)

	_, err = e.SearchResources(ctx, pdp.SearchRequest{Subject: q.Subject, Action: q.Action, Resource: authzen.Entity{Type: "user"}, Context: q.Context})
	require.NoError(t, err)
	text, entry := s.last(t)
	require.Equal(t, &decisionrecord.Search{For: "resource", Count: 2, Hits: []string{"ed", "regina"}}, entry.Search)
	require.Equal(t, []string{"opa", "[::1]:1234", "r-1"}, []string{entry.Door, entry.Caller, entry.Request})
	require.NotContains(t, text, "facts")
	_, _, err = entry.Replay(t.Context(), builtIn())
	require.ErrorIs(t, err, decisionrecord.ErrCannotReplay)

	_, err = e.SearchActions(ctx, pdp.SearchRequest{Subject: q.Subject, Resource: q.Resource, Context: q.Context})
	require.NoError(t, err)
	_, entry = s.last(t)
	require.Contains(t, entry.Search.Hits, "user.edit")

	_, err = e.Data(ctx, pdp.DataRequest{Path: []string{"authz", "allow"}, Inputs: []pdp.DataInput{{Value: value, Sent: true}}})
	require.NoError(t, err)
	text, entry = s.last(t)
	require.Equal(t, []string{"authz", "allow"}, entry.Document)
	require.Equal(t, decisionrecord.Answered, entry.Outcome)
	require.Equal(t, "regina", entry.Subject())
	require.Contains(t, text, `"value":false`)

	_, err = e.DecideAll(ctx, []pdp.Item{{Request: q}, {Err: &pdp.Error{Kind: pdp.Invalid, Message: "Zoraida"}}}, authzen.ExecuteAll)
	require.NoError(t, err)
	var outcomes []string
	batches := map[string]bool{}
	for _, record := range s.records[len(s.records)-2:] {
		var item struct {
			Outcome string
			Batch   struct {
				ID          string
				Index, Size int
			}
		}
		require.NoError(t, json.Unmarshal([]byte(record), &item))
		outcomes = append(outcomes, fmt.Sprintf("%d %d %s", item.Batch.Index, item.Batch.Size, item.Outcome))
		batches[item.Batch.ID] = true
	}
	require.ElementsMatch(t, []string{"0 2 allowed", "1 2 error"}, outcomes)
	require.Len(t, batches, 1)

	without := engine(t, builtIn(), bench(t), decisionrecord.Config{Sink: &s, LeaveOutFacts: true})
	_, err = without.Decide(ctx, q)
	require.NoError(t, err)
	text, entry = s.last(t)
	require.NotContains(t, text, `"facts":`)
	require.Contains(t, text, `"version":1`)
	_, _, err = entry.Replay(t.Context(), builtIn())
	require.ErrorContains(t, err, "its facts were left out")

	s.err = errFull
	_, err = e.Decide(ctx, q)
	require.ErrorIs(t, err, errFull)
	_, err = e.DecideAll(ctx, []pdp.Item{{Request: q}, {Request: q}}, authzen.ExecuteAll)
	require.ErrorIs(t, err, errFull)
}

func TestNamesOfWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	var s sink
	e := engine(t, builtIn(), bench(t), decisionrecord.Config{Sink: &s})
	_, err := e.Decide(t.Context(), question(t, `{"subject":{"type":"user","id":"regina","properties":{"ip":1}},"action":{"name":"user.edit","properties":{"x":{"y":2}}},"resource":{"type":"user","id":"ed","properties":{"Jane Doe":1}},"context":{"z":3}}`))
	require.NoError(t, err)
	text, _ := s.last(t)
	require.Contains(t, text, `"left_out":["action.properties.x","context.z","subject.properties.ip"]`)
	require.False(t, strings.Contains(text, "Jane"))
}

// Facts are kept as they are written, so a replaced key must replace them too.
func TestAReplacedKeyMakesOtherPseudonymsEverywhere(t *testing.T) {
	t.Parallel()
	var s sink
	before, after := []byte("the key before"), []byte("the key after")
	r := decisionrecord.New(decisionrecord.Config{Sink: &s, Pseudonyms: true, Key: before})
	e := pdp.New(pdp.Config{Policy: builtIn(), Source: fixed{bench(t)}, Timeout: time.Minute, Recorder: r})
	for _, key := range [][]byte{before, after} {
		r.SetKey(key)
		_, err := e.Decide(t.Context(), question(t, edit))
		require.NoError(t, err)
		text, entry := s.last(t)
		require.Equal(t, decisionrecord.Pseudonym(key, "regina"), entry.Subject())
		require.Equal(t, decisionrecord.Pseudonym(key, "regina"), entry.Facts["subject"].(map[string]any)["id"])
		other := before
		if bytes.Equal(key, before) {
			other = after
		}
		require.NotContains(t, text, decisionrecord.Pseudonym(other, "regina"))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id":"1","outcome":"denied","question":{"subject":{"id":"a"}},"answer":{"allow":false,"reasons":[{"code":"x"}]}}`)
	f.Add(`{"question":[],"answer":{"obligations":[null,1,"~x"]}}`)
	f.Add(`{"question":{"action":{"properties":{"role":1e999}}},"facts":{"user":null},"answer":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		entry, err := decisionrecord.Parse([]byte(text))
		if err != nil {
			return
		}
		_ = entry.Summary() + entry.Subject() + entry.Action() + entry.Resource() + entry.ResourceType() + entry.Place() + entry.From()
		if is, same, err := entry.Replay(t.Context(), builtIn()); err == nil && same {
			require.Equal(t, entry.Answer.Allow, is.Allow)
		}
	})
}
