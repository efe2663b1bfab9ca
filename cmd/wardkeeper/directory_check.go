package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/survey"
)

// directoryCheck is what `wardkeeper directory check` was told.
type directoryCheck struct {
	config, bundle, decision string
}

// surveyTimeout is how long one question may take where nobody waits for a decision.
const surveyTimeout = 30 * time.Second

func newDirectoryCheckCommand(p process) *cobra.Command {
	var c directoryCheck
	cmd := &cobra.Command{
		Use:   "check [FILE | https://HOST/PATH | postgres://HOST/DATABASE] [flags]",
		Short: "Check a whole directory, wherever it is, and print every fault",
		Long: `Check a directory as a server would when it reads it, and print every fault on a line of its own; at most 10,000 are
printed, and all are counted. Of an application or a database all locations and users are read: faulty records are named
by id, and so is what breaks the contract ("wardkeeper directory openapi") or is missing of the tables ("wardkeeper
directory schema"). "wardkeeper serve --check" does not read all records.

Credentials, TLS, tables and limits are those of the settings (--config FILE, or WARDKEEPER_CONFIG), as for "serve". Keep
passwords out of the command line: without an argument the directory of the settings is checked (directory, or
WARDKEEPER_DIRECTORY), and a password may come from PGPASSWORD or a PGPASSFILE.

Which roles, levels and areas there are follows from the policy's tables.

Exit status: 0 good, 1 at fault, 2 could not be checked.`,
		Example: `  wardkeeper directory check directory.yaml
  wardkeeper directory check directory.json --bundle my/policies
  wardkeeper directory check https://accounts.example.org/membership --config wardkeeper.yaml
  WARDKEEPER_DIRECTORY=postgres://wardkeeper@db/app wardkeeper directory check`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().StringVar(&c.config, config.FileFlag, "", "YAML `FILE` of the settings of serve")
	cmd.Flags().StringVar(&c.bundle, "bundle", "", "take the tables of the policy at `PATH` instead of the built-in ones")
	cmd.Flags().StringVar(&c.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in those")
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
	roots, err := organizations(ctx, file.Directory())
	if err != nil {
		return err
	}
	status := file.Status()
	return printLine(p.stdout, fmt.Sprintf("%s is good: %s", terminal.Printable(s.Directory),
		records(survey.Result{Locations: status.Locations, Organizations: roots, Users: status.Users})))
}

// settings are those of serve. A file that is named needs none of them.
func (c *directoryCheck) settings(p process, args []string) (*config.Settings, error) {
	if len(args) == 1 && config.KindOf(args[0]) == config.FileDirectory {
		s := config.Default()
		s.Directory = args[0]
		return s, nil
	}
	given := map[string]string{}
	if c.config != "" {
		given[config.FileFlag] = c.config
	}
	s, err := config.Load(p.environ, given)
	if len(args) == 1 {
		s.Directory = args[0]
	}
	if s.Directory == "" && err == nil {
		return nil, errors.New("FILE is missing: name a file or an address, or a directory in the settings")
	}
	s.Redis, s.ChangesTokenFile = "", "" // what is shared is not asked
	return s, errors.Join(err, s.ValidateMembership())
}

// survey checks an application or a database.
func (c *directoryCheck) survey(ctx context.Context, p process, s *config.Settings) error {
	policy, err := openPolicy(ctx, c.bundle, c.decision)
	if err != nil {
		return err
	}
	m := &s.Membership
	m.HTTP.Timeout, m.Postgres.Timeout = max(m.HTTP.Timeout, surveyTimeout), max(m.Postgres.Timeout, surveyTimeout)
	origin, err := openOrigin(s, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = origin.Close() }()
	progress := terminal.NewProgress(p.stderr)
	cfg := survey.Config{
		Origin: origin, Patience: 5 * surveyTimeout, Progress: func(done int) { progress.Count(done, "record") },
	}
	if v := policy.Vocabulary(); v != nil {
		cfg.Vocabulary = *v
	}
	found, err := survey.Run(ctx, cfg)
	progress.Clear()
	var faults *record.Faults
	switch {
	case errors.As(err, &faults):
		return errors.Join(printFaults(p.stdout, faults), printLine(p.stdout, fmt.Sprintf("%s is at fault: %s in %s",
			terminal.Printable(config.PublicName(s.Directory)), terminal.Count(faults.Count(), "fault"), records(found))))
	case err != nil && found == survey.Result{}:
		return fmt.Errorf("%s cannot be read: %w", config.PublicName(s.Directory), err)
	case err != nil:
		return fmt.Errorf("%s could not be read to its end, after %s: %w", config.PublicName(s.Directory), records(found), err)
	}
	return printLine(p.stdout, fmt.Sprintf("%s is good: %s", terminal.Printable(config.PublicName(s.Directory)), records(found)))
}

func records(found survey.Result) string {
	return fmt.Sprintf("%s in %s, %s", terminal.Count(found.Locations, "location"),
		terminal.Count(found.Organizations, "organization"), terminal.Count(found.Users, "user"))
}
