package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

// Suite is the tests of a source tree, ready to be run on changed policies, one after another. What can be compiled is (package
// bundles/plan), which is ten times as fast as OPA's test runner. It is safe for concurrent use.
type Suite struct {
	tree     *SourceTree
	compiled []compiledTest
	modules  map[string]*ast.Module // the tests that are compiled, and what they use
	// slow are the tests that only the interpreter can run, such as those that replace data; each with the files of the policy that
	// it reaches.
	slow map[string]map[string]bool
}

// compiledTest is a test with its value on the policy as it is.
type compiledTest struct {
	name   string
	ref    ast.Ref
	folder string
	cases  bool // whether it has cases
	value  ast.Value
}

// Suite prepares the tests, after [SourceTree.Compile]. It fails if a test fails.
func (t *SourceTree) Suite(ctx context.Context) (*Suite, error) {
	run, err := t.newTestRun(ctx)
	if err != nil {
		return nil, err
	}
	defer run.store.Abort(ctx, run.read)
	s := &Suite{tree: t, slow: map[string]map[string]bool{}, modules: map[string]*ast.Module{}}
	if err := s.prepare(ctx, run); err != nil {
		return nil, err
	}
	tests := slices.DeleteFunc(run.tests(), func(test *regoTest) bool { return test.skipped })
	reached := make([]map[string]bool, len(tests))
	inParallel(len(tests), func(i int) {
		own := *run
		own.coverage = cover.New()
		own.evaluate(ctx, tests[i])
		reached[i] = t.reached(own.coverage)
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var failed []error
	for i, test := range tests {
		if test.failed {
			failed = append(failed, errors.New(test.failure()))
		}
		if !slices.ContainsFunc(s.compiled, func(c compiledTest) bool { return c.name == test.name() }) {
			s.slow[test.name()] = reached[i]
		}
	}
	return s, errors.Join(failed...)
}

// inParallel calls a function for each number below n, as many at once as there are processors.
func inParallel(n int, do func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}

// prepare finds the tests that can be compiled, and their values on the policy as it is.
func (s *Suite) prepare(ctx context.Context, run *testRun) error {
	interpreted, err := interpretedOnly(run.compiler, s.tree.content.Data)
	if err != nil {
		return err
	}
	for _, m := range s.tree.modules[len(s.tree.content.Modules):] {
		kept := m.Parsed.Copy()
		kept.Rules = slices.DeleteFunc(kept.Rules, func(r *ast.Rule) bool { return interpreted[place(r)] })
		s.modules[m.Path] = kept
	}
	c, err := s.compiler(ctx, s.tree.content)
	if err != nil {
		return fmt.Errorf("the tests cannot be compiled: %w", err)
	}
	defer c.close(ctx)
	return s.keep(ctx, c, s.find(c.Compiler))
}

// keep keeps those of the tests that can be compiled. It finds the others by halves.
func (s *Suite) keep(ctx context.Context, c *testCompiler, tests []compiledTest) error {
	programs, err := c.programs(ctx, tests)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && len(tests) == 1:
		return nil
	case err != nil:
		half := len(tests) / 2
		return errors.Join(s.keep(ctx, c, tests[:half]), s.keep(ctx, c, tests[half:]))
	}
	for i, test := range tests {
		value, err := programs[i].Value(ctx, input.New())
		if err == nil && value != nil { // otherwise the interpreter says what is wrong
			test.value = value.Value
			s.compiled = append(s.compiled, test)
		}
	}
	return ctx.Err()
}

// place names a rule by where it stands.
func place(r *ast.Rule) string { return r.Location.String() }

func (t *regoTest) name() string {
	return strings.TrimPrefix(t.rule.Module.Package.Path.Extend(t.ref).String(), "data.")
}

// interpretedOnly returns the rules that cannot be compiled, such as those that replace data, and those that depend on them.
func interpretedOnly(c *ast.Compiler, data map[string]any) (map[string]bool, error) {
	value, err := ast.InterfaceToValue(data)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var add func(r *ast.Rule)
	add = func(r *ast.Rule) {
		if found[place(r)] {
			return
		}
		found[place(r)] = true
		for dependent := range c.Graph.Dependents(r) {
			if rule, ok := dependent.(*ast.Rule); ok {
				add(rule)
			}
		}
	}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			if !plan.CompilesRule(r, c, value) {
				add(r)
			}
		}
	}
	return found, nil
}

// reached returns the files of the policy in which tests reached a line.
func (t *SourceTree) reached(coverage *cover.Cover) map[string]bool {
	policy := make(map[string]*ast.Module, len(t.content.Modules))
	for _, m := range t.content.Modules {
		policy[m.Parsed.Package.Location.File] = m.Parsed
	}
	files := map[string]bool{}
	for name, report := range coverage.Report(policy).Files {
		if report.CoveredLines > 0 {
			files[strings.TrimPrefix(name, "/")] = true
		}
	}
	return files
}

