package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/metrics"
	"github.com/wardkeeper/wardkeeper/policies"
)

func newVersionCommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of Wardkeeper, of the OPA inside it and of the built-in policy",
		Example: "  wardkeeper version",
		Args:    arguments(),
		RunE:    func(*cobra.Command, []string) error { return p.printVersion() },
	}
}

func (p process) printVersion() error {
	archive, err := bundles.ReadTree(policies.Files(), bundles.Limits{})
	if err != nil {
		return err
	}
	policy, err := bundles.Parse(archive)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\nbuilt-in policy: revision %s\n", versionLine(), policy.ID)
	return err
}

// mainVersion returns the version of the program.
func mainVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func versionLine() string {
	commit, opa := builtFrom()
	if commit != "" {
		commit = ", commit " + commit
	}
	return fmt.Sprintf("wardkeeper %s%s, OPA %s, %s %s/%s",
		mainVersion(), commit, opa, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// buildInfo returns the metric that says what is running.
func buildInfo() prometheus.Collector {
	commit, opa := builtFrom()
	return metrics.Build(mainVersion(), commit, opa, runtime.Version())
}

// builtFrom returns the commit that the binary was built from, "" if that is not known, and the version of OPA.
func builtFrom() (commit, opa string) {
	opa = "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
		for _, d := range info.Deps {
			if d.Path == "github.com/open-policy-agent/opa" {
				opa = d.Version
			}
		}
	}
	return commit, opa
}
