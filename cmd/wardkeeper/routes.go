package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

func newRoutesCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Check and explain route files, which say what HTTP requests ask",
		Example: `  wardkeeper routes check routes.yaml
  wardkeeper routes explain routes.yaml GET /users/jane --claims '{"sub": "alice"}'`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRoutesCheckCommand(p), newRoutesExplainCommand(p), newRoutesSchemaCommand(p))
	return cmd
}

// openRoutes reads a route file and prints its faults. If there are any, the error ends the process with status.
func (p process) openRoutes(path string, status int) (*routes.Table, error) {
	table, err := routes.Load(path)
	var faults routes.Faults
	if !errors.As(err, &faults) {
		return table, err
	}
	for _, f := range faults {
		if err := printLine(p.stdout, at(path, f)); err != nil {
			return nil, err
		}
	}
	return nil, &exitError{status: status}
}

// at formats a fault with its position, as compilers do.
func at(path string, f routes.Fault) string {
	position := path + ":" + strconv.Itoa(f.Line)
	if f.Column > 0 {
		position += ":" + strconv.Itoa(f.Column)
	}
	return terminal.Printable(position + ": " + f.Message)
}

func newRoutesCheckCommand(p process) *cobra.Command {
	var bundle, decision string
	cmd := &cobra.Command{
		Use:   "check FILE [flags]",
		Short: "Check a route file and print every fault, or its routes",
		Long: `Check a route file as an adapter does when it reads it. Each fault is printed on a line, with its line and column.
If there are none, the routes are printed in the order in which they are tried.

Warnings do not make a file invalid: an action that the policy does not know, or knows for another type of resource; a public
route that takes other spellings of a path that is asked about; a value drawn from the query of requests with bodies; a keys_file
that cannot be read here; a segment such as * or :id, which is a parameter in other programs.

Exit status: 0 valid, 1 faults found, 2 could not be checked.`,
		Example: `  wardkeeper routes check routes.yaml
  wardkeeper routes check routes.yaml --bundle my/policies --decision app/decision`,
		Args: arguments("FILE"),
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "take the actions of the policy at `PATH` instead of the built-in one")
	cmd.Flags().StringVar(&decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in that policy")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		table, err := p.openRoutes(args[0], statusNo)
		if err != nil {
			return err
		}
		warnings, err := policyWarnings(cmd.Context(), table, bundle, decision)
		if err != nil {
			return err
		}
		warnings = append(warnings, keyWarnings(table)...)
		if err := printRoutes(p.stdout, args[0], table); err != nil {
			return err
		}
		for _, w := range append(table.Warnings(), warnings...) {
			if err := printLine(p.stdout, "warning: "+at(args[0], w)); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// keyWarnings says that the key file that a route file names cannot be used. It may be there where the route file is used.
func keyWarnings(table *routes.Table) []routes.Fault {
	jwt := table.Subject().JWT
	if jwt == nil || jwt.KeysFile == "" {
		return nil
	}
	_, err := jwt.NewVerifier(slog.New(slog.DiscardHandler))
	found, _ := errors.AsType[routes.Faults](err)
	return found
}

// policyWarnings compares the actions of a route file with those of a policy. A policy without a catalogue lists no actions.
func policyWarnings(ctx context.Context, table *routes.Table, bundle, decision string) ([]routes.Fault, error) {
	policy, err := openPolicy(ctx, bundle, decision)
	if err != nil {
		return nil, err
	}
	actions := policy.Actions()
	if len(actions) == 0 {
		return nil, nil
	}
	var found []routes.Fault
	for _, r := range table.Routes() {
		if r.Action == "" {
			continue
		}
		if message := actionWarning(policy, actions, r); message != "" {
			found = append(found, routes.Fault{Line: r.ActionLine, Column: r.ActionColumn, Message: message})
		}
	}
	return found, nil
}

func actionWarning(policy *pdp.Policy, actions []string, r routes.Route) string {
	switch resource := policy.ResourceType(r.Action); resource {
	case "":
		return fmt.Sprintf("the policy has no action %q: %scorrect it, or name the policy that has it with --bundle",
			r.Action, suggest.DidYouMean("", r.Action, actions))
	case r.ResourceType:
		return ""
	default:
		return fmt.Sprintf("the action %s is about resources of type %s, not %s: write resource: {type: %s, id: ...}", r.Action, resource, r.ResourceType, resource)
	}
}

func printRoutes(out io.Writer, path string, table *routes.Table) error {
	public := 0
	var rows [][]string
	for _, r := range table.Routes() {
		asks := r.Action + " on " + r.ResourceType
		switch {
		case r.Public:
			public++
			asks = "nothing: public"
		case r.Action == "":
			asks = "an action of the request, on " + r.ResourceType
		}
		rows = append(rows, []string{strconv.Itoa(r.Line), strings.Join(r.Methods, " "), r.Host + r.Path, asks})
	}
	if err := printLine(out, fmt.Sprintf("%s is valid: %s, %d of them public", terminal.Printable(path), terminal.Count(len(rows), "route"), public)); err != nil {
		return err
	}
	_, err := io.WriteString(out, terminal.Table([]string{"line", "methods", "path", "asks"}, rows))
	return err
}

func newRoutesSchemaCommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of route files",
		Long: `Print the JSON Schema of route files, for editors and other tools. It does not know everything that
"wardkeeper routes check" checks: which routes hide each other, for example.`,
		Example: `  wardkeeper routes schema > routes.schema.json`,
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.stdout, routes.Schema)
			return err
		},
	}
}