// find returns the tests of the modules that are to be compiled.
func (s *Suite) find(c *ast.Compiler) []compiledTest {
	var tests []compiledTest
	for _, name := range slices.Sorted(maps.Keys(s.modules)) {
		m := c.Modules[name]
		seen := map[string]bool{}
		for _, r := range m.Rules {
			ref, skipped := testRef(r)
			if ref == nil || skipped || seen[ref.String()] {
				continue
			}
			seen[ref.String()] = true
			whole := m.Package.Path.Extend(ref)
			tests = append(tests, compiledTest{name: strings.TrimPrefix(whole.String(), "data."), ref: whole, folder: path.Dir(strings.TrimPrefix(name, "/")),
				cases: r.Head.DocKind() == ast.PartialObjectDoc})
		}
	}
	return tests
}

// testCompiler compiles tests on one policy.
type testCompiler struct {
	*ast.Compiler
	store storage.Store
	read  storage.Transaction
}

func (s *Suite) compiler(ctx context.Context, content *bundles.Content) (*testCompiler, error) {
	modules := maps.Clone(s.modules)
	for _, m := range content.Modules {
		modules[m.Path] = m.Parsed
	}
	c := &testCompiler{Compiler: ast.NewCompiler().WithCapabilities(bundles.Capabilities())}
	if c.Compile(modules); c.Failed() {
		return nil, c.Errors
	}
	c.store = inmem.NewFromObjectWithOpts(content.Data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	var err error
	c.read, err = c.store.NewTransaction(ctx)
	return c, err
}

func (c *testCompiler) close(ctx context.Context) { c.store.Abort(ctx, c.read) }

func (c *testCompiler) programs(ctx context.Context, tests []compiledTest) ([]*plan.Program, error) {
	if len(tests) == 0 {
		return nil, nil
	}
	refs := make([]ast.Ref, len(tests))
	for i, test := range tests {
		refs[i] = test.ref
	}
	return plan.CompileRules(ctx, plan.Config{Compiler: c.Compiler, Store: c.store, Txn: c.read}, refs)
}

// FirstFailure runs the tests on the policy with one file replaced until one fails, and names that one; "" if none does. The
// file must compile. A case that a test makes out of the policy itself, and that fails, is not noticed where the change adds it.
func (s *Suite) FirstFailure(ctx context.Context, changed bundles.File) (failed string, err error) {
	files := slices.Clone(s.tree.policy.Files)
	for i := range files {
		if files[i].Name == changed.Name {
			files[i] = changed
		}
	}
	archive, err := bundles.NewArchive(files)
	if err != nil {
		return "", err
	}
	content, err := bundles.Parse(archive)
	if err != nil {
		return "", err
	}
	failed, doubtful, err := s.firstCompiled(ctx, content, path.Dir(changed.Name))
	if err != nil || failed != "" {
		return failed, err
	}
	for name, files := range s.slow {
		if files[changed.Name] || !strings.HasSuffix(changed.Name, ".rego") {
			doubtful[name] = true
		}
	}
	if len(doubtful) == 0 {
		return "", nil
	}
	tree := *s.tree
	tree.content = content
	tree.modules = slices.Concat(content.Modules, s.tree.modules[len(s.tree.content.Modules):])
	return tree.firstInterpreted(ctx, doubtful)
}

// firstCompiled also returns the tests of which only the interpreter knows whether they fail: their cases are others, or rules
// contradict each other. If the tests cannot be compiled on this policy, these are all.
func (s *Suite) firstCompiled(ctx context.Context, content *bundles.Content, folder string) (failed string, doubtful map[string]bool, err error) {
	doubtful = map[string]bool{}
	programs, err := s.programs(ctx, content)
	if err != nil {
		for _, test := range s.compiled {
			doubtful[test.name] = true
		}
		return "", doubtful, ctx.Err()
	}
	for _, near := range []bool{true, false} { // those beside the file are the likeliest to fail
		for i, test := range s.compiled {
			if (test.folder == folder) != near {
				continue
			}
			value, err := programs[i].Value(ctx, input.New())
			switch {
			case ctx.Err() != nil:
				return "", nil, ctx.Err()
			case err != nil || test.cases && (value == nil || value.Value.Compare(test.value) != 0):
				doubtful[test.name] = true
			case value == nil || value.Value.Compare(test.value) != 0:
				return test.name, nil, nil
			}
		}
	}
	return "", doubtful, nil
}

func (s *Suite) programs(ctx context.Context, content *bundles.Content) ([]*plan.Program, error) {
	c, err := s.compiler(ctx, content)
	if err != nil {
		return nil, err
	}
	defer c.close(ctx)
	return c.programs(ctx, s.compiled)
}

// firstInterpreted runs the named tests until one fails.
func (t *SourceTree) firstInterpreted(ctx context.Context, names map[string]bool) (failed string, err error) {
	run, err := t.newTestRun(ctx)
	if err != nil {
		return "", err
	}
	defer run.store.Abort(ctx, run.read)
	for _, test := range run.tests() {
		if test.skipped || !names[test.name()] {
			continue
		}
		if run.evaluate(ctx, test); test.failed && ctx.Err() == nil {
			return test.name(), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", nil
}
