package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/mutation"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

// mutateFlags are the flags of mutate.
type mutateFlags struct {
	golden, decision, justified, only string
	score                             float64
	workers                           int
	json                              bool
}

func newMutateCommand(p process) *cobra.Command {
	var f mutateFlags
	cmd := &cobra.Command{
		Use:   "mutate DIR [flags]",
		Short: "Measure what the tests of a policy are worth",
		Long: `Make small faults in the policy of DIR, one at a time, and see whether something notices each: a condition is negated or left
out, a rule or branch never holds, a comparison is a little wider or narrower, a constant is another one, an element is missing from
a list; in tables (data.yaml, data.json) a cell has another value and an entry is missing. A mutant is noticed (killed) if a server
would refuse to load it, if a golden decision of --golden differs, or if a Rego test fails. What does not compile is not counted.

Those that nothing noticed (survivors) are listed with file and line, each as soon as it is known. Each is a fault that nobody would
see, so write a test or a golden decision that sees it. Where there can be none, because the mutant decides the same, say so in the
file of --justified:

  - file: authz/denial.rego
    at: _reasons
    change: "left out: ` + "`not allow`" + `"
    reason: reasons are asked for only of what is not allowed

The members are those of a line of the list, "FILE:LINE: AT: CHANGE"; "times" says how many survivors it is about, if there are
several alike in one rule. A justification that matches no survivor is an error, so that none outlives its reason. The score is the
percentage of mutants that were noticed, of all without a justification.

Exit status: 0 the score is at least --score; 1 it is not, or a justification is wrong; 2 not measured.`,
		Example: `  wardkeeper mutate policies --golden testdata --justified testdata/mutants.yaml
  wardkeeper mutate policies --golden testdata --justified testdata/mutants.yaml --only authz/regional
  wardkeeper mutate my/policies --decision app/decision --score 80 --json`,
		Args: arguments("DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.golden, "golden", "", "hold mutants against the golden decisions of `DIR`, too")
	flags.StringVar(&f.justified, "justified", "", "`FILE` that says which survivors need not be noticed, and why")
	flags.StringVar(&f.only, "only", "", "try only mutants of files whose `PATH` in DIR begins so")
	flags.Float64Var(&f.score, "score", 95, "`PERCENT` that must be noticed")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "`NUMBER` of mutants that are tried at the same time")
	flags.StringVar(&f.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	flags.BoolVar(&f.json, "json", false, "print the result as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), p, args[0]) }
	return cmd
}

const maxMutateWorkers = 256

func (f *mutateFlags) run(ctx context.Context, p process, dir string) error {
	switch {
	case f.score < 0 || f.score > 100:
		return fmt.Errorf("--score is %v: use a percentage from 0 to 100", f.score)
	case f.workers < 1 || f.workers > maxMutateWorkers:
		return fmt.Errorf("--workers is %d: use a number from 1 to %d", f.workers, maxMutateWorkers)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%s is not a policy folder", dir), err)
	}
	progress := terminal.NewProgress(p.stderr)
	var failed error // of the list
	cfg := mutation.Config{
		Release: release.Config{Files: os.DirFS(dir), Source: dir, Entrypoint: f.decision, Schema: inputSchema()},
		Only:    f.only,
		Workers: f.workers,
		Progress: func(tried, all, unjustified int) {
			progress.Say(fmt.Sprintf("%d of %s tried, %s without a justification", tried, terminal.Count(all, "mutant"), terminal.Count(unjustified, "survivor")))
		},
		Survived: func(s mutation.Survivor) {
			if s.Justified != "" || f.json {
				return
			}
			progress.Clear()
			failed = errors.Join(failed, printLine(p.stdout, fmt.Sprintf("%s:%d: %s: %s", s.File, s.Line, s.At, s.Change)))
		},
	}
	if f.justified != "" {
		data, err := os.ReadFile(f.justified)
		if err != nil {
			return err
		}
		if cfg.Justified, err = mutation.ReadJustifications(data); err != nil {
			return fmt.Errorf("%s: %w", f.justified, err)
		}
	}
	if f.golden != "" {
		var err error
		if cfg.Golden, err = golden.ReadTree(os.DirFS(f.golden)); err != nil {
			return fmt.Errorf("the golden decisions of %s: %w", f.golden, err)
		}
	}
	result, err := mutation.Run(ctx, cfg)
	progress.Clear()
	if err != nil {
		return err
	}
	if result.Mutants == 0 {
		return errors.New("no mutant compiles: nothing was measured")
	}
	if err := errors.Join(failed, f.print(p, result)); err != nil {
		return err
	}
	stale := result.Stale(cfg)
	if stale != nil {
		stale = fmt.Errorf("%s: %w", f.justified, stale)
	}
	if stale != nil || result.Score() < f.score {
		return &exitError{statusNo, stale}
	}
	return nil
}

func (f *mutateFlags) print(p process, r *mutation.Result) error {
	if f.json {
		data, err := json.Marshal(struct {
			*mutation.Result
			Score    float64 `json:"score"`
			Required float64 `json:"required_score"`
		}{r, r.Score(), f.score})
		if err != nil {
			return err
		}
		return printLine(p.stdout, string(data))
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "mutants\t%d\tthat compile, of %d\n", r.Mutants, r.Mutants+r.DoNotCompile)
	fmt.Fprintf(w, "noticed\t%d\t%d when loaded, %d by golden decisions, %d by Rego tests\n", r.Killed(), r.KilledLoading, r.KilledGolden, r.KilledTests)
	fmt.Fprintf(w, "survivors\t%d\t%d of them justified\n", len(r.Survivors), len(r.Survivors)-len(r.Unjustified()))
	fmt.Fprintf(w, "score\t%.1f %%\tat least %v %% required\n", roundedDown(r.Score()), f.score)
	return w.Flush()
}
