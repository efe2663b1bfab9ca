package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/policies"
)

// verification holds the flags of `wardkeeper verify`.
type verification struct {
	bundle, properties, decision string
	actions                      []string
	classes, json                bool
}

func newVerifyCommand(p process) *cobra.Command {
	var v verification
	cmd := &cobra.Command{
		Use:   "verify [BUNDLE] [flags]",
		Short: "Prove what a policy never does, or show where it does",
		Long: `Explore every case of a small directory that the policy at BUNDLE, a folder or a .tar.gz, can tell apart (default: the
built-in policy), and say of each property whether it holds in all of them: every question has an answer, no evaluation ends with an error,
an allow has no reason and a denial has one; and what the security team writes into properties.yaml.

A property is proved within the bound that is printed, refuted with the smallest example, as commands that ask it again, or not
decided, with the reason. Every example is put to OPA's interpreter before it is shown. Lines of the policy that no case reaches are listed, and comparisons that come
out one way in every case: nothing is proved about what they would do otherwise.

With --classes every answer of the policy is listed: who gets it, where and about whom, and the smallest example.

With --action nothing is proved of other actions, and sentences about these are left out: that is said at the end.

Exit status: 0 everything is proved, 1 something is refuted or not decided, 2 could not be verified.`,
		Example: `  wardkeeper verify
  wardkeeper verify policies
  wardkeeper verify policies --classes --action assignment.remove
  wardkeeper verify policy.tar.gz --properties properties.yaml --json`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&v.properties, "properties", "", "`FILE` with properties (default: properties.yaml of BUNDLE, if it is a folder that has one)")
	flags.StringSliceVar(&v.actions, "action", nil, "explore questions about this `ACTION` alone (repeatable); others are left out, and the exit status is about this one")
	flags.BoolVar(&v.classes, "classes", false, "list every answer of the policy, with the cases that get it and an example")
	flags.StringVar(&v.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	flags.BoolVar(&v.json, "json", false, "print the findings as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			v.bundle = args[0]
		}
		return v.run(cmd.Context(), p)
	}
	return cmd
}

func (v *verification) run(ctx context.Context, p process) error {
	policy, err := openForProof(ctx, v.bundle, v.decision)
	if err != nil {
		return err
	}
	for _, a := range v.actions {
		if !slices.Contains(policy.Actions(), a) {
			return errors.New(noAction("the policy has no action", a, policy.Actions()))
		}
	}
	properties, err := v.read(policy)
	if err != nil {
		return err
	}
	last := 0
	report, err := proof.Verify(ctx, proof.Verification{Policy: policy, Properties: properties, Actions: v.actions, Classes: v.classes, Progress: func(done, of int) {
		if step := 10 * done / of; step > last {
			last = step
			fmt.Fprintf(p.stderr, "wardkeeper: explored %d of %d worlds\n", done, of)
		}
	}})
	if err != nil {
		return err
	}
	if v.json {
		data, err := json.Marshal(report)
		if err != nil {
			return err
		}
		err = printLine(p.stdout, string(data))
		return errors.Join(err, verified(report))
	}
	if err := v.print(p, report); err != nil {
		return err
	}
	return verified(report)
}

// verified returns the exit status of a report.
func verified(r *proof.Report) error {
	for _, f := range r.Findings {
		if f.Status != proof.Proved {
			return &exitError{status: statusNo}
		}
	}
	return nil
}

// openForProof opens a policy that OPA's interpreter evaluates; the path "" is the built-in one.
func openForProof(ctx context.Context, path, decision string) (*pdp.Policy, error) {
	var r *bundles.Revision
	source, err := bundleAt(path)
	switch {
	case err != nil:
		return nil, err
	case source == nil:
		r, err = bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: builtIn, Entrypoint: decision, Schema: inputSchema()})
	default:
		r, err = source.Open(ctx, decision, inputSchema())
	}
	if err != nil {
		return nil, err
	}
	return pdp.PrepareInterpreted(ctx, r)
}

