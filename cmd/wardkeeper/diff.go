package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// diff holds the flags of `wardkeeper diff`.
type diff struct {
	was, is                 string // paths of the policies
	approved, decision, log string
	directoryFlags
	actions        []string
	json, markdown bool

	approvals approvedFile
}

func newDiffCommand(p process) *cobra.Command {
	var d diff
	cmd := &cobra.Command{
		Use:   "diff OLD NEW [flags]",
		Short: "Say which decisions a change of the policy changes",
		Long: `Explore every case of a small directory that the policy at OLD or the one at NEW can tell apart, and say in sentences whose
answers change: what was denied and is allowed first, then what is allowed with other obligations, what was allowed and is denied, and
what is denied otherwise. OLD and NEW are folders or .tar.gz files, or "` + builtIn + `".

Each sentence has the smallest example, as commands that ask both policies; OPA's interpreter has answered it before it is shown.
Accounts are active, and the resource is of the type that the action is about, unless a sentence says otherwise. All cases of a sentence
change, or it says that some do, and what else it depends on. What could not be explored is listed.

A change that was denied and is allowed must be approved, by an entry of approved.yaml in the folder NEW itself: the id of the change, its whole sentence, and a
reason, which somebody has to write. The entries that are missing are printed, to be pasted. The id stands for the cases and both answers: if either policy changes them, the approval no longer counts.

With --log the questions in a log of decisions are decided again by both policies, over the facts in it. If one is allowed that was denied,
and no change in the small directories allows its action, it lies outside of the bound, and no approval counts.

With --directory the questions that change are asked about everybody in it, by both policies: who gains or loses which action, by which
role, and over how many users or locations. People are counted once, and named by their ids, but for --markdown, which counts alone.
Numbers of an action with properties, or where not everything was explored, are lower bounds and called "at least". People without
an assignment are not asked about.

` + wholeHelp + `

With --action changes of other actions are not looked for: that is said at the end.

Exit status: 0 nothing that was denied is allowed without approval, and everything asked for was explored; 1 something is, or was not
explored, or a part of the log is broken, or the directory is incomplete; 2 could not be compared.`,
		Example: `  wardkeeper diff old/policies policies
  wardkeeper diff policy.tar.gz policies --markdown >comment.md
  wardkeeper diff policy.tar.gz policies --log /var/log/wardkeeper
  wardkeeper diff policy.tar.gz policies --directory directory.yaml
  PGPASSFILE=pgpass wardkeeper diff policy.tar.gz policies --directory postgres://reader@db/app
  wardkeeper diff ` + builtIn + ` my/policies --action assignment.remove --json`,
		Args: arguments("OLD", "NEW"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&d.approved, "approved", "", "`FILE` with approved changes (default: approved.yaml of the folder NEW, if there is one)")
	flags.StringSliceVar(&d.actions, "action", nil, "compare questions about this `ACTION` alone (repeatable); others are left out, and the exit status is about this one")
	flags.StringVar(&d.log, "log", "", "decide the questions in the log of decisions in `DIR` again by both policies, and list the answers that change")
	d.register(flags, "say who in the directory in `FILE`, or at a URL, gains or loses what")
	flags.StringVar(&d.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	flags.BoolVar(&d.json, "json", false, "print the changes as one line of JSON")
	flags.BoolVar(&d.markdown, "markdown", false, "print the changes as a comment for a pull request")
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d.was, d.is = args[0], args[1]
		return d.run(cmd.Context(), p)
	}
	return cmd
}

func (d *diff) run(ctx context.Context, p process) error {
	var err error
	c := proof.Comparison{Actions: d.actions, Forms: d.directory != ""}
	if c.Was, err = openForProof(ctx, named(d.was), d.decision); err != nil {
		return err
	}
	if c.Is, err = openForProof(ctx, named(d.is), d.decision); err != nil {
		return err
	}
	approvals, err := d.readApprovals(c.Is.Revision())
	if err != nil {
		return err
	}
	noteMisplaced(p, c.Is.Revision().NotLoaded, d.is)
	for _, a := range d.actions {
		if !slices.Contains(c.Was.Actions(), a) && !slices.Contains(c.Is.Actions(), a) {
			return errors.New(noAction("neither policy has an action", a, append(slices.Clone(c.Was.Actions()), c.Is.Actions()...)))
		}
	}
	report, err := compare(ctx, p, c, approvals)
	if err != nil {
		return err
	}
	r := diffReport{Differences: report, Revisions: revisionsOf(c)}
	d.noteBuiltIn(p, r.Revisions)
	if d.log != "" {
		if r.Log, err = d.replay(ctx, p); err != nil {
			return err
		}
		r.Beyond = r.Log.beyond(report)
	}
	if d.directory != "" {
		if r.Directory, err = d.people(ctx, p, report); err != nil {
			return err
		}
	}
	if err := d.print(p, &r); err != nil {
		return err
	}
	return r.status()
}

// diffReport is a comparison of two policies, with what it means for a log of decisions.
type diffReport struct {
	*proof.Differences
	Revisions [2]string         `json:"revisions"` // of OLD and NEW
	Log       *recordedChanges  `json:"log,omitempty"`
	Directory *directoryChanges `json:"directory,omitempty"`
	// Beyond has the actions that a recorded question is allowed where it was denied, and that no change of the small worlds allows.
	Beyond []string `json:"beyond_bound,omitempty"`
}

// replay decides the questions of the log by both policies.
func (d *diff) replay(ctx context.Context, p process) (*recordedChanges, error) {
	was, err := openPolicy(ctx, named(d.was), d.decision)
	if err != nil {
		return nil, err
	}
	is, err := openPolicy(ctx, named(d.is), d.decision)
	if err != nil {
		return nil, err
	}
	return replayBoth(ctx, p, d.log, was, is)
}

// compare compares two policies and notes what is approved.
func compare(ctx context.Context, p process, c proof.Comparison, approvals []proof.Approval) (*proof.Differences, error) {
	progress := terminal.NewProgress(p.stderr)
	c.Progress = func(done, of int) { progress.Of(done, of, "world") }
	report, err := proof.Compare(ctx, c)
	progress.Clear()
	if err != nil {
		return nil, err
	}
	for _, ignored := range report.Approve(approvals) {
		p.note("%s", terminal.Printable(ignored))
	}
	return report, nil
}

// compare compares a bundle with the policy that --diff names. The error is that of a change without approval, which is printed.
func (b *build) compare(ctx context.Context, p process, r *bundles.Revision) error {
	file := approvedFile{filepath.Join(b.dir, bundles.ApprovedFile), r.Approved}
	approvals, err := decodeApprovals(file.data, file.name)
	if err != nil {
		return err
	}
	var c proof.Comparison
	if c.Was, err = openForProof(ctx, named(b.diff), b.decision); err != nil {
		return err
	}
	if c.Is, err = pdp.PrepareInterpreted(ctx, r); err != nil {
		return err
	}
	differences, err := compare(ctx, p, c, approvals)
	if err != nil {
		return err
	}
	report := diffReport{Differences: differences, Revisions: revisionsOf(c)}
	d := diff{was: b.diff, is: b.dir, approvals: file}
	d.noteBuiltIn(p, report.Revisions)
	if report.status() == nil {
		p.note("%s", (&diffText{diffReport: &report}).summary())
		return nil
	}
	if err := d.print(p, &report); err != nil {
		return err
	}
	return &exitError{statusNo, fmt.Errorf("not built: approve each change that allows more in %s, and see what was not explored", filepath.Join(b.dir, bundles.ApprovedFile))}
}

func revisionsOf(c proof.Comparison) [2]string {
	return [2]string{c.Was.Revision().ID, c.Is.Revision().ID}
}

// noteBuiltIn says which policy is the built-in one: after a build it is the changed one, which differs in nothing.
func (d *diff) noteBuiltIn(p process, revisions [2]string) {
	for i, name := range []string{d.was, d.is} {
		if name == builtIn {
			p.note("%s is the policy that was built into this binary, revision %s; \"make build\" takes over what the folder policies has by then", builtIn, revisions[i])
			return
		}
	}
}

// named returns the path of a policy that a command line names; "" is the built-in one.
func named(name string) string {
	if name == builtIn {
		return ""
	}
	return name
}

// status returns the exit status of a comparison.
func (r *diffReport) status() error {
	if r.Unapproved() > 0 || len(r.NotExplored) > 0 || len(r.Beyond) > 0 || r.Log != nil && r.Log.Broken || r.Directory != nil && r.Directory.Faults > 0 {
		return &exitError{status: statusNo}
	}
	return nil
}

// readApprovals returns the approved changes: those of a file, or of the policy itself.
func (d *diff) readApprovals(is *bundles.Revision) ([]proof.Approval, error) {
	d.approvals = approvedFile{filepath.Join(d.is, bundles.ApprovedFile), is.Approved}
	if d.approved != "" {
		data, err := readApproved(d.approved)
		if err != nil {
			return nil, err
		}
		d.approvals = approvedFile{d.approved, data}
	}
	return decodeApprovals(d.approvals.data, d.approvals.name)
}

func (d *diff) print(p process, r *diffReport) error {
	if d.json {
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return printLine(p.stdout, string(data))
	}
	t := diffText{r, d.was, d.is, policyPaths(d.was, d.is), d.approvals}
	if d.markdown {
		_, err := io.WriteString(p.stdout, t.markdown())
		return err
	}
	for _, line := range t.lines() {
		if err := printLine(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

func policyPaths(was, is string) [2]string { return [2]string{named(was), named(is)} }
