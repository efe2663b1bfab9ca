package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
)

func newDirectoryOpenAPICommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the HTTP API that an application must offer to be a directory",
		Long: `Print the HTTP API that an application must offer so that a server can fetch users and locations from it instead of
reading a directory file: an OpenAPI 3.1 document in YAML.`,
		Example: `  wardkeeper directory openapi > membership.yaml`,
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.stdout, httporigin.OpenAPI())
			return err
		},
	}
}

func newDirectorySchemaCommand(p process) *cobra.Command {
	guards, userList := false, false
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the SQL that creates the tables of a directory in PostgreSQL",
		Long: `Print the SQL that creates the tables of a directory in PostgreSQL: users, assignments and locations, with the triggers
that maintain the versions of records and notify servers of changes. It can be run again at any time.

With --guards, print the SQL that makes these tables refuse what breaks the rules about a user's last location, default location
and roles, and about an organization's last administrator, whoever writes it. With --user-list, print the view over them that the
filter authz/filters/user_list is about (POST /v1/compile). Both need the tables.`,
		Example: `  wardkeeper directory schema | psql postgres://user@localhost/app
  wardkeeper directory schema --guards | psql postgres://user@localhost/app
  wardkeeper directory schema --user-list | psql postgres://user@localhost/app`,
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			sql := pgorigin.Schema
			switch {
			case guards:
				sql = pgorigin.Guards
			case userList:
				sql = pgorigin.UserList
			}
			_, err := io.WriteString(p.stdout, sql)
			return err
		},
	}
	cmd.Flags().BoolVar(&guards, "guards", false, "print the SQL that makes the tables keep the rules that changes can break together")
	cmd.Flags().BoolVar(&userList, "user-list", false, "print the view of the filter of the user list")
	cmd.MarkFlagsMutuallyExclusive("guards", "user-list")
	return cmd
}
