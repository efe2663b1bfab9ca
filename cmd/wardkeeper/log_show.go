package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// rowsPerTable is the number of rows that are aligned together: a log may be longer than the memory.
const rowsPerTable = 500

// logFilter selects records of a log of decisions.
type logFilter struct {
	subject, action, resource, outcome string
	since, until                       string
	keyFiles                           []string

	from, to            time.Time // parsed
	subjects, resources []string  // as they are in records
}

func (f *logFilter) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.subject, "subject", "", "who asked: the `ID` of the subject")
	flags.StringVar(&f.resource, "user", "", "whom or what it was about: the `ID` of the resource")
	flags.StringVar(&f.action, "action", "", "`NAME` of the action")
	flags.StringVar(&f.outcome, "outcome", "", "`OUTCOME`: "+strings.Join(outcomes, ", "))
	flags.StringVar(&f.since, "since", "", "not before `TIME`: 2026-01-31, 2026-01-31T12:00:00Z, or 24h ago")
	flags.StringVar(&f.until, "until", "", "before `TIME`")
	flags.StringArrayVar(&f.keyFiles, "pseudonym-key-file", nil, "`FILE` with the key of the log's pseudonyms; repeated if the key was replaced")
}

func newLogShowCommand(p process) *cobra.Command {
	var f logFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show DIR [flags]",
		Short: "Show the decisions in a log",
		Long: `Show the records in a log of decisions, which may be in use, in their order: all of them, or those that all given flags match.

If the log has pseudonyms instead of ids, --pseudonym-key-file names the key that they were made with, or several flags the keys, and
--subject and --user are ids as ever.

Exit status: 0 shown, 1 a part of the log is broken ("wardkeeper log verify" says which), 2 the log cannot be read.`,
		Example: `  wardkeeper log show /var/log/wardkeeper --subject alice --outcome denied --since 24h
  wardkeeper log show /var/log/wardkeeper --user jane --json`,
		Args: arguments("DIR"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.register(flags)
	flags.BoolVar(&asJSON, "json", false, "print each record as a line of JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := f.parse(time.Now()); err != nil {
			return err
		}
		return p.showLog(args[0], &f, asJSON)
	}
	return cmd
}

var outcomes = []string{decisionrecord.Allowed, decisionrecord.Denied, decisionrecord.Failed, decisionrecord.Listed, decisionrecord.Answered}

// parse checks the flags.
func (f *logFilter) parse(now time.Time) (err error) {
	if f.outcome != "" && !slices.Contains(outcomes, f.outcome) {
		return fmt.Errorf("--outcome is %q: use %s", f.outcome, strings.Join(outcomes, ", "))
	}
	var faults [2]error
	f.from, faults[0] = parseMoment("--since", f.since, now)
	f.to, faults[1] = parseMoment("--until", f.until, now)
	if len(f.keyFiles) == 0 {
		f.subjects, f.resources = []string{f.subject}, []string{f.resource}
	}
	for _, path := range f.keyFiles {
		key, err := os.ReadFile(path)
		if err != nil {
			return errors.Join(faults[0], faults[1], fmt.Errorf("--pseudonym-key-file: %w", err))
		}
		f.subjects, f.resources = append(f.subjects, decisionrecord.Pseudonym(key, f.subject)), append(f.resources, decisionrecord.Pseudonym(key, f.resource))
	}
	return errors.Join(faults[:]...)
}

// parseMoment parses a date, a time, or how long ago it was; the zero time for "".
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is %q: use a date such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, or how long ago, such as 24h", flag, text)
}

func (f *logFilter) matches(e *decisionrecord.Entry) bool {
	return (f.subject == "" || slices.Contains(f.subjects, e.Subject())) && (f.resource == "" || slices.Contains(f.resources, e.Resource())) &&
		(f.action == "" || e.Action() == f.action) && (f.outcome == "" || e.Outcome == f.outcome) &&
		(f.from.IsZero() || !e.Time.Before(f.from)) && (f.to.IsZero() || e.Time.Before(f.to))
}

// readLog calls visit for each record of a log, in order, and reports the broken parts between them.
func (p process) readLog(dir string, visit func(raw []byte, e *decisionrecord.Entry) error) (broken bool, err error) {
	for entry, err := range decisionlog.Read(dir) {
		var fault *decisionlog.Fault
		if errors.As(err, &fault) {
			broken = true
			p.explain(fmt.Errorf("the log is broken, and continued after it: %w", fault))
			continue
		}
		if err != nil {
			return broken, err
		}
		record, err := decisionrecord.Parse(entry.Record)
		if err != nil {
			broken = true
			p.explain(fmt.Errorf("record %d: %w", entry.Seq, err))
			continue
		}
		if err := visit(entry.Record, record); err != nil {
			return broken, err
		}
	}
	return broken, nil
}

func (p process) showLog(dir string, f *logFilter, asJSON bool) error {
	t := table{p: p, header: []string{"time", "subject", "action", "resource", "at", "from", "answer", "door"}}
	shown := false
	broken, err := p.readLog(dir, func(raw []byte, e *decisionrecord.Entry) error {
		if !f.matches(e) {
			return nil
		}
		shown = true
		if asJSON {
			return printLine(p.stdout, terminal.Printable(string(raw)))
		}
		return t.add(append([]string{e.Time.Local().Format(time.DateTime)}, append(questionCells(e), e.Summary(), e.Door)...))
	})
	if err = errors.Join(err, t.flush()); err != nil {
		return err
	}
	if broken {
		return &exitError{status: statusNo}
	}
	switch {
	case shown:
	case f.subject+f.resource != "" && len(f.keyFiles) == 0:
		p.note("no record matches: if the log has pseudonyms instead of ids, name their key (--pseudonym-key-file)")
	default:
		p.note("no record matches")
	}
	return nil
}

// questionCells returns the subject, action, resource, place and current location of a record.
func questionCells(e *decisionrecord.Entry) []string {
	action := e.Action()
	switch {
	case e.Search != nil:
		action = strings.TrimSpace("search " + e.Search.For + " " + action)
	case e.Document != nil:
		action = "data/" + strings.Join(e.Document, "/")
	}
	resource := e.Resource()
	if kind := e.ResourceType(); kind != "user" && kind != "" {
		resource = strings.TrimSpace(kind + " " + resource)
	}
	return []string{e.Subject(), action, resource, e.Place(), e.From()}
}

// table prints rows, aligned in groups.
type table struct {
	p      process
	header []string
	rows   [][]string
}

func (t *table) add(row []string) error {
	if t.rows = append(t.rows, row); len(t.rows) < rowsPerTable {
		return nil
	}
	return t.flush()
}

func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	_, err := fmt.Fprint(t.p.stdout, terminal.Table(t.header, t.rows))
	t.rows = t.rows[:0]
	return err
}
