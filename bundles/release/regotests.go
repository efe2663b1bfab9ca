package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// testTimeout bounds one test. Some tests have thousands of cases, and the machine may be busy.
const testTimeout = 10 * time.Minute

// TestReport is the result of the tests of a source tree.
type TestReport struct {
	Ran       int      // how many tests ran
	Skipped   int      // how many are yet to be written (todo_test_...)
	Failed    []string // a line for each failed test, with file and line, and what the test printed
	Coverage  float64  // percentage of the policy's lines that the tests reach; the tests' own lines do not count
	Uncovered []string // a line for each file with lines that no test reaches
}

// Test runs the Rego tests under the same capabilities as the policy. An error means that they could not run.
func (t *SourceTree) Test(ctx context.Context) (*TestReport, error) {
	modules := make(map[string]*ast.Module, len(t.modules))
	for _, m := range t.modules {
		modules[m.Parsed.Package.Location.File] = m.Parsed
	}
	store := inmem.NewFromObjectWithOpts(t.content.Data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	read, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, read)
	coverage := cover.New()
	results, err := tester.NewRunner().
		SetCompiler(ast.NewCompiler().WithCapabilities(bundles.Capabilities()).WithEnablePrintStatements(true)).
		SetStore(store).
		SetModules(modules).
		SetTimeout(testTimeout).
		SetCoverageQueryTracer(coverage).
		SetCoverageRuns(nil).
		RunTests(ctx, read)
	if err != nil {
		return nil, err
	}
	report := &TestReport{}
	var failed []*tester.Result
	for result := range results {
		switch {
		case result.Skip:
			report.Skipped++
			continue
		case !result.Pass():
			failed = append(failed, result)
		}
		report.Ran++
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(failed, func(a, b *tester.Result) int {
		return cmp.Or(strings.Compare(a.Location.File, b.Location.File), a.Location.Row-b.Location.Row)
	})
	for _, result := range failed {
		report.Failed = append(report.Failed, failure(result))
	}
	report.cover(coverage, t)
	return report, nil
}

func failure(result *tester.Result) string {
	text := fmt.Sprintf("%s:%d: %s.%s", strings.TrimPrefix(result.Location.File, "/"), result.Location.Row,
		strings.TrimPrefix(result.Package, "data."), result.Name)
	if result.Error != nil {
		return text + " cannot be evaluated: " + strings.Join(strings.Fields(result.Error.Error()), " ")
	}
	var cases []string
	for name, sub := range result.SubResults.Iter {
		if sub.Fail && len(sub.SubResults) == 0 {
			cases = append(cases, strings.Join(name, "/"))
		}
	}
	text += " fails"
	if len(cases) > 0 {
		text += ": " + strings.Join(cases, ", ")
	}
	if printed := strings.TrimSpace(string(result.Output)); printed != "" {
		text += "\n" + printed
	}
	return text
}

// cover counts the lines of the policy that the tests reached.
func (r *TestReport) cover(coverage *cover.Cover, t *SourceTree) {
	policy := make(map[string]*ast.Module, len(t.content.Modules))
	for _, m := range t.content.Modules {
		policy[m.Parsed.Package.Location.File] = m.Parsed
	}
	found := coverage.Report(policy)
	covered, all := 0, 0
	for _, m := range t.content.Modules {
		file := found.Files[m.Parsed.Package.Location.File]
		if file == nil {
			continue
		}
		covered += file.CoveredLines
		all += file.CoveredLines + file.NotCoveredLines
		if len(file.NotCovered) > 0 {
			r.Uncovered = append(r.Uncovered, fmt.Sprintf("%s: no test reaches %s",
				strings.TrimPrefix(m.Path, "/"), lines(file.NotCovered)))
		}
	}
	slices.Sort(r.Uncovered)
	r.Coverage = 100
	if all > 0 {
		r.Coverage = 100 * float64(covered) / float64(all)
	}
}

// lines names ranges of lines, such as "lines 3, 7-9".
func lines(ranges []cover.Range) string {
	var all []string
	for _, r := range ranges {
		text := fmt.Sprint(r.Start.Row)
		if r.End.Row > r.Start.Row {
			text = fmt.Sprintf("%d-%d", r.Start.Row, r.End.Row)
		}
		if len(all) == 0 || all[len(all)-1] != text {
			all = append(all, text)
		}
	}
	if len(all) == 1 && !strings.Contains(all[0], "-") {
		return "line " + all[0]
	}
	return "lines " + strings.Join(all, ", ")
}
