package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/gitcommit"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

// build is what `wardkeeper bundle build` was told.
type build struct {
	dir, output, golden, decision string
	release                       release.Metadata
	roots                         []string
	coverage                      float64
	signing                       signing
}

func newBundleBuildCommand(p process) *cobra.Command {
	var b build
	cmd := &cobra.Command{
		Use:   "build DIR [flags]",
		Short: "Check a tree of policy and make a bundle of it",
		Long: `Check a tree of policy and make a bundle of it. In this order, and no further than the first that finds a fault: the
policy compiles strictly, together with its tests; every Rego file is formatted; the Rego tests pass, and reach enough
of the policy's lines; and a server would take the bundle: its tables, a decision on a question that nobody asks, and
every golden decision.

The bundle has the policy's Rego and data files as they are, without tests (*_test.rego). With --golden it brings the
decisions of DIR/decisions/**.yaml, over the directories DIR/directories/*.yaml that they name, and no server takes it
that decides one of them otherwise.

Revision and sequence come from git: the commit of HEAD, and its time in seconds since 1970. The files are then those of
the commit, byte by byte; a folder that differs from it is refused. With both --revision and --sequence the files are those
of the folder. After a rollback, release from a commit made later than it.

The same tree gives the same bytes, signed by RS256, RS384 or RS512 too; ECDSA draws random numbers for each signature.

Exit status: 0 built, 1 at fault, 2 could not be built.`,
		Example: `  wardkeeper bundle build policies
  wardkeeper bundle build policies --golden testdata --signing-key private.pem -o policy.tar.gz
  wardkeeper bundle build my/policies --decision app/decision --revision 1.4.0 --sequence 14 --coverage 0`,
		Args: arguments("DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&b.output, "output", "o", defaultBundle, "write the bundle to `FILE`")
	flags.StringVar(&b.release.Revision, "revision", "", "`NAME` of the release (default: the commit)")
	flags.Int64Var(&b.release.Sequence, "sequence", 0, "`NUMBER` that orders it among all releases (default: the time of the commit)")
	flags.StringArrayVar(&b.roots, "root", nil, "`PATH` below data that the bundle owns (any number of times; default: what it defines)")
	flags.StringVar(&b.golden, "golden", "", "bring the golden decisions of `DIR`")
	flags.StringVar(&b.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	flags.Float64Var(&b.coverage, "coverage", 90, "how many `PERCENT` of the policy's lines the tests have to reach; 0 lets it go without tests")
	b.signing.register(flags)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		b.dir = args[0]
		return b.run(cmd.Context(), p, cmd.Flags().Changed("sequence"))
	}
	return cmd
}

func (b *build) run(ctx context.Context, p process, sequenceGiven bool) error {
	switch {
	case b.coverage < 0 || b.coverage > 100:
		return fmt.Errorf("--coverage is %v: say a percentage from 0 to 100", b.coverage)
	case sequenceGiven && b.release.Sequence < 1:
		return fmt.Errorf("--sequence is %d: say a whole number above 0", b.release.Sequence)
	}
	if info, err := os.Stat(b.dir); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%s is no folder of policy", b.dir), err)
	}
	for _, folder := range []string{b.golden, filepath.Dir(b.output)} {
		if info, err := os.Stat(cmp.Or(folder, ".")); err != nil || !info.IsDir() {
			return errors.Join(fmt.Errorf("%s is no folder", folder), err)
		}
	}
	key, err := b.signing.key(p)
	if err != nil {
		return err
	}
	policy, decisions, err := b.sources(ctx)
	if err != nil {
		return err
	}
	draft, err := release.ReadSourceTree(release.Config{Files: policy, Entrypoint: b.decision, Schema: inputSchema()})
	if err != nil {
		return atFault(err)
	}
	names, err := bundles.NotLoaded(os.DirFS(b.dir))
	if err != nil {
		return err
	}
	if len(names) > 0 {
		p.say("not loaded, since data is in data.json, data.yaml and data.yml, and rules are in *.rego: %s", strings.Join(names, ", "))
	}
	if err := b.check(ctx, p, draft); err != nil {
		return err
	}
	archive, err := b.bundle(draft, decisions)
	if err != nil {
		return &exitError{statusNo, err}
	}
	r, err := judge(ctx, archive, b.dir, b.decision)
	if err != nil {
		return atFault(err)
	}
	if n := goldenHeld(r); n > 0 {
		p.say("a server would take it, with %s", terminal.Count(n, "golden decision"))
	} else {
		p.say("a server would take it, without golden decisions to hold it to (--golden)")
	}
	return publish(p, archive, b.release, key, b.output)
}

// sources are the files of the policy and of the golden decisions, nil for none. Where git names the release, they are
// those of its commit.
func (b *build) sources(ctx context.Context) (policy, decisions fs.FS, err error) {
	trees := []gitcommit.Tree{{Dir: b.dir, IsPart: release.IsSource}}
	files := []fs.FS{os.DirFS(b.dir)}
	if b.golden != "" {
		trees, files = append(trees, gitcommit.Tree{Dir: b.golden, IsPart: golden.IsPart}), append(files, os.DirFS(b.golden))
	}
	if b.release.Revision == "" || b.release.Sequence == 0 {
		var commit gitcommit.Commit
		if commit, files, err = gitcommit.Read(ctx, trees); err != nil {
			return nil, nil, err
		}
		b.release.Revision = cmp.Or(b.release.Revision, commit.ID)
		b.release.Sequence = cmp.Or(b.release.Sequence, commit.Time)
	}
	return files[0], append(files, nil)[1], nil
}

func (b *build) check(ctx context.Context, p process, draft *release.SourceTree) error {
	if err := draft.Compile(ctx); err != nil {
		return &exitError{statusNo, err}
	}
	p.say("compiled: %s", terminal.Count(draft.FileCount(), "file"))
	if err := draft.CheckFormat(); err != nil {
		return &exitError{statusNo, errors.Join(err, fmt.Errorf("run `opa fmt --write %s` to mend that", b.dir))}
	}
	p.say("every Rego file is formatted")
	report, err := draft.Test(ctx)
	if err != nil {
		return &exitError{statusNo, fmt.Errorf("the tests cannot run: %w", err)}
	}
	if err := b.tested(report); err != nil {
		return &exitError{statusNo, err}
	}
	skipped := ""
	if report.Skipped > 0 {
		skipped = fmt.Sprintf(", %d skipped", report.Skipped)
	}
	p.say("%s pass%s, and reach %.1f %% of the policy's lines", terminal.Count(report.Ran, "test"), skipped, roundedDown(report.Coverage))
	return nil
}

// tested judges what the tests say.
func (b *build) tested(report *release.TestReport) error {
	var faults []error
	for _, failed := range report.Failed {
		faults = append(faults, errors.New(failed))
	}
	switch {
	case len(faults) > 0:
		return errors.Join(append(faults, fmt.Errorf("%d of %s", len(faults), terminal.Count(report.Ran, "test")+" fail"))...)
	case b.coverage == 0:
		return nil
	case report.Ran == 0:
		return fmt.Errorf("there are no tests: write some into *_test.rego below %s, or say --coverage 0 to do without", b.dir)
	case report.Coverage < b.coverage:
		for _, file := range report.Uncovered {
			faults = append(faults, errors.New(file))
		}
		return errors.Join(append(faults, fmt.Errorf("the tests reach %.1f %% of the policy's lines, and have to reach %v %% (--coverage)",
			roundedDown(report.Coverage), b.coverage))...)
	}
	return nil
}

// roundedDown keeps a tenth of a percent: what is below a threshold must not look as if it were at it.
func roundedDown(percent float64) float64 { return math.Floor(10*percent) / 10 }

func (b *build) bundle(draft *release.SourceTree, decisions fs.FS) (*bundles.Archive, error) {
	var data []byte
	if decisions != nil {
		document, err := golden.ReadTree(decisions)
		if err != nil {
			return nil, fmt.Errorf("the golden decisions of %s: %w", b.golden, err)
		}
		if data, err = json.Marshal(document); err != nil {
			return nil, err
		}
		data = append(data, '\n')
	}
	return draft.Bundle(b.release, b.roots, data)
}
