package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// logExport is a run of `wardkeeper log export`.
type logExport struct {
	p                 process
	filter            logFilter
	format            string
	instance          string
	decision, keyFile string
	unverified        bool
}

func newLogExportCommand(p process) *cobra.Command {
	x := logExport{p: p}
	cmd := &cobra.Command{
		Use:   "export DIR [flags]",
		Short: "Print the decisions in a log in a format of other tools",
		Long: `Print the records in a log of decisions, which may be in use, one a line: all of them, or those that all given flags match. The
formats are json (our own), opa (events of OPA's decision logs) and fhir (FHIR R4 AuditEvents).

The log is verified first, as by "wardkeeper log verify", and nothing is printed if it is broken. --unverified prints what can be
read nevertheless.

Exit status: 0 printed, 1 the log is broken, 2 the log cannot be read.`,
		Example: `  wardkeeper log export /var/log/wardkeeper/decisions --format fhir --since 24h >audit.ndjson
  wardkeeper log export decisions --format opa --key log-public.pem --subject alice`,
		Args: arguments("DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&x.format, "format", string(decisionformat.JSON), "`FORMAT`: "+strings.Join(lineFormats(), ", "))
	x.filter.register(flags)
	flags.StringVar(&x.keyFile, "key", "", "`FILE` of public keys (PEM), by one of which the log must be signed")
	flags.BoolVar(&x.unverified, "unverified", false, "print what can be read of a log that is broken")
	flags.StringVar(&x.instance, "instance", "wardkeeper", "`NAME` of the server that decided, for opa and fhir")
	flags.StringVar(&x.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decided, for opa")
	cmd.RunE = func(_ *cobra.Command, args []string) error { return x.run(args[0]) }
	return cmd
}

// lineFormats returns the formats that are lines of text.
func lineFormats() (names []string) {
	for _, f := range decisionformat.All() {
		if f.Lines() {
			names = append(names, string(f))
		}
	}
	return names
}

func (x *logExport) run(dir string) error {
	var err error
	if !slices.Contains(lineFormats(), x.format) {
		err = fmt.Errorf("--format is %q: %schoose from %s", x.format, suggest.DidYouMean("", x.format, lineFormats()), strings.Join(lineFormats(), ", "))
	}
	keys, fault := readVerificationKeys(x.keyFile)
	if err = errors.Join(err, x.filter.parse(time.Now()), fault); err != nil {
		return err
	}
	if !x.unverified {
		_, err := decisionlog.Verify(dir, keys)
		if _, broken := errors.AsType[*decisionlog.Fault](err); broken {
			return &exitError{statusNo, fmt.Errorf("%s is broken, so nothing is exported: %w\n--unverified exports what can be read", dir, err)}
		}
		if err != nil {
			return fmt.Errorf("the log cannot be verified: %w", err)
		}
	}
	out := bufio.NewWriterSize(x.p.stdout, 64<<10)
	broken, err := x.print(dir, out)
	if err = errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if broken {
		return &exitError{status: statusNo}
	}
	return nil
}

func (x *logExport) print(dir string, out *bufio.Writer) (broken bool, err error) {
	origin := decisionformat.Origin{Instance: x.instance, Version: mainVersion(), Decision: x.decision}
	progress := terminal.NewProgress(x.p.stderr)
	defer progress.Clear()
	read := 0
	return x.p.readLog(dir, func(raw []byte, e *decisionrecord.Entry) error {
		if read++; read%1000 == 0 {
			progress.Count(read, "record")
		}
		if !x.filter.matches(e) {
			return nil
		}
		line, err := decisionformat.Format(x.format).Encode(origin, raw)
		if err != nil {
			return fmt.Errorf("record %s: %w", e.ID, err)
		}
		_, err = out.WriteString(terminal.Printable(string(line)) + "\n")
		return err
	})
}
