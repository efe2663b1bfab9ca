package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

func newDirectoryCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "directory",
		Short: "Work with a directory of locations and users",
		Example: `  wardkeeper directory check directory.yaml
  wardkeeper directory generate --users 200000 -o directory.json`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDirectoryCheckCommand(p), newDirectoryGenerateCommand(p), newDirectoryImportCommand(p),
		newDirectorySchemaCommand(p), newDirectoryOpenAPICommand(p))
	return cmd
}

func newDirectoryCheckCommand(p process) *cobra.Command {
	var bundle, decision string
	cmd := &cobra.Command{
		Use:   "check FILE [flags]",
		Short: "Check a directory file and print every fault",
		Long: `Check a directory file, as a server would when it reads it, and print every fault on a line of its own.

Which roles, levels and areas there are follows from the policy's tables.

Exit status: 0 good, 1 at fault, 2 could not be checked.`,
		Example: `  wardkeeper directory check directory.yaml
  wardkeeper directory check directory.json --bundle my/policies`,
		Args: arguments("FILE"),
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "take the tables of the policy at `PATH` instead of the built-in ones")
	cmd.Flags().StringVar(&decision, "decision", defaultDecision, "`PATH` of the rule that decides in those")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := p.openChecked(cmd.Context(), args[0], bundle, decision)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		roots, err := organizations(cmd.Context(), file.Directory())
		if err != nil {
			return err
		}
		status := file.Status()
		_, err = fmt.Fprintf(p.stdout, "%s is good: %s in %s, %s\n", printable(args[0]),
			counted(status.Locations, "location"), counted(roots, "organization"), counted(status.Users, "user"))
		return err
	}
	return cmd
}

// openChecked reads a directory file by the tables of a policy, and prints the faults where there are any.
func (p process) openChecked(ctx context.Context, path, bundle, decision string) (*membership.File, error) {
	policy, err := openLocal(ctx, bundle, decision)
	if err != nil {
		return nil, err
	}
	file, err := openDirectory(path, policy.Vocabulary(), slog.New(slog.DiscardHandler))
	var faults *membership.Faults
	if errors.As(err, &faults) {
		return nil, printFaults(p.stdout, faults)
	}
	return file, err
}

// organizations counts the roots.
func organizations(ctx context.Context, v pdp.View) (int, error) {
	n := 0
	for q := (pdp.LocationQuery{}); ; {
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

func printFaults(out io.Writer, faults *membership.Faults) error {
	all := faults.All()
	for _, f := range all {
		if _, err := fmt.Fprintln(out, printable(f)); err != nil {
			return err
		}
	}
	if rest := faults.Count() - len(all); rest > 0 {
		fmt.Fprintf(out, "and %d more\n", rest)
	}
	return &exitError{status: statusNo}
}
