package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func newDirectoryCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "directory",
		Short: "Check, generate and import directories of locations and users",
		Example: `  wardkeeper directory check directory.yaml
  wardkeeper directory generate --users 200000 -o directory.json`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDirectoryCheckCommand(p), newDirectoryGenerateCommand(p), newDirectoryImportCommand(p),
		newDirectorySchemaCommand(p), newDirectoryOpenAPICommand(p))
	return cmd
}

// openChecked opens a directory file, checks it against the tables of a policy, and prints its faults.
func (p process) openChecked(ctx context.Context, path, bundle, decision string) (*directory.File, error) {
	policy, err := openPolicy(ctx, bundle, decision)
	if err != nil {
		return nil, err
	}
	file, err := openDirectory(path, policy.Vocabulary(), slog.New(slog.DiscardHandler), nil)
	var faults *record.Faults
	if errors.As(err, &faults) {
		return nil, printFaults(p.stdout, faults)
	}
	return file, err
}

// countOrganizations counts the roots among the locations.
func countOrganizations(ctx context.Context, v facts.View) (int, error) {
	n := 0
	for q := (facts.LocationQuery{}); ; {
		page, err := v.Locations(ctx, q)
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, l := range page {
			if l.Parent() == nil {
				n++
			}
		}
		q.After = page[len(page)-1].ID()
	}
}

func printFaults(out io.Writer, faults *record.Faults) error {
	all := faults.All()
	for _, f := range all {
		if _, err := fmt.Fprintln(out, terminal.Printable(f)); err != nil {
			return err
		}
	}
	if rest := faults.Count() - len(all); rest > 0 {
		fmt.Fprintf(out, "and %d more\n", rest)
	}
	return &exitError{status: statusNo}
}
