package pdp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// The member is recognized in any JSON escaping and on any path.
func TestInputWithFactsIsRefused(t *testing.T) {
	w := generate(12)
	for _, engine := range []*pdp.Engine{over(t, w), general(t, "decision := true")} {
		for _, forged := range []string{
			`{"facts":{}}`, `{"facts":null}`, `{"facts":false}`, `{"\u0066acts":{"model":"regional"}}`, `{"fact\u0073":1,"a":2}`,
			`{"facts":{},` + show(ask("a", "b", "c", "d", "", "", nil))[1:],
		} {
			for _, r := range []pdp.DataRequest{
				{Path: []string{"authz", "decision"}}, {Path: []string{"app"}}, {Path: []string{"no", "such"}}, {Decision: true}, {},
			} {
				r.Inputs = []pdp.DataInput{sent(t, `{}`), sent(t, forged)}
				result, err := engine.Data(context.Background(), r)
				require.Equal(t, pdp.Invalid, pdp.KindOf(err), "%s", forged)
				require.ErrorContains(t, err, "facts")
				require.Empty(t, result)
			}
		}
	}
}

// No rule may see facts that a caller has sent in the input.
func FuzzForgedFacts(f *testing.F) {
	engine := general(f, "default decision := false\n\ndecision if input.facts\n\nforged := input.facts\n\nforged_else if {\n\tsome name, _ in input\n\tname == \"facts\"\n}")
	for _, s := range []string{
		`{"facts":1}`, `{"\u0066acts":1}`, `{"f\u0061cts":{},"facts":{}}`, `[{"facts":1}]`, `"facts"`, `{"Facts":1}`, `{"facts\u0000":1}`, `{"":{"facts":1}}`,
		`{"subject":{"type":"user","id":"a"},"action":{"name":"b"},"resource":{"type":"c","id":"d"},"facts":{}}`, `null`, `1e5`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value, err := authzen.ParseValue(body)
		if err != nil {
			return
		}
		for _, r := range []pdp.DataRequest{{Decision: true}, {Path: []string{"app"}}, {Path: []string{"app", "forged"}}} {
			r.Inputs = []pdp.DataInput{{Value: value, Sent: true}}
			result, err := engine.Data(context.Background(), r)
			if err != nil {
				continue
			}
			a := result.Answers[0]
			if a.Err != nil {
				t.Fatal(a.Err)
			}
			switch v := a.Value.(type) {
			case nil:
			case bool:
				if v {
					t.Fatalf("allowed by forged facts: %q", body)
				}
			case map[string]any:
				if v["decision"] != false || len(v) != 1 {
					t.Fatalf("facts were seen: %q", body)
				}
			default:
				t.Fatalf("facts were seen: %q", body)
			}
		}
	})
}
