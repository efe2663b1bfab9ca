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

// rerelease holds the flags of `wardkeeper bundle release`.
type rerelease struct {
	from, output, keyFile, decision, approved string

	release release.Metadata
	signing signing
}

func newBundleReleaseCommand(p process) *cobra.Command {
	var r rerelease
	cmd := &cobra.Command{
		Use:   "release --from OLD.tar.gz [flags]",
		Short: "Release the content of an old bundle again",
		Long: `Release the content of an old bundle again, to roll back to it: a server refuses any release that is older than one it
had. The files are unchanged; the manifest gets a new sequence and revision; the old signature is removed. The result is
checked as a server would check it.

Servers that require approval want what the old policy allows and the new one denies to be approved: "wardkeeper diff NEW OLD" lists it,
and --approved adds the approvals.

The sequence is the current time in seconds since 1970, or one more than that of the old bundle if that is higher. The
revision is that of the old bundle followed by the new sequence, such as 1714d1d4e5f6+1795691474.

Exit status: 0 written, 1 the old bundle is refused, 2 not written.`,
		Example: `  wardkeeper bundle release --from old.tar.gz --verification-key public.pem --signing-key private.pem
  wardkeeper bundle release --from old.tar.gz --revision rollback-of-incident-42 -o policy.tar.gz`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&r.from, "from", "", "old bundle `FILE`")
	flags.StringVarP(&r.output, "output", "o", defaultBundle, "write the new bundle to `FILE`")
	flags.StringVar(&r.approved, "approved", "", "`FILE` with approved changes, instead of the old approved.yaml")
	flags.StringVar(&r.release.Revision, "revision", "", "`NAME` of the release (default: OLD+SEQUENCE)")
	flags.Int64Var(&r.release.Sequence, "sequence", 0, "`NUMBER` that orders it among all releases (default: the current time)")
	flags.StringVar(&r.keyFile, "verification-key", "", "`FILE` of public keys, one of which must have signed the old bundle")
	flags.StringVar(&r.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	r.signing.register(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case r.from == "":
			return errors.New("--from is missing: name the old bundle")
		case flags.Changed("sequence") && r.release.Sequence < 1:
			return fmt.Errorf("--sequence is %d: use a whole number above 0", r.release.Sequence)
		}
		return r.run(cmd, p)
	}
	return cmd
}

func (r *rerelease) run(cmd *cobra.Command, p process) error {
	key, err := r.signing.key(p)
	if err != nil {
		return err
	}
	if err := requireArchive(r.from); err != nil {
		return err
	}
	origin, err := follow.Settings{Path: r.from, KeyFile: r.keyFile}.Resolve()
	if err != nil {
		return err
	}
	old, _, err := origin.Fetch(cmd.Context())
	if err != nil {
		return bundleError(err)
	}
	if key != nil && r.keyFile == "" && old.Signed() {
		p.note("the signature of %s was not verified: name the public key (--verification-key)", r.from)
	}
	next, before, err := release.Next(old, time.Now(), r.release.Sequence)
	if err != nil {
		return bundleError(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", r.from, err)))
	}
	if next.Sequence <= before {
		return fmt.Errorf("--sequence is %d and the old bundle has %d: use a higher one", next.Sequence, before)
	}
	next.Revision = cmp.Or(r.release.Revision, next.Revision)
	approved, err := r.approvals()
	if err != nil {
		return err
	}
	renewed, err := release.Rerelease(old, next, approved)
	if err != nil {
		return bundleError(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", r.from, err)))
	}
	if _, err := verifyArchive(cmd.Context(), renewed, r.from, r.decision); err != nil {
		return bundleError(err)
	}
	return publish(p, renewed, next, key, r.output)
}

// approvals returns the changes to approve; nil if none are named.
func (r *rerelease) approvals() ([]byte, error) {
	if r.approved == "" {
		return nil, nil
	}
	data, err := readApproved(r.approved)
	if err == nil {
		_, err = decodeApprovals(data, r.approved)
	}
	return data, err
}
