package release

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
)

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
	run, err := t.newTestRun(ctx)
	if err != nil {
		return nil, err
	}
	defer run.store.Abort(ctx, run.read)
	tests := run.tests()
	work := make(chan *regoTest)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(tests)) {
		workers.Go(func() {
			for test := range work {
				run.evaluate(ctx, test)
			}
		})
	}
	report := &TestReport{}
	for _, test := range tests {
		if test.skipped {
			report.Skipped++
			continue
		}
		report.Ran++
		work <- test
	}
	close(work)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, test := range tests {
		if test.failed {
			report.Failed = append(report.Failed, test.failure())
		}
	}
	report.cover(run.coverage, t)
	return report, nil
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
