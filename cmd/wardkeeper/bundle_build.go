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
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/gitcommit"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
)

// build holds the flags of `wardkeeper bundle build`.
type build struct {
	dir, output, golden, decision, diff string
	release                             release.Metadata
	roots                               []string
	coverage                            float64
	signing                             signing
}

func newBundleBuildCommand(p process) *cobra.Command {
	var b build
	cmd := &cobra.Command{
		Use:   "build DIR [flags]",
		Short: "Check a policy folder and build a bundle from it",
		Long: `Check a policy folder and build a bundle from it. The checks run in this order, and the first that fails ends the build:
the policy compiles in strict mode, together with its tests; its tables hold what they may and agree with the rules; it decides
a probe question; every Rego file is formatted; the Rego tests pass and cover enough of the policy's lines; and a server would
accept the bundle with every golden decision.

With --diff the bundle is compared with an earlier policy, as "wardkeeper diff" does: each change that allows what was denied must be
approved in DIR/approved.yaml, and everything must be explored.

The bundle contains the policy's Rego and data files and approved.yaml as they are, without tests (*_test.rego). With --golden it contains the
decisions of DIR/decisions/**.yaml and the directories of DIR/directories/*.yaml that they name; a server on which one of
these decisions differs refuses the bundle.

Revision and sequence come from git: the commit of HEAD, and its time in seconds since 1970. The files are then read from the
commit, byte by byte; a folder that differs from it is an error. With both --revision and --sequence the files of the folder
are used. After a rollback, build from a commit that is later than the rollback.

The same folder gives the same bytes, also when signed with RS256, RS384 or RS512; ECDSA signatures contain random numbers.

Exit status: 0 built, 1 a check failed, 2 not built.`,
		Example: `  wardkeeper bundle build policies
  wardkeeper bundle build policies --golden testdata --signing-key private.pem -o policy.tar.gz
  wardkeeper bundle build policies --diff released.tar.gz -o policy.tar.gz
  wardkeeper bundle build my/policies --decision app/decision --revision 1.4.0 --sequence 14 --coverage 0`,
		Args: arguments("DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&b.output, "output", "o", defaultBundle, "write the bundle to `FILE`")
	flags.StringVar(&b.release.Revision, "revision", "", "`NAME` of the release (default: the commit)")
	flags.Int64Var(&b.release.Sequence, "sequence", 0, "`NUMBER` that orders it among all releases (default: the time of the commit)")
	flags.StringArrayVar(&b.roots, "root", nil, "`PATH` below data that the bundle owns (repeatable; default: what it defines)")
	flags.StringVar(&b.golden, "golden", "", "include the golden decisions of `DIR`")
	flags.StringVar(&b.diff, "diff", "", "build only if every change that allows more than the policy at `PATH`, a folder, a .tar.gz or \""+builtIn+"\", is approved")
	flags.StringVar(&b.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	flags.Float64Var(&b.coverage, "coverage", 90, "`PERCENT` of the policy's lines that the tests must cover; 0 allows a policy without tests")
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
		return fmt.Errorf("--coverage is %v: use a percentage from 0 to 100", b.coverage)
	case sequenceGiven && b.release.Sequence < 1:
		return fmt.Errorf("--sequence is %d: use a whole number above 0", b.release.Sequence)
	}
	if info, err := os.Stat(b.dir); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%s is not a policy folder", b.dir), err)
	}
	for _, folder := range []string{b.golden, filepath.Dir(b.output)} {
		if info, err := os.Stat(cmp.Or(folder, ".")); err != nil || !info.IsDir() {
			return errors.Join(fmt.Errorf("%s is not a folder", folder), err)
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
	tree, err := release.ReadSourceTree(release.Config{Files: policy, Source: b.dir, Entrypoint: b.decision, Schema: inputSchema()})
	if err != nil {
		return bundleError(err)
	}
	names, err := bundles.NotLoaded(os.DirFS(b.dir))
	if err != nil {
		return err
	}
	if len(names) > 0 {
		p.note("not loaded, because data is read from data.json, data.yaml and data.yml, and rules from *.rego: %s", strings.Join(names, ", "))
		noteMisplaced(p, names, b.dir)
	}
	if err := b.check(ctx, p, tree); err != nil {
		return err
	}
	archive, err := b.bundle(tree, decisions)
	if err != nil {
		return &exitError{statusNo, err}
	}
	r, err := verifyArchive(ctx, archive, b.dir, b.decision)
	if err != nil {
		return bundleError(err)
	}
	if b.diff != "" {
		if err := b.compare(ctx, p, r); err != nil {
			return err
		}
	}
	if n := goldenCount(r); n > 0 {
		p.note("a server would accept it, with %s", terminal.Count(n, "golden decision"))
	} else {
		p.note("a server would accept it, without golden decisions (--golden)")
	}
	return publish(p, archive, b.release, key, b.output)
}

// sources returns the files of the policy and of the golden decisions; decisions is nil if there are none. The files come from
// the commit if the release is named after it.
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

func (b *build) check(ctx context.Context, p process, tree *release.SourceTree) error {
	if err := tree.Compile(ctx); err != nil {
		return &exitError{statusNo, err}
	}
	p.note("compiled: %s", terminal.Count(tree.FileCount(), "file"))
	if err := tree.CheckTables(); err != nil {
		return &exitError{statusNo, err}
	}
	for _, table := range tree.UncheckedTables() {
		p.note("no rule of faults reads the table %s, so that what it holds is not checked: say what it may hold in %s/faults.rego",
			table, path.Dir(table))
	}
	if _, err := pdp.Prepare(ctx, tree.Revision()); err != nil {
		return bundleError(err)
	}
	if err := tree.CheckFormat(); err != nil {
		return &exitError{statusNo, errors.Join(err, fmt.Errorf("run `opa fmt --write %s` to correct it", b.dir))}
	}
	p.note("every Rego file is formatted")
	report, err := tree.Test(ctx)
	if err != nil {
		return &exitError{statusNo, fmt.Errorf("cannot run the tests: %w", err)}
	}
	if err := b.checkTests(report); err != nil {
		return &exitError{statusNo, err}
	}
	skipped := ""
	if report.Skipped > 0 {
		skipped = fmt.Sprintf(", %d skipped", report.Skipped)
	}
	p.note("%s passed%s, covering %.1f %% of the policy's lines", terminal.Count(report.Ran, "test"), skipped, roundedDown(report.Coverage))
	return nil
}

// checkTests returns an error if tests failed or cover too little.
func (b *build) checkTests(report *release.TestReport) error {
	var faults []error
	for _, failed := range report.Failed {
		faults = append(faults, errors.New(failed))
	}
	switch {
	case len(faults) > 0:
		return errors.Join(append(faults, fmt.Errorf("%d of %s", len(faults), terminal.Count(report.Ran, "test")+" failed"))...)
	case b.coverage == 0:
		return nil
	case report.Ran == 0:
		return fmt.Errorf("there are no tests: write some into *_test.rego below %s, or use --coverage 0 to build without", b.dir)
	case report.Coverage < b.coverage:
		for _, file := range report.Uncovered {
			faults = append(faults, errors.New(file))
		}
		return errors.Join(append(faults, fmt.Errorf("the tests cover %.1f %% of the policy's lines and must cover %v %% (--coverage)",
			roundedDown(report.Coverage), b.coverage))...)
	}
	return nil
}

// roundedDown rounds to a tenth of a percent, so that a value below the threshold does not look equal to it.
func roundedDown(percent float64) float64 { return math.Floor(10*percent) / 10 }

func (b *build) bundle(tree *release.SourceTree, decisions fs.FS) (*bundles.Archive, error) {
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
	return tree.Bundle(b.release, b.roots, data)
}
