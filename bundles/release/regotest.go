package release

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// testTimeout bounds one test. Some tests have thousands of cases, and the machine may be busy.
const testTimeout = 10 * time.Minute

// testRun is what the tests of a source tree share.
type testRun struct {
	compiler *ast.Compiler
	store    storage.Store
	read     storage.Transaction
	coverage *cover.Cover
}

// regoTest is a test, which may have cases: those of test_a[name] have names.
type regoTest struct {
	rule    *ast.Rule
	ref     ast.Ref // the rule's name: the end of the path below its package
	skipped bool

	// What evaluate finds.
	failed  bool
	cases   []string // those that failed
	printed string
	err     error
}

// newTestRun lets OPA's test runner compile the tests: it inserts a call at the start of each case. It does not evaluate them, since
// it copies all local variables at each step of a test that has cases, which takes four times as long as the tests themselves.
func (t *SourceTree) newTestRun(ctx context.Context) (*testRun, error) {
	modules := make(map[string]*ast.Module, len(t.modules))
	for _, m := range t.modules {
		modules[m.Parsed.Package.Location.File] = m.Parsed
	}
	run := &testRun{
		compiler: ast.NewCompiler().WithCapabilities(bundles.Capabilities()).WithEnablePrintStatements(true),
		store:    inmem.NewFromObjectWithOpts(t.content.Data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true)),
		coverage: cover.New(),
	}
	const none = `[^\s\S]` // no test's name
	results, err := tester.NewRunner().SetCompiler(run.compiler).SetStore(run.store).SetModules(modules).Filter(none).RunTests(ctx, nil)
	if err != nil {
		return nil, err
	}
	for range results { // until the runner has ended
	}
	run.read, err = run.store.NewTransaction(ctx)
	return run, err
}

// tests returns the tests in the order of their files and lines.
func (r *testRun) tests() []*regoTest {
	var all []*regoTest
	for _, module := range r.compiler.Modules {
		for _, rule := range module.Rules {
			if ref, skipped := testRef(rule); ref != nil {
				all = append(all, &regoTest{rule: rule, ref: ref, skipped: skipped})
			}
		}
	}
	slices.SortFunc(all, func(a, b *regoTest) int {
		x, y := a.rule.Location, b.rule.Location
		return cmp.Or(strings.Compare(x.File, y.File), cmp.Compare(x.Row, y.Row))
	})
	return all
}

// testRef returns the part of a rule's reference that makes it a test, or nil.
func testRef(rule *ast.Rule) (ref ast.Ref, skipped bool) {
	whole := rule.Head.Ref().GroundPrefix()
	for i, term := range whole {
		switch name := termText(term); {
		case strings.HasPrefix(name, tester.SkipTestPrefix):
			return whole[:i+1], true
		case strings.HasPrefix(name, tester.TestPrefix):
			return whole[:i+1], false
		}
	}
	return nil, false
}

func termText(t *ast.Term) string {
	if text, ok := t.Value.(ast.String); ok {
		return string(text)
	}
	return t.Value.String()
}

func (r *testRun) evaluate(ctx context.Context, test *regoTest) {
	ctx, cancel := context.WithTimeout(ast.WithCompiler(ctx, r.compiler), testTimeout)
	defer cancel()
	var printed bytes.Buffer
	var begun begunCases
	results, err := func() (rego.ResultSet, error) {
		query, err := rego.New(rego.Store(r.store), rego.Transaction(r.read), rego.Compiler(r.compiler),
			rego.Query(test.rule.Module.Package.Path.Extend(test.ref).String()), rego.PrintHook(topdown.NewPrintHook(&printed))).PrepareForEval(ctx)
		if err != nil {
			return nil, err
		}
		return query.Eval(ctx, rego.EvalTransaction(r.read), rego.EvalQueryTracer(r.coverage), rego.EvalQueryTracer(&begun))
	}()
	test.err, test.printed = err, printed.String()
	var result any // nil: undefined
	if len(results) > 0 {
		result = results[0].Expressions[0].Value
	}
	if cases, ok := result.(map[string]any); ok && test.rule.Head.DocKind() == ast.PartialObjectDoc {
		test.cases = failedCases(begun, cases)
		test.failed = err != nil || len(test.cases) > 0
		return
	}
	test.failed = err != nil || result != true
}

// begunCases records the names of the cases that a test begins. It is a tracer that needs no variables.
type begunCases [][]string

func (*begunCases) Enabled() bool { return true }

func (*begunCases) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (c *begunCases) TraceEvent(event topdown.Event) {
	if event.Op != topdown.TestCaseOp {
		return
	}
	parts, ok := event.Node.(*ast.Expr).Operand(0).Value.(*ast.Array)
	if !ok {
		return // a call that somebody wrote
	}
	var name []string
	parts.Foreach(func(part *ast.Term) { name = append(name, termText(part)) })
	*c = append(*c, name)
}

// failedCases returns the sorted names of the cases without a result and of those whose result is not true.
func failedCases(begun [][]string, results map[string]any) []string {
	failed := map[string]bool{}
	var collect func(name []string, result any)
	collect = func(name []string, result any) {
		if within, ok := result.(map[string]any); ok {
			for key, result := range within {
				collect(append(slices.Clip(name), key), result)
			}
			return
		}
		if result != true {
			failed[strings.Join(name, "/")] = true
		}
	}
	collect(nil, results)
	for _, name := range begun {
		var result any = results
		for _, part := range name {
			within, _ := result.(map[string]any)
			result = within[part]
		}
		if result == nil {
			failed[strings.Join(name, "/")] = true
		}
	}
	return slices.Sorted(maps.Keys(failed))
}

// failure describes a test that failed: where it is, its cases that failed, and what it printed.
func (t *regoTest) failure() string {
	text := fmt.Sprintf("%s:%d: %s.%s", strings.TrimPrefix(t.rule.Location.File, "/"), t.rule.Location.Row,
		strings.TrimPrefix(t.rule.Module.Package.Path.String(), "data."), t.ref)
	if t.err != nil {
		return text + " cannot be evaluated: " + strings.Join(strings.Fields(t.err.Error()), " ")
	}
	text += " fails"
	if len(t.cases) > 0 {
		text += ": " + strings.Join(t.cases, ", ")
	}
	if printed := strings.TrimSpace(t.printed); printed != "" {
		text += "\n" + printed
	}
	return text
}
