package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
)

func newLogKeyCommand(p process) *cobra.Command {
	return &cobra.Command{
		Use:   "key FILE",
		Short: "Make a key that signs a log of decisions",
		Long: `Make an Ed25519 key that signs the checkpoints of a log of decisions, write it to FILE as PEM, readable only by its owner, and print
the public half, by which the log is verified. A file that exists is not replaced.

Exit status: 0 written, 2 not written.`,
		Example: `  wardkeeper log key log-private.pem >log-public.pem
  openssl pkey -in log-private.pem -pubout`,
		Args: arguments("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			private, public, err := decisionlog.EncodeKey(key)
			if err != nil {
				return err
			}
			if err := writeNewKey(args[0], private); err != nil {
				return err
			}
			_, err = p.stdout.Write(public)
			return err
		},
	}
}

func writeNewKey(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: name another file", path)
	}
	if err != nil {
		return fmt.Errorf("cannot write the key: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("cannot write the key: %w", err), os.Remove(path))
	}
	return nil
}
