package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
)

func newDirectorySchemaCommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the SQL of the tables that hold a directory in PostgreSQL",
		Long: `Print the SQL that creates the tables of a directory in PostgreSQL: users, assignments and locations, with the triggers
that keep the versions of records and tell servers of changes. It may be run again at any time.`,
		Example: `  wardkeeper directory schema | psql postgres://user@localhost/app`,
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(p.stdout, pgorigin.Schema)
			return err
		},
	}
}
