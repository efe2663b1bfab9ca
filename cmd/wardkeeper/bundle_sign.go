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
		Long: `Sign a bundle as it is, every file of it; an earlier signature is replaced. It is not judged otherwise.

The key is PEM, RSA or ECDSA, and not encrypted. A server finds the key to verify by its id, or tries those without.
Bundles of any maker of OPA bundles can be signed.

Exit status: 0 signed, 1 the bundle is at fault, 2 could not sign.`,
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
			return errors.New("--signing-key is missing: name the private key to sign by")
		}
		if err := noFolder(args[0]); err != nil {
			return err
		}
		origin, err := bundleAt(args[0])
		if err != nil {
			return err
		}
		archive, _, err := origin.Fetch(cmd.Context())
		if err != nil {
			return atFault(err)
		}
		signed, err := key.Sign(archive)
		if err != nil {
			return atFault(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", args[0], err)))
		}
		output := cmp.Or(output, args[0])
		if err := release.WriteFile(output, signed); err != nil {
			return fmt.Errorf("the bundle cannot be written: %w", err)
		}
		return printLine(p.stdout, output+": "+signatureName(key.ID, key.Algorithm))
	}
	return cmd
}
