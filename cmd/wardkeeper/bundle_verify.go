package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

func newBundleVerifyCommand(p process) *cobra.Command {
	var keyFile, settings, decision string
	cmd := &cobra.Command{
		Use:   "verify FILE [flags]",
		Short: "Check a bundle as a server would",
		Long: `Check a bundle as a server would before it takes it: its signature, by the keys of --verification-key or of
policy.bundle in a server's settings; its limits and roots; that it compiles; its tables; a decision on a question that
nobody asks; and every golden decision that it brings.

What only a server can tell is left out: whether its directory fits, and whether it had a later release already.

Exit status: 0 good, 1 at fault, 2 could not be checked.`,
		Example: `  wardkeeper bundle verify policy.tar.gz --verification-key public.pem
  wardkeeper bundle verify policy.tar.gz --config wardkeeper.yaml`,
		Args: arguments("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&keyFile, "verification-key", "", "`FILE` of public keys, one of which must have signed the bundle")
	flags.StringVar(&settings, "config", "", "YAML `FILE` of a server's settings, whose keys and limits are taken")
	flags.StringVar(&decision, "decision", "", "`PATH` of the rule that decides (default: that of the settings, or "+config.DefaultDecision+")")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if keyFile == "" && settings == "" {
			return errors.New("by which keys? Name them with --verification-key, or a server's settings with --config")
		}
		if err := noFolder(args[0]); err != nil {
			return err
		}
		origin, configured, err := verifying(settings, keyFile)
		if err != nil {
			return err
		}
		origin.Path = args[0]
		following, err := origin.Resolve()
		if err != nil {
			return err
		}
		r, err := following.Open(cmd.Context(), cmp.Or(decision, configured), inputSchema())
		if err == nil {
			_, err = prepareAndVerify(cmd.Context(), r)
		}
		if err != nil {
			return atFault(err)
		}
		return printVerified(p, origin, r)
	}
	return cmd
}

// verifying is an origin with the keys and limits of a server's settings, and the rule by which that decides. Where its
// bundles come from does not matter.
func verifying(settings, keyFile string) (o follow.Settings, decision string, err error) {
	given := map[string]string{}
	if settings != "" {
		given[config.FileFlag] = settings
	}
	s, err := config.Load(nil, given)
	if err != nil {
		return o, "", err
	}
	if s.PolicyBundle != nil {
		o = *s.PolicyBundle
	}
	o.Service, o.Resource, o.StateDir = nil, "", ""
	o.KeyFile = cmp.Or(keyFile, s.VerificationKey, o.KeyFile)
	if keyFile != "" {
		o.AllowUnsigned = false
	}
	if o.KeyFile == "" && len(o.Keys) == 0 && !o.AllowUnsigned {
		return o, "", fmt.Errorf("%s names no keys: name them in policy.bundle (keys or key_file), or with --verification-key", settings)
	}
	return o, s.Decision, nil
}

func printVerified(p process, o follow.Settings, r *bundles.Revision) error {
	signature := "none, which is allowed by the settings"
	if _, named := o.Keys[r.SignedBy]; r.Verified && named {
		signature = "holds, by key " + r.SignedBy
	} else if r.Verified {
		signature = "holds, by a key of " + o.KeyFile
	}
	golden := "none"
	if n := goldenHeld(r); n > 0 {
		golden = fmt.Sprintf("%d, as they have to be", n)
	}
	lines := []string{
		fmt.Sprintf("%s is good: policy %s", r.Source, strings.TrimSuffix(policyName(r), " ("+r.Source+")")),
		"  signature         " + signature,
		"  entrypoint        " + r.Entrypoint,
		"  golden decisions  " + golden,
	}
	for _, line := range lines {
		if err := printLine(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
