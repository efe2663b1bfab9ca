package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// maxKeyFile limits the size of a file of public keys in bytes.
const maxKeyFile = 1 << 20

func newLogVerifyCommand(p process) *cobra.Command {
	var keyFile string
	var checkpoints []string
	cmd := &cobra.Command{
		Use:   "verify DIR [flags]",
		Short: "Verify that a log of decisions is as it was written",
		Long: `Verify a log of decisions: that each line follows the one before, that heads and checkpoints are signed, and that missing segments
were deleted by size or age. The first line that is broken is named. A server may be writing the log.

Without --key, anybody who can write to the folder could have made all of it. Also, whoever removes the end of a log leaves
what looks like the log of an earlier time: name a checkpoint that is known from elsewhere, such as from the server's own log ("decision
log checkpoint") or from an earlier verification.

Exit status: 0 intact, 1 broken, 2 could not be verified.`,
		Example: `  wardkeeper log verify /var/log/wardkeeper/decisions --key log-public.pem
  wardkeeper log verify decisions --key log-public.pem --checkpoint 1204:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`,
		Args: arguments("DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&keyFile, "key", "", "`FILE` of public keys (PEM, Ed25519), by one of which each head and checkpoint must be signed")
	flags.StringArrayVar(&checkpoints, "checkpoint", nil, "checkpoint `SEQ:HASH` that must be in the log; may be repeated")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var known []decisionlog.Checkpoint
		for _, text := range checkpoints {
			c, err := parseCheckpoint(text)
			if err != nil {
				return err
			}
			known = append(known, c)
		}
		keys, err := readVerificationKeys(keyFile)
		if err != nil {
			return err
		}
		report, err := decisionlog.Verify(args[0], keys, known...)
		if _, broken := errors.AsType[*decisionlog.Fault](err); broken {
			return &exitError{statusNo, fmt.Errorf("%s is broken: %w\n%s", args[0], err, precedes(report))}
		}
		if err != nil {
			return fmt.Errorf("the log cannot be verified: %w", err)
		}
		return printReport(p, args[0], report)
	}
	return cmd
}

// readVerificationKeys returns none without a file.
func readVerificationKeys(path string) ([]ed25519.PublicKey, error) {
	if path == "" {
		return nil, nil
	}
	data, err := rotation.Read(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("the key file cannot be read: %w", err)
	}
	keys, err := decisionlog.ParseVerificationKeys(data)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return keys, nil
}

// parseCheckpoint parses SEQ:HASH.
func parseCheckpoint(text string) (c decisionlog.Checkpoint, err error) {
	seq, hash, _ := strings.Cut(text, ":")
	c.Seq, err = strconv.ParseUint(seq, 10, 64)
	c.Hash = strings.ToLower(hash)
	if sum, errHex := hex.DecodeString(c.Hash); err != nil || errHex != nil || len(sum) != 32 {
		return c, fmt.Errorf("--checkpoint %q: write it as SEQ:HASH, with the 64 hexadecimal digits that the log shows", text)
	}
	return c, nil
}

// precedes says what is intact before a fault.
func precedes(r decisionlog.Report) string {
	if r.Records == 0 {
		return "no record before it could be verified"
	}
	return fmt.Sprintf("records %d to %d before it follow one another", r.First, r.Last)
}

func printReport(p process, dir string, r decisionlog.Report) error {
	records := "none"
	if r.Records > 0 {
		records = fmt.Sprintf("%d, from %d (%s) to %d (%s)", r.Records, r.First, r.From.UTC().Format(time.RFC3339), r.Last, r.To.UTC().Format(time.RFC3339))
	}
	signatures := "not checked: name the public key (--key)"
	if r.Signatures > 0 {
		signatures = fmt.Sprintf("%d, all valid", r.Signatures)
	}
	lines := []string{
		terminal.Printable(dir) + " is intact",
		"  log         " + r.Log,
		"  records     " + records,
		fmt.Sprintf("  segments    %d", r.Segments),
		"  signatures  " + signatures,
	}
	if r.Signatures > 0 {
		lines = append(lines, fmt.Sprintf("  checkpoint  %d:%s (keep it elsewhere: it shows later whether the end was removed)", r.Checkpoint.Seq, r.Checkpoint.Hash))
	}
	for _, note := range []struct {
		applies bool
		text    string
	}{
		{r.Signatures > 0 && r.Unsigned > 0, fmt.Sprintf("  unsigned    the last %d records, which anybody could have changed", r.Unsigned)},
		{r.Lost > 0, fmt.Sprintf("  lost        %d records that could not be written", r.Lost)},
		{r.Deleted > 0, fmt.Sprintf("  deleted     the first %d segments, by size or age", r.Deleted)},
		{r.Passed > 0, fmt.Sprintf("  deleted     %d of the checkpoints named, with their segments", r.Passed)},
		{r.Torn > 0, fmt.Sprintf("  incomplete  %d bytes of a last line: a server is writing it, or was killed", r.Torn)},
		{!r.Closed, "  end         the server is running, or did not stop in order"},
	} {
		if note.applies {
			lines = append(lines, note.text)
		}
	}
	for _, line := range lines {
		if err := printLine(p.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