// read reads the properties to verify; those of the built-in policy are embedded.
func (v *verification) read(policy *pdp.Policy) ([]proof.Property, error) {
	name, required := cmp.Or(v.properties, filepath.Join(v.bundle, bundles.PropertiesFile)), v.properties != ""
	var data []byte
	if v.bundle == "" && !required {
		data = policies.Properties()
		name = "the built-in " + bundles.PropertiesFile
	} else {
		var err error
		data, err = os.ReadFile(name)
		if !required && (errors.Is(err, fs.ErrNotExist) || isArchive(v.bundle)) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	properties, err := proof.DecodeProperties(data, termsOf(policy))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return properties, nil
}

// isArchive reports whether a path is that of a file.
func isArchive(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func termsOf(policy *pdp.Policy) proof.Terms {
	t := proof.Terms{Actions: policy.Actions(), Models: []string{facts.ModelRegional, facts.ModelHealthSystem, facts.ModelPracticeGroup, facts.ModelVendor}}
	if v := policy.Vocabulary(); v != nil {
		for _, roles := range v.Roles {
			t.Roles = append(t.Roles, roles...)
		}
	}
	slices.Sort(t.Roles)
	t.Roles = slices.Compact(t.Roles)
	return t
}

func (v *verification) print(p process, r *proof.Report) error {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%-12s %s", f.Status, terminal.Printable(f.Property)))
		for _, why := range f.Why {
			lines = append(lines, "  because    "+terminal.Printable(why))
		}
		if f.Example != nil {
			lines = append(append(lines, ""), strings.Split(f.Example.Command(v.bundle), "\n")...)
			lines = append(lines, "# "+terminal.Printable(cmp.Or(f.Example.Answer, f.Example.Error)))
		}
		if f.But != nil {
			lines = append(append(lines, "# but with other roles in another organization:"), strings.Split(f.But.Command(v.bundle), "\n")...)
			lines = append(lines, "# "+terminal.Printable(cmp.Or(f.But.Answer, f.But.Error)))
		}
		if f.Example != nil {
			lines = append(lines, "")
		}
	}
	for i := range r.Answers {
		lines = append(lines, v.class(&r.Answers[i])...)
	}
	if len(r.Answers) > 0 {
		lines = append(lines, "")
	}
	lines = append(lines, fmt.Sprintf("%.0e cases with %d answers were explored, within this bound:", r.Cases, r.Classes))
	for _, b := range r.Bound {
		lines = append(lines, "  - "+b)
	}
	lines = append(append(lines, leftOut(r)...), v.gaps(r.Gaps)...)
	for _, line := range lines {
		if err := printLine(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// leftOut says what a restriction to some actions left out.
func leftOut(r *proof.Report) []string {
	if len(r.Actions) == 0 {
		return nil
	}
	text := "Everything but " + strings.Join(r.Actions, ", ") + " was left out (--action): nothing is proved of it"
	if n := len(r.LeftOut); n > 0 {
		text += ", and " + terminal.Count(n, "sentence") + " about others not looked at"
	}
	return []string{text + "."}
}

// gaps lists what the rules say that no case was about, for whoever writes them.
func (v *verification) gaps(all []explore.Gap) []string {
	if len(all) == 0 {
		return nil
	}
	lines := []string{
		fmt.Sprintf("What is proved above holds. For whoever writes the rules, %s that no case above tries both ways:", terminal.Count(len(all), "line")),
		"to change one of them may go unnoticed, so let a Rego test say what it is for, or leave it out.",
	}
	source := policies.Files()
	if v.bundle != "" {
		source = os.DirFS(v.bundle) // an archive has no lines to be shown
	}
	for _, g := range all {
		text := fmt.Sprintf("  - %s:%d: %s", g.File, g.Line, g.Why)
		if data, err := fs.ReadFile(source, g.File); err == nil {
			if rows := strings.Split(string(data), "\n"); g.Line <= len(rows) {
				text += ": " + shortened(strings.TrimSpace(rows[g.Line-1]), 100)
			}
		}
		lines = append(lines, terminal.Printable(text))
	}
	return lines
}

// class lists the sentences of a class, and its example.
func (v *verification) class(c *proof.Class) []string {
	verdict, rest, _ := strings.Cut(c.Outcome, ":")
	if rest != "" {
		verdict += ":"
	}
	lines := []string{"", strings.ToUpper(verdict) + terminal.Printable(rest)}
	for _, s := range c.Sentences {
		lines = append(lines, "  "+terminal.Printable(s.Words))
		if !s.Exact {
			lines = append(lines, "  "+inSome(s.DependsOn))
		}
	}
	lines = append(lines, strings.Split(c.Example.Command(v.bundle), "\n")...)
	return append(lines, "# "+terminal.Printable(cmp.Or(c.Example.Answer, c.Example.Error)))
}
