package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

func newBundleInspectCommand(p process) *cobra.Command {
	var keyFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE|DIR [flags]",
		Short: "Show the content of a bundle, with its tables",
		Long: `Show the content of a bundle or a policy folder: the release, the signature, the rule that decides, the files with their
sizes in bytes, and every table. Nothing is checked except the signature, with --verification-key.

Exit status: 0 shown, 1 malformed or refused, 2 could not be read.`,
		Example: `  wardkeeper bundle inspect policy.tar.gz
  wardkeeper bundle inspect policy.tar.gz --verification-key public.pem --json
  wardkeeper bundle inspect policies`,
		Args: arguments("FILE|DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&keyFile, "verification-key", "", "`FILE` of public keys, one of which must have signed the bundle")
	flags.BoolVar(&asJSON, "json", false, "print the content as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		origin, err := follow.Settings{Path: args[0], KeyFile: keyFile}.Resolve()
		if err != nil {
			return err
		}
		archive, verified, err := origin.Fetch(cmd.Context())
		if err != nil {
			return bundleError(err)
		}
		contents, err := release.Inspect(archive, verified)
		if err != nil {
			return bundleError(bundles.Refuse(bundles.Malformed, fmt.Errorf("%s: %w", args[0], err)))
		}
		if asJSON {
			data, err := json.Marshal(contents)
			if err != nil {
				return err
			}
			return printLine(p.stdout, string(data))
		}
		return printContents(p.stdout, contents)
	}
	return cmd
}

func printContents(out io.Writer, c *release.Contents) error {
	sequence := "none"
	if c.Sequence > 0 {
		sequence = fmt.Sprint(c.Sequence)
	}
	signature := "none"
	if s := c.Signature; s != nil {
		verified := "not verified"
		if s.Verified {
			verified = "verified"
		}
		signature = signatureName(s.KeyID, s.Algorithm) + ", " + verified
	}
	roots := strings.Join(c.Roots, ", ")
	if slices.Contains(c.Roots, "") {
		roots = "all of data"
	}
	facts := [][]string{
		{"revision", orNone(c.Revision)}, {"sequence", sequence}, {"content", c.ID}, {"signature", signature},
		{"roots", orNone(roots)}, {"rego version", fmt.Sprint(c.RegoVersion)},
		{"entrypoint", orNone(strings.Join(c.Entrypoints, ", "))}, {"golden decisions", fmt.Sprint(c.Golden)},
	}
	files := make([][]string, 0, len(c.Files))
	bytes := 0
	for _, f := range c.Files {
		bytes += f.Size
		files = append(files, []string{fmt.Sprintf("%8d", f.Size), f.Name})
	}
	text := terminal.Table(nil, facts) + fmt.Sprintf("\n%s, %s\n", terminal.Count(len(files), "file"), terminal.Count(bytes, "byte")) + terminal.Table(nil, files)
	for _, t := range c.Tables {
		text += "\n" + terminal.Printable(strings.TrimSuffix("data."+t.Path, ".")) + "\n" + tableText(t)
	}
	_, err := io.WriteString(out, text)
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func tableText(t release.Table) string {
	rows := make([][]string, 0, len(t.Rows))
	for _, row := range t.Rows {
		cells := []string{row.Name}
		for _, cell := range row.Cells {
			cells = append(cells, terminal.Value(cell))
		}
		rows = append(rows, cells)
	}
	return terminal.Table(append([]string{""}, t.Columns...), rows)
}
