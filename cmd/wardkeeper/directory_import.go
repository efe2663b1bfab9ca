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

// directoryImport holds the flags of `wardkeeper directory import`.
type directoryImport struct {
	to, bundle, decision string
	noSchema             bool
}

func newDirectoryImportCommand(p process) *cobra.Command {
	var i directoryImport
	cmd := &cobra.Command{
		Use:   "import FILE --to URL [flags]",
		Short: "Import a directory file into PostgreSQL",
		Long: `Import a directory file into PostgreSQL. The file is checked first, as by "directory check". Then, in one transaction, the
tables are created as "directory schema" prints them, and their content is made equal to the file: users and locations that
the file does not contain are deleted, and unchanged rows are not touched.

The password can be omitted from the URL and given in the environment (PGPASSWORD) or in a file (PGPASSFILE).

Exit status: 0 imported, 1 the file is faulty, 2 could not be imported.`,
		Example: `  wardkeeper directory import directory.yaml --to postgres://user:password@localhost/app
  wardkeeper directory import directory.json --to postgres://user@localhost/app --no-schema`,
		Args: arguments("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&i.to, "to", "", "`URL` of the database, postgres://user:password@host:port/database")
	flags.BoolVar(&i.noSchema, "no-schema", false, "do not create the tables: they exist")
	flags.StringVar(&i.bundle, "bundle", "", "use the tables of the policy at `PATH` instead of the built-in one")
	flags.StringVar(&i.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in that policy")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if i.to == "" {
			return errors.New("--to is missing: name the database, postgres://user:password@host:port/database")
		}
		if config.KindOf(args[0]) != config.FileDirectory {
			return errors.New("FILE is an address: only a file can be imported")
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
		return fmt.Errorf("nothing was imported: %w", err)
	}
	return printLine(p.stdout, fmt.Sprintf("imported %s, %s into %s",
		terminal.Count(d.LocationCount(), "location"), terminal.Count(d.UserCount(), "user"), config.PublicName(i.to)))
}
