package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
)

// directoryImport is what `wardkeeper directory import` was told.
type directoryImport struct {
	to, bundle, decision string
	noSchema             bool
}

func newDirectoryImportCommand(p process) *cobra.Command {
	var i directoryImport
	cmd := &cobra.Command{
		Use:   "import FILE --to URL [flags]",
		Short: "Put a directory file into PostgreSQL",
		Long: `Put a directory file into PostgreSQL. The file is checked first, as by "directory check". Then the tables are created, as
"directory schema" prints them, and made to say exactly what the file says, in one transaction: a user or location that
the file does not have is deleted, and what is the same already is left alone.

A password can be left out of the URL and given in the environment, as PGPASSWORD, or in a file, as PGPASSFILE.

Exit status: 0 imported, 1 the file is at fault, 2 it could not be imported.`,
		Example: `  wardkeeper directory import directory.yaml --to postgres://user:password@localhost/app
  wardkeeper directory import directory.json --to postgres://user@localhost/app --no-schema`,
		Args: arguments("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&i.to, "to", "", "`URL` of the database, postgres://user:password@host:port/database")
	flags.BoolVar(&i.noSchema, "no-schema", false, "the tables are there: create nothing")
	flags.StringVar(&i.bundle, "bundle", "", "take the tables of the policy at `PATH` instead of the built-in ones")
	flags.StringVar(&i.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in those")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if i.to == "" {
			return errors.New("--to is missing: name the database, postgres://user:password@host:port/database")
		}
		return i.run(cmd.Context(), p, args[0])
	}
	return cmd
}

func (i *directoryImport) run(ctx context.Context, p process, path string) error {
	file, err := p.openChecked(ctx, path, i.bundle, i.decision)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	d := file.Directory()
	to := pgorigin.Target{URL: i.to, Schema: !i.noSchema}
	progress := terminal.NewProgress(p.stderr)
	err = pgorigin.Import(ctx, to, d, func(done, all int) { progress.Of(done, all, "step") })
	progress.Clear()
	if err != nil {
		return fmt.Errorf("nothing is imported: %w", err)
	}
	return printLine(p.stdout, fmt.Sprintf("imported %s, %s into %s",
		terminal.Count(d.LocationCount(), "location"), terminal.Count(d.UserCount(), "user"), config.PublicName(i.to)))
}
