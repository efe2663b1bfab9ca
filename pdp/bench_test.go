package pdp_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// builtIn returns an engine with the built-in policy over a file in testdata/directories.
func builtIn(tb testing.TB, file string) *pdp.Engine {
	tb.Helper()
	return withSource(tb, fixed{sample(tb, file)})
}

// sample returns the directory in a file in testdata/directories.
func sample(tb testing.TB, file string) facts.View {
	tb.Helper()
	data, err := os.ReadFile("../testdata/directories/" + file)
	require.NoError(tb, err)
	dir, err := directory.Parse(data, vocabulary())
	require.NoError(tb, err)
	return dir
}

// fixed is a source whose directory never changes.
type fixed struct{ view facts.View }

func (f fixed) View(context.Context, facts.Requirement) (facts.View, error) { return f.view, nil }

func ask(subject, action, resourceType, resource, location, current string, properties map[string]any) pdp.Request {
	r := pdp.Request{
		Subject:  authzen.Entity{Type: "user", ID: subject},
		Action:   authzen.Action{Name: action, Properties: properties},
		Resource: authzen.Entity{Type: resourceType, ID: resource},
		Context:  map[string]any{"current_location": current},
	}
	if location != "" {
		r.Resource.Properties = map[string]any{"location": location}
	}
	return r
}

// asked is a question about bench.yaml with the expected answer.
type asked struct {
	name    string
	request pdp.Request
	allow   bool
	code    string
}

// askedOfEach returns, for each model, an allow, a denial at stage 3, and a denial at stage 2 with the advice of ALL-11.
func askedOfEach() []asked {
	return []asked{
		{"regional/allow", ask("regina", "user.edit", "user", "ed", "", "metro", nil), true, ""},
		{"regional/allow-remove", ask("regina", "assignment.remove", "user", "ed", "ghi", "metro", nil), true, ""},
		{"regional/stage3", ask("regina", "assignment.remove", "user", "ed", "abc", "metro", nil), false, "default_location"},
		{"regional/stage2", ask("regina", "assignment.remove", "user", "ed", "ghi", "north", nil), false, "other_location"},
		{"health_system/allow", ask("hanna", "user.edit", "user", "hugo", "", "mercy", nil), true, ""},
		{"health_system/stage3", ask("hanna", "user.invite", "user", "hugo", "", "mercy", nil), false, "already_assigned"},
		{"health_system/stage2", ask("hanna", "user.edit", "user", "hugo", "mercy", "grace", nil), false, "other_location"},
		{"practice_group/allow", ask("olga", "user.edit", "user", "pia", "", "smile", nil), true, ""},
		{"practice_group/stage3", ask("olga", "assignment.add", "user", "pia", "smile-a", "smile", map[string]any{"role": "owner"}), false, "already_assigned"},
		{"practice_group/stage2", ask("pia", "user.edit", "user", "olga", "", "smile", nil), false, "area_required"},
		{"vendor/allow", ask("vera", "entity.create", "location", "new-entity", "", "acme", nil), true, ""},
		{"vendor/stage3", ask("vera", "entity.create", "location", "mercy", "", "acme", nil), false, "existing_location"},
		{"vendor/stage2", ask("hanna", "entity.create", "location", "new-entity", "", "mercy", nil), false, "vendor_only"},
	}
}

// BenchmarkDecide measures one decision whose facts are cached, with each evaluator.
func BenchmarkDecide(b *testing.B) {
	view := sample(b, "bench.yaml")
	r := open(b, policies.Files(), "authz/decision")
	interpreted, err := pdp.PrepareInterpreted(b.Context(), r)
	require.NoError(b, err)
	evaluated := []*pdp.Policy{prepared(b, r), interpreted}
	for _, question := range askedOfEach() {
		for _, policy := range evaluated {
			engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: policy, Source: fixed{view}})
			b.Run(question.name+"/"+policy.Evaluator().Name, func(b *testing.B) {
				ctx := context.Background()
				d, err := engine.Decide(ctx, question.request)
				require.NoError(b, err)
				require.Equal(b, question.allow, d.Allow, "%v", d)
				if question.code != "" {
					require.Equal(b, question.code, d.Reasons[0].(map[string]any)["code"], "%v", d)
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := engine.Decide(ctx, question.request); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkBatch1000 measures a batch of 1,000 different questions of one subject, of which most are allowed. It reports the
// time per question.
func BenchmarkBatch1000(b *testing.B) {
	engine := withSource(b, fixed{manyUsers(b, 1000)})
	items := make([]pdp.Item, 1000)
	for i := range items {
		items[i].Request = ask("regina", "user.edit", "user", fmt.Sprintf("u%06d", i), "", "metro", nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		outcomes, err := engine.DecideAll(context.Background(), items, authzen.ExecuteAll)
		if err != nil || len(outcomes) != len(items) || !outcomes[0].Decision.Allow {
			b.Fatal(outcomes[0], err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(items)), "ns/question")
}

// BenchmarkPage1000 measures a page of 1,000 users whom a subject may edit. It reports the time per user.
func BenchmarkPage1000(b *testing.B) {
	engine := withSource(b, fixed{manyUsers(b, 1100)})
	r := pdp.SearchRequest{
		Subject: authzen.Entity{Type: "user", ID: "regina"}, Action: authzen.Action{Name: "user.edit"},
		Resource: authzen.Entity{Type: "user"}, Context: map[string]any{"current_location": "metro"}, Page: &authzen.Page{Limit: new(1000)},
	}
	b.ReportAllocs()
	for b.Loop() {
		result, err := engine.SearchResources(context.Background(), r)
		if err != nil || len(result.Hits) != 1000 {
			b.Fatal(len(result.Hits), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/user")
}

// BenchmarkActivate measures how long it takes until a policy can decide, from its files, and the memory that it then holds.
func BenchmarkActivate(b *testing.B) {
	for _, prepare := range []func(context.Context, *bundles.Revision) (*pdp.Policy, error){pdp.PrepareInterpreted, pdp.Prepare} {
		activate := func() *pdp.Policy {
			p, err := prepare(b.Context(), open(b, policies.Files(), "authz/decision"))
			require.NoError(b, err)
			return p
		}
		b.Run(activate().Evaluator().Name, func(b *testing.B) {
			const held = 10
			kept := make([]*pdp.Policy, held)
			before := liveHeap()
			for i := range kept {
				kept[i] = activate()
			}
			after := liveHeap()
			runtime.KeepAlive(kept)
			b.ReportAllocs()
			for b.Loop() {
				activate()
			}
			b.ReportMetric(float64(after-before)/held/1024, "KiB/policy")
		})
	}
}

// liveHeap returns the bytes of the objects that are in use.
func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
