package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
)

func newDirectoryOpenAPICommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print what an application has to offer to be asked for its users and locations",
		Long: `Print what an application has to offer so that a server can ask it for its users and locations, instead of reading a
directory file: an OpenAPI 3.1 document, in YAML.`,
		Example: `  wardkeeper directory openapi > membership.yaml`,
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.stdout, httporigin.OpenAPI())
			return err
		},
	}
}
