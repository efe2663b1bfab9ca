package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
)

func newBundleVerifyCommand(p process) *cobra.Command {
	var keyFile, settings, decision string
	cmd := &cobra.Command{
		Use:   "verify FILE [flags]",
		Short: "Verify a bundle as a server would",
		Long: `Verify a bundle as a server does before it activates it: the signature, with the keys of --verification-key or of
policy.bundle in a server's settings; limits and roots; that it compiles; its tables; the decision on a probe question;
and every golden decision in it.

Two checks need a server and are left out: whether its directory fits the policy, and whether it has had a later release.

Exit status: 0 valid, 1 refused, 2 could not be checked.`,
		Example: `  wardkeeper bundle verify policy.tar.gz --verification-key public.pem
  wardkeeper bundle verify policy.tar.gz --config wardkeeper.yaml`,
		Args: arguments("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&keyFile, "verification-key", "", "`FILE` of public keys, one of which must have signed the bundle")
	flags.StringVar(&settings, "config", "", "YAML `FILE` with a server's settings, for keys and limits")
	flags.StringVar(&decision, "decision", "", "`PATH` of the rule that decides (default: from the settings, else "+config.DefaultDecision+")")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if keyFile == "" && settings == "" {
			return errors.New("no keys to verify with: use --verification-key, or --config with a server's settings")
		}
		if err := requireArchive(args[0]); err != nil {
			return err
		}
		origin, configured, err := verificationSettings(settings, keyFile)
		if err != nil {
			return err
		}
		origin.Path = args[0]
		following, err := origin.Resolve()
		if err != nil {
			return err
		}
		r, err := following.Open(cmd.Context(), cmp.Or(decision, configured), inputSchema())
		if err != nil {
			return bundleError(err)
		}
		policy, err := prepareAndVerify(cmd.Context(), r, pdp.Prepare)
		if err != nil {
			return bundleError(err)
		}
		return printVerified(p, origin, policy)
	}
	return cmd
}

// verificationSettings returns the keys and limits of a server's settings, and the path of the rule that decides. It ignores
// where the server's bundles come from.
func verificationSettings(settings, keyFile string) (o follow.Settings, decision string, err error) {
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
		return o, "", fmt.Errorf("%s names no keys: add keys or key_file to policy.bundle, or use --verification-key", settings)
	}
	return o, s.Decision, nil
}

func printVerified(p process, o follow.Settings, policy *pdp.Policy) error {
	r := policy.Revision()
	signature := "none, which the settings allow"
	if _, named := o.Keys[r.SignedBy]; r.Verified && named {
		signature = "valid, key " + r.SignedBy
	} else if r.Verified {
		signature = "valid, a key of " + o.KeyFile
	}
	golden := "none"
	if n := goldenCount(r); n > 0 {
		golden = fmt.Sprintf("%d, all as expected", n)
	}
	evaluator := policy.Evaluator().Name
	if because := policy.Evaluator().Because; because != "" {
		evaluator += ", because it cannot be compiled: " + terminal.Printable(because)
	}
	lines := []string{
		fmt.Sprintf("%s is valid: policy %s", r.Source, strings.TrimSuffix(policyName(r), " ("+r.Source+")")),
		"  signature         " + signature,
		"  entrypoint        " + r.Entrypoint,
		"  golden decisions  " + golden,
		"  evaluator         " + evaluator,
	}
	for _, line := range lines {
		if err := printLine(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
