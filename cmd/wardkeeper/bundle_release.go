package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

// again is what `wardkeeper bundle release` was told.
type again struct {
	from, output, keyFile, decision string
	release                         release.Metadata
	signing                         signing
}

func newBundleReleaseCommand(p process) *cobra.Command {
	var a again
	cmd := &cobra.Command{
		Use:   "release --from OLD.tar.gz [flags]",
		Short: "Release the content of an old bundle again",
		Long: `Release the content of an old bundle again: the way back to a policy that was good, since a server refuses any release
that is older than what it had. The files stay as they are; the manifest gets a new sequence and revision; the old
signature goes. The result is held against all that a server would judge.

The sequence is the time in seconds since 1970, or one more than that of the old bundle if that is higher. The revision
is that of the old bundle with the new sequence behind it, such as 1714d1d4e5f6+1795691474.

Exit status: 0 written, 1 the old bundle is at fault, 2 could not be written.`,
		Example: `  wardkeeper bundle release --from old.tar.gz --verification-key public.pem --signing-key private.pem
  wardkeeper bundle release --from old.tar.gz --revision rollback-of-incident-42 -o policy.tar.gz`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&a.from, "from", "", "the old bundle, a `FILE`")
	flags.StringVarP(&a.output, "output", "o", defaultBundle, "write the new one to `FILE`")
	flags.StringVar(&a.release.Revision, "revision", "", "`NAME` of the release (default: OLD+SEQUENCE)")
	flags.Int64Var(&a.release.Sequence, "sequence", 0, "`NUMBER` that orders it among all releases (default: the time)")
	flags.StringVar(&a.keyFile, "verification-key", "", "`FILE` of public keys, one of which must have signed the old bundle")
	flags.StringVar(&a.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	a.signing.register(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case a.from == "":
			return errors.New("--from is missing: name the old bundle")
		case flags.Changed("sequence") && a.release.Sequence < 1:
			return fmt.Errorf("--sequence is %d: say a whole number above 0", a.release.Sequence)
		}
		return a.run(cmd, p)
	}
	return cmd
}

func (a *again) run(cmd *cobra.Command, p process) error {
	key, err := a.signing.key(p)
	if err != nil {
		return err
	}
	if err := noFolder(a.from); err != nil {
		return err
	}
	origin, err := follow.Settings{Path: a.from, KeyFile: a.keyFile}.Resolve()
	if err != nil {
		return err
	}
	old, _, err := origin.Fetch(cmd.Context())
	if err != nil {
		return atFault(err)
	}
	if key != nil && a.keyFile == "" && old.Signed() {
		p.say("the signature of %s is not verified: name the key that it was signed by (--verification-key)", a.from)
	}
	next, before, err := release.Next(old, time.Now(), a.release.Sequence)
	if err != nil {
		return atFault(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", a.from, err)))
	}
	if next.Sequence <= before {
		return fmt.Errorf("--sequence is %d, and the old bundle has %d: say a higher one", next.Sequence, before)
	}
	next.Revision = cmp.Or(a.release.Revision, next.Revision)
	renewed, err := release.Rerelease(old, next)
	if err != nil {
		return atFault(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", a.from, err)))
	}
	if _, err := judge(cmd.Context(), renewed, a.from, a.decision); err != nil {
		return atFault(err)
	}
	return publish(p, renewed, next, key, a.output)
}
