package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// defaultBundle is the default output of the commands that write a bundle.
const defaultBundle = "policy.tar.gz"

func newBundleCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Build, sign and inspect policy bundles",
		Long: `Build, sign and inspect policy bundles, in the format of Open Policy Agent, for servers that follow them
(wardkeeper serve --bundle). A bundle is a release: its revision names it, and its sequence orders it. A server refuses
a release with a lower sequence than one it had before, so a rollback is a new release of the old content.`,
		Example: `  wardkeeper bundle build policies --golden testdata --signing-key private.pem
  wardkeeper bundle verify policy.tar.gz --verification-key public.pem
  wardkeeper bundle inspect policy.tar.gz
  wardkeeper bundle release --from old.tar.gz --verification-key public.pem --signing-key private.pem`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBundleBuildCommand(p), newBundleSignCommand(p), newBundleVerifyCommand(p),
		newBundleInspectCommand(p), newBundleReleaseCommand(p))
	return cmd
}

// signing holds the flags of the signing key.
type signing struct{ keyFile, algorithm, keyID string }

func (s *signing) register(flags *pflag.FlagSet) {
	flags.StringVar(&s.keyFile, "signing-key", "", "sign with the private key in `FILE` (PEM, RSA or ECDSA)")
	flags.StringVar(&s.algorithm, "signing-alg", "", "sign with `ALGORITHM`, such as ES256 or RS256 (default: by the key)")
	flags.StringVar(&s.keyID, "key-id", "default", "`ID` by which verifiers find the public key")
}

// key reads the signing key, or returns nil if none is given. It warns if other users can read the file.
func (s *signing) key(p process) (*release.SigningKey, error) {
	if s.keyFile == "" {
		if s.algorithm != "" {
			return nil, errors.New("--signing-alg requires --signing-key")
		}
		return nil, nil
	}
	data, err := os.ReadFile(s.keyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the signing key: %w", err)
	}
	key, err := release.ParseSigningKey(data, s.algorithm, s.keyID)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", s.keyFile, err)
	}
	if callers.WorldReadable(s.keyFile) {
		p.note("every user of this machine can read the signing key: remove that permission (chmod o-r %s)", s.keyFile)
	}
	return key, nil
}

// note prints a line to standard error, apart from the output of a command.
func (p process) note(format string, args ...any) {
	fmt.Fprintf(p.stderr, "wardkeeper: %s\n", terminal.Printable(fmt.Sprintf(format, args...)))
}

// bundleError adds the exit status to an error: it differs for a refused bundle and one that could not be checked.
func bundleError(err error) error {
	refusal, ok := errors.AsType[*bundles.Refusal](err)
	if ok && refusal.Reason != bundles.Unavailable {
		return &exitError{statusNo, err}
	}
	return &exitError{statusFailed, err}
}

// verifyArchive checks a bundle as a server does, but without a directory and without comparing releases.
func verifyArchive(ctx context.Context, a *bundles.Archive, source, decision string) (*bundles.Revision, error) {
	r, err := bundles.Open(ctx, bundles.Config{Archive: a, Source: source, Entrypoint: decision, Schema: inputSchema()})
	if err == nil {
		_, err = prepareAndVerify(ctx, r, pdp.Prepare)
	}
	return r, err
}

// goldenCount returns the number of golden decisions in a verified revision.
func goldenCount(r *bundles.Revision) int {
	if r.Golden == nil {
		return 0
	}
	golden, err := proof.DecodeGolden(r.Golden)
	if err != nil {
		return 0
	}
	return len(golden.Decisions)
}

// publish signs a bundle if there is a key, writes it, and prints what was written.
func publish(p process, a *bundles.Archive, meta release.Metadata, key *release.SigningKey, output string) error {
	signature := "not signed"
	if key != nil {
		var err error
		if a, err = key.Sign(a); err != nil {
			return err
		}
		signature = signatureName(key.ID, key.Algorithm)
	}
	if err := release.WriteFile(output, a); err != nil {
		return err
	}
	if ahead := time.Unix(meta.Sequence, 0); ahead.After(time.Now().Add(24 * time.Hour)) {
		p.note("release %d is in the future: sidecars that have had it refuse every bundle built from a commit of today", meta.Sequence)
	}
	return printLine(p.stdout, fmt.Sprintf("%s: revision %s, release %d, %s", output, meta.Revision, meta.Sequence, signature))
}

func signatureName(id, algorithm string) string {
	if id == "" {
		return fmt.Sprintf("signed by a key without id (%s)", algorithm)
	}
	return fmt.Sprintf("signed by key %s (%s)", id, algorithm)
}

func printLine(out io.Writer, line string) error {
	_, err := fmt.Fprintln(out, terminal.Printable(line))
	return err
}

// requireArchive returns an error if path is a folder.
func requireArchive(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: build a bundle from it first (wardkeeper bundle build)", path)
	}
	return nil
}
