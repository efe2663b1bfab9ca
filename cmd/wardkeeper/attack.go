package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/attack"
)

// statusOpen says that nothing was found, but not everything was looked at.
const statusOpen = 3

// attackFlags holds the flags of `wardkeeper attack`.
type attackFlags struct {
	attack.Config
	directoryFlags
	output, bundle, decision string
	json                     bool
}

func newAttackCommand(p process) *cobra.Command {
	var a attackFlags
	cmd := &cobra.Command{
		Use:   "attack --directory FILE|URL [flags]",
		Short: "Look for sequences of allowed changes that add up to an attack",
		Long: `Look for the shortest sequences of changes, each allowed by the policy, by which an account of the directory

  power               comes to a power that it was denied at first: an account under its control holds a role that allows more
  strand              leaves a user without a location, with a default location that is none, or where nobody can help
  last-administrator  leaves nobody in the organization who can do something that somebody could

Each change is carried out on the records as policies/DOMAIN.md says, and the next question is decided over what came of it. The attacker acts by
its own account and by every account under its control: those whose password it may reset, and those that are new and it may invite, since
it gives them the password or the address. --control says otherwise; user.edit belongs there if editing a user can change the address to
which passwords are sent. What the attacker is given by people who are not under its control is no attack.

Each organization is attacked by itself, from each account that differs in more than its id from others. "NONE" is said only if
everything up to --depth changes was looked at. What was left out is listed. Changes that race are prevented by guards, and left out too.

Each step is printed as a command that asks it again. With --output its directory is written, so that it can be pasted.

` + wholeHelp + `

Exit status: 0 no path; 1 a path was found; 2 could not be searched, as where nobody holds ROLE; 3 none was found, but not everything was looked at.`,
		Example: `  wardkeeper attack --directory directory.yaml
  wardkeeper attack --directory directory.yaml --from ed_admin --reach regional_admin --goal power --depth 3
  wardkeeper attack --directory directory.yaml --bundle my/policies --control none --output attack`,
		Args: noSuchCommand,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	a.register(flags, "`FILE` or URL with the users and locations: few, but typical ones")
	flags.StringVar(&a.Organization, "organization", "", "attack the organization with this `ID` alone")
	flags.StringVar(&a.From, "from", "", "attack from accounts that hold `ROLE` (default: any)")
	flags.StringVar(&a.Reach, "reach", "", "the `ROLE` whose power is to be reached (default: any)")
	flags.IntVar(&a.Depth, "depth", 2, "at most `N` changes")
	flags.StringSliceVar(&a.Goals, "goal", attack.Goals, "look for this `GOAL` (repeatable)")
	flags.StringSliceVar(&a.Control, "control", attack.Controls[:2], "`ACTION` that gives control of an account: "+strings.Join(attack.Controls, ", ")+"; or none (repeatable)")
	flags.IntVar(&a.MaxStates, "max-states", 200_000, "look at `N` states at most, for each attacker and goal")
	flags.StringVar(&a.bundle, "bundle", "", "decide by the policy at `PATH` instead of the built-in one")
	flags.StringVar(&a.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in that policy")
	flags.StringVarP(&a.output, "output", "o", "", "write the directory before each later step, and the first one of a database, to the new folder `DIR`")
	flags.BoolVar(&a.json, "json", false, "print the findings as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), p) }
	return cmd
}

func (a *attackFlags) run(ctx context.Context, p process) error {
	if err := a.check(); err != nil {
		return err
	}
	policy, err := openPolicy(ctx, a.bundle, a.decision)
	if err != nil {
		return err
	}
	noteBuiltIn(p, a.bundle)
	if policy.Vocabulary() == nil {
		return errors.New("only a policy that judges by membership facts can be attacked")
	}
	d, err := a.read(ctx, p, policy.Vocabulary())
	if err != nil {
		return err
	}
	progress := terminal.NewProgress(p.stderr)
	a.Policy, a.Config.Directory = policy, d.Directory
	a.Progress = func(states, decisions int) {
		progress.Say(fmt.Sprintf("%s looked at, %s", terminal.Count(states, "state"), terminal.Count(decisions, "decision")))
	}
	report, err := attack.Run(ctx, a.Config)
	progress.Clear()
	if err != nil {
		return err
	}
	report.LeftOut = append(report.LeftOut, d.leftOut(maxIncomplete)...)
	if a.output != "" {
		if err := a.write(report); err != nil {
			return err
		}
	}
	if err := a.print(p, &attackReport{report, d.directoryRead}); err != nil {
		return err
	}
	return map[string]error{
		attack.None: nil, attack.Found: &exitError{status: statusNo}, attack.Open: &exitError{status: statusOpen},
	}[report.Outcome()]
}

// check checks the flags.
func (a *attackFlags) check() error {
	var errs []error
	if a.directory == "" {
		errs = append(errs, errors.New("--directory is missing: name a file or an address"))
	}
	if a.Depth < 1 || a.Depth > attack.MaxDepth {
		errs = append(errs, fmt.Errorf("--depth is %d: use 1 to %d", a.Depth, attack.MaxDepth))
	}
	if a.MaxStates < 1 {
		errs = append(errs, fmt.Errorf("--max-states is %d: use at least 1", a.MaxStates))
	}
	for _, goal := range a.Goals {
		if !slices.Contains(attack.Goals, goal) {
			errs = append(errs, fmt.Errorf("--goal is %q: use %s", goal, strings.Join(attack.Goals, ", ")))
		}
	}
	if slices.Equal(a.Control, []string{"none"}) {
		a.Control = []string{}
	}
	for _, action := range a.Control {
		if !slices.Contains(attack.Controls, action) {
			errs = append(errs, fmt.Errorf("--control is %q: use %s, or none alone", action, strings.Join(attack.Controls, ", ")))
		}
	}
	if len(a.Goals) == 0 {
		errs = append(errs, fmt.Errorf("--goal names none: use %s", strings.Join(attack.Goals, ", ")))
	}
	if a.Reach != "" && !slices.Contains(a.Goals, attack.Power) {
		errs = append(errs, errors.New("--reach is about the goal power: name it (--goal)"))
	}
	if a.output != "" {
		if found, err := os.ReadDir(a.output); err == nil && len(found) > 0 {
			errs = append(errs, fmt.Errorf("--output %s has files already: name a new folder", a.output))
		}
	}
	return errors.Join(errs...)
}

// attackReport says what was found in which directory.
type attackReport struct {
	*attack.Report
	Directory directoryRead `json:"directory"`
}

func (a *attackFlags) print(p process, report *attackReport) error {
	if a.json {
		data, err := json.Marshal(report)
		if err != nil {
			return err
		}
		return printLine(p.stdout, string(data))
	}
	for _, line := range a.lines(report) {
		if err := printLine(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
