package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

func newRootCommand(p process) *cobra.Command {
	root := &cobra.Command{
		Use:   "wardkeeper",
		Short: "A policy-as-code authorization sidecar: decides who may do what, where",
		Long: `Wardkeeper decides who may do what, where. It evaluates policies written in Rego over the locations, users and
assignments of a directory, and answers through the OpenID AuthZEN Authorization API 1.0.`,
		Example: `  wardkeeper serve --directory directory.yaml
  wardkeeper ask alice assignment.remove jane --at ghi --from metro
  wardkeeper status --watch
  wardkeeper directory check directory.yaml
  wardkeeper bundle build policies --signing-key private.pem
  wardkeeper routes check routes.yaml`,
		SilenceUsage:  true, // the usage would hide the message
		SilenceErrors: true, // run prints them
		Args:          noSuchCommand,
	}
	version := root.Flags().BoolP("version", "v", false, "version for wardkeeper")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			return p.printVersion()
		}
		return cmd.Help()
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(explainFlagError)
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return errors.Join(err, noSuchCommand(cmd, rest))
			}
			return cmd.Help()
		},
	})
	root.AddCommand(newServeCommand(p), newAskCommand(p), newExplainCommand(p), newStatusCommand(p), newBenchCommand(p), newDirectoryCommand(p), newBundleCommand(p), newRoutesCommand(p), newDoctorCommand(p), newLogCommand(p), newMutateCommand(p), newVerifyCommand(p), newDiffCommand(p), newReviewCommand(p), newAttackCommand(p),
		newVersionCommand(p))
	return root
}

// noSuchCommand returns an error for an argument of a command that has only subcommands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("there is no command %q: %s%q lists them",
		cmd.CommandPath()+" "+args[0], suggest.DidYouMean("", args[0], names), cmd.CommandPath()+" --help")
}

// explainFlagError adds the flag that was probably meant.
func explainFlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if name := unknown.GetSpecifiedName(); len(name) > 1 {
		return fmt.Errorf("there is no flag --%s: %s%q lists them",
			name, suggest.DidYouMean("--", name, names), cmd.CommandPath()+" --help")
	}
	return fmt.Errorf("%w: %q lists the flags", err, cmd.CommandPath()+" --help")
}

// arguments requires exactly one argument for each name.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing: %s", strings.Join(names[len(args):], " "), cmd.UseLine())
		case len(args) > len(names):
			return fmt.Errorf("%q is one argument too many: %s", args[len(names)], cmd.UseLine())
		}
		return nil
	}
}
