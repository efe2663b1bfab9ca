package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/survey"
)

// directoryCheck holds the flags of `wardkeeper directory check`.
type directoryCheck struct {
	config, bundle, decision string
}

func newDirectoryCheckCommand(p process) *cobra.Command {
	var c directoryCheck
	cmd := &cobra.Command{
		Use:   "check [FILE | https://HOST/PATH | postgres://HOST/DATABASE] [flags]",
		Short: "Check a whole directory and print every fault",
		Long: `Check a directory as a server does when it reads it, and print each fault on a line; at most 10,000 are printed, and all
are counted. An application or a database is read completely: all its locations and users. Faults are named by the id of the
record, and so are violations of the contract (see "wardkeeper directory openapi") and missing tables or columns (see
"wardkeeper directory schema"). Unlike this command, "wardkeeper serve --check" does not read all records.

Credentials, TLS, tables and limits come from the settings of "serve" (--config FILE, or WARDKEEPER_CONFIG). To keep
passwords out of the command line, omit the argument: the directory of the settings is then checked (directory, or
WARDKEEPER_DIRECTORY). A database password can also come from PGPASSWORD or PGPASSFILE.

The tables of the policy define which roles, levels and areas are valid.

Exit status: 0 valid, 1 faults found, 2 could not be checked.`,
		Example: `  wardkeeper directory check directory.yaml
  wardkeeper directory check directory.json --bundle my/policies
  wardkeeper directory check https://accounts.example.org/membership --config wardkeeper.yaml
  WARDKEEPER_DIRECTORY=postgres://wardkeeper@db/app wardkeeper directory check`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().StringVar(&c.config, config.FileFlag, "", "YAML `FILE` with the settings of serve")
	cmd.Flags().StringVar(&c.bundle, "bundle", "", "use the tables of the policy at `PATH` instead of the built-in one")
	cmd.Flags().StringVar(&c.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in that policy")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return arguments("FILE")(cmd, args)
		}
		return c.run(cmd.Context(), p, args)
	}
	return cmd
}

func (c *directoryCheck) run(ctx context.Context, p process, args []string) error {
	s, err := c.settings(p, args)
	if err != nil {
		return err
	}
	if config.KindOf(s.Directory) != config.FileDirectory {
		return c.survey(ctx, p, s)
	}
	file, err := p.openChecked(ctx, s.Directory, c.bundle, c.decision)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	roots, err := countOrganizations(ctx, file.Directory())
	if err != nil {
		return err
	}
	status := file.Status()
	return printLine(p.stdout, fmt.Sprintf("%s is valid: %s", terminal.Printable(s.Directory),
		records(survey.Result{Locations: status.Locations, Organizations: roots, Users: status.Users})))
}

// settings loads the settings of serve. It does not need them for a file named as an argument.
func (c *directoryCheck) settings(p process, args []string) (*config.Settings, error) {
	if len(args) == 0 {
		return membershipSettings(p, c.config, "")
	}
	if config.KindOf(args[0]) == config.FileDirectory {
		s := config.Default()
		s.Directory = args[0]
		return s, nil
	}
	return membershipSettings(p, c.config, args[0])
}

// survey reads and checks an application or a database.
func (c *directoryCheck) survey(ctx context.Context, p process, s *config.Settings) error {
	policy, err := openPolicy(ctx, c.bundle, c.decision)
	if err != nil {
		return err
	}
	cfg, progress, err := p.surveyOf(s, policy.Vocabulary())
	if err != nil {
		return err
	}
	defer func() { _ = cfg.Origin.Close() }()
	found, err := survey.Run(ctx, cfg)
	progress.Clear()
	var faults *record.Faults
	switch {
	case errors.As(err, &faults):
		return errors.Join(printFaults(p.stdout, faults), printLine(p.stdout, fmt.Sprintf("%s is faulty: %s in %s",
			terminal.Printable(config.PublicName(s.Directory)), terminal.Count(faults.Count(), "fault"), records(found))))
	case err != nil && found == survey.Result{}:
		return fmt.Errorf("cannot read %s: %w", config.PublicName(s.Directory), err)
	case err != nil:
		return fmt.Errorf("cannot read %s further, after %s: %w", config.PublicName(s.Directory), records(found), err)
	}
	return printLine(p.stdout, fmt.Sprintf("%s is valid: %s", terminal.Printable(config.PublicName(s.Directory)), records(found)))
}

// records returns the number of records as text.
func records(found survey.Result) string {
	return fmt.Sprintf("%s in %s, %s", terminal.Count(found.Locations, "location"),
		terminal.Count(found.Organizations, "organization"), terminal.Count(found.Users, "user"))
}
