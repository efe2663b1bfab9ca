package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/release"
)

func newBundleSignCommand(p process) *cobra.Command {
	var s signing
	var output string
	cmd := &cobra.Command{
		Use:   "sign FILE --signing-key KEY [flags]",
		Short: "Sign a bundle",
		Long: `Sign every file of a bundle. An earlier signature is replaced. The content is not checked.

The key is PEM, RSA or ECDSA, not encrypted. A server finds the public key by its id, or tries those without an id. Bundles
made by other tools for OPA can be signed too.

Exit status: 0 signed, 1 the bundle is malformed, 2 not signed.`,
		Example: `  wardkeeper bundle sign policy.tar.gz --signing-key private.pem
  wardkeeper bundle sign policy.tar.gz --signing-key private.pem --key-id 2026-11 -o signed.tar.gz
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private.pem
  openssl pkey -in private.pem -pubout -out public.pem`,
		Args: arguments("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	s.register(flags)
	flags.StringVarP(&output, "output", "o", "", "write the signed bundle to `FILE` (default: in place)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := s.key(p)
		switch {
		case err != nil:
			return err
		case key == nil:
			return errors.New("--signing-key is missing: name the private key to sign with")
		}
		if err := requireArchive(args[0]); err != nil {
			return err
		}
		origin, err := bundleAt(args[0])
		if err != nil {
			return err
		}
		archive, _, err := origin.Fetch(cmd.Context())
		if err != nil {
			return bundleError(err)
		}
		signed, err := key.Sign(archive)
		if err != nil {
			return bundleError(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", args[0], err)))
		}
		output := cmp.Or(output, args[0])
		if err := release.WriteFile(output, signed); err != nil {
			return fmt.Errorf("cannot write the bundle: %w", err)
		}
		return printLine(p.stdout, output+": "+signatureName(key.ID, key.Algorithm))
	}
	return cmd
}
