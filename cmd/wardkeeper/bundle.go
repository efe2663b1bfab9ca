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
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/tokens"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// defaultBundle is where a bundle is written unless said otherwise.
const defaultBundle = "policy.tar.gz"

func newBundleCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Make, sign and look into releases of policy",
		Long: `Make, sign and look into releases of policy: bundles in the format of Open Policy Agent, which a server follows
(wardkeeper serve --bundle). Each has a revision, which is its name, and a sequence, which orders releases: a server
refuses one that is older than what it had. Going back is a new release of old content.`,
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

// signing are the flags of the key that signs.
type signing struct{ keyFile, algorithm, keyID string }

func (s *signing) register(flags *pflag.FlagSet) {
	flags.StringVar(&s.keyFile, "signing-key", "", "sign by the private key in `FILE` (PEM, RSA or ECDSA)")
	flags.StringVar(&s.algorithm, "signing-alg", "", "sign by `ALGORITHM`, such as ES256 or RS256 (default: the usual one of the key)")
	flags.StringVar(&s.keyID, "key-id", "default", "`ID` that names the key to those who verify")
}

// key reads the key; nil where none is given. It warns of a key that is no secret on this machine.
func (s *signing) key(p process) (*release.SigningKey, error) {
	if s.keyFile == "" {
		if s.algorithm != "" {
			return nil, errors.New("--signing-alg is for signing: name the --signing-key too")
		}
		return nil, nil
	}
	data, err := os.ReadFile(s.keyFile)
	if err != nil {
		return nil, fmt.Errorf("the signing key cannot be read: %w", err)
	}
	key, err := release.ParseSigningKey(data, s.algorithm, s.keyID)
	if err != nil {
		return nil, fmt.Errorf("the signing key %s: %w", s.keyFile, err)
	}
	if tokens.WorldReadable(s.keyFile) {
		p.say("everybody on this machine can read the signing key: take that right away (chmod o-r %s)", s.keyFile)
	}
	return key, nil
}

// say tells how things go, on the side of what a command prints.
func (p process) say(format string, args ...any) {
	fmt.Fprintf(p.stderr, "wardkeeper: %s\n", terminal.Printable(fmt.Sprintf(format, args...)))
}

// atFault ends a command with the status for a bundle that is not good, or with the one for a bundle that could not be
// judged.
func atFault(err error) error {
	refusal, ok := errors.AsType[*bundles.Refusal](err)
	if ok && refusal.Reason != bundles.Unavailable {
		return &exitError{statusNo, err}
	}
	return &exitError{statusFailed, err}
}

// judge holds a bundle against all that a server would, save for the directory and the order of releases.
func judge(ctx context.Context, a *bundles.Archive, source, decision string) (*bundles.Revision, error) {
	r, err := bundles.Open(ctx, bundles.Config{Archive: a, Source: source, Entrypoint: decision, Schema: inputSchema()})
	if err == nil {
		_, err = prepareAndVerify(ctx, r)
	}
	return r, err
}

// goldenHeld is how many golden decisions a good revision brings.
func goldenHeld(r *bundles.Revision) int {
	if r.Golden == nil {
		return 0
	}
	golden, err := proof.DecodeGolden(r.Golden)
	if err != nil {
		return 0
	}
	return len(golden.Decisions)
}

// publish signs a bundle where there is a key, writes it, and says so.
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
		p.say("release %d lies ahead of the time: sidecars that have had it refuse whatever a commit of today is built into", meta.Sequence)
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

// noFolder refuses a folder where an archive is wanted.
func noFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: make a bundle of it first (wardkeeper bundle build)", path)
	}
	return nil
}
