package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/factsource"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/survey"
)

// wholeHelp says which directories the commands take that need a whole one.
const wholeHelp = directoryHelp + ` A database is read as it is at one
moment. A user or an organization with a faulty record of these two is left out and named. An application is read twice, and what
changed meanwhile is named too. "wardkeeper directory check" lists all faults.`

// directoryRead says which directory was read, and of when.
type directoryRead struct {
	Name     string    `json:"name"`
	Revision string    `json:"revision"`
	Moment   time.Time `json:"moment"`
}

// String implements [fmt.Stringer].
func (r directoryRead) String() string {
	return fmt.Sprintf("%s, revision %s, as of %s", terminal.Printable(r.Name), r.Revision, r.Moment.Format(time.RFC3339))
}

// wholeDirectory is one state of a whole directory.
type wholeDirectory struct {
	*directory.Directory
	directoryRead
	incomplete []string // what is left out, or may be out of date, and why, as far as it is kept
	faults     int      // the number of all of that
}

// wholeGCPercent lets the collector run half as often as by default: the directory stays in memory until the end, so that each collection
// costs much and frees little.
const wholeGCPercent = 200

// read reads the directory and checks it against a vocabulary; nil admits everything.
func (f *directoryFlags) read(ctx context.Context, p process, v *pdp.Vocabulary) (*wholeDirectory, error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(wholeGCPercent)
	}
	if v == nil {
		v = &pdp.Vocabulary{}
	}
	if f.isFile() {
		d, asOf, err := directory.ReadFile(f.directory, *v)
		if err != nil {
			return nil, err
		}
		return &wholeDirectory{Directory: d, directoryRead: directoryRead{f.directory, d.Revision(), asOf.UTC()}}, nil
	}
	s, err := membershipSettings(p, f.config, f.directory)
	if err != nil {
		return nil, err
	}
	cfg, progress, err := p.surveyOf(s, v)
	if err != nil {
		return nil, err
	}
	defer func() { _ = cfg.Origin.Close() }()
	defer progress.Clear()
	name := config.PublicName(f.directory)
	reading, err := readWhole(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	d := directory.New(reading.Document, reading.Digest)
	w := &wholeDirectory{Directory: d, directoryRead: directoryRead{name, d.Revision(), reading.AsOf.UTC()}}
	if reading.LeftOut != nil {
		w.incomplete, w.faults = reading.LeftOut.All(), reading.LeftOut.Count()
	}
	return w, nil
}

// readWhole reads a database as it is at one moment, and an application twice.
func readWhole(ctx context.Context, cfg survey.Config) (*survey.Reading, error) {
	origin, ok := cfg.Origin.(membership.Snapshots)
	if !ok {
		return survey.ReadTwice(ctx, cfg)
	}
	snapshot, err := origin.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snapshot.Close() }()
	cfg.Origin = snapshot
	return survey.Read(ctx, cfg)
}

// note says that the directory was not read completely.
func (w *wholeDirectory) note(p process) {
	if w.faults > 0 {
		p.note("the directory is incomplete: %s of records that are left out, or changed while they were read", terminal.Count(w.faults, "fault"))
	}
}

// leftOut returns at most a number of sentences about what is incomplete.
func (w *wholeDirectory) leftOut(most int) []string {
	named := w.incomplete[:min(most, len(w.incomplete))]
	if rest := w.faults - len(named); rest > 0 {
		named = append(slices.Clip(named), fmt.Sprintf("and %d more", rest))
	}
	return named
}

// surveyTimeout is the timeout of one request: higher than a server's, because no decision waits for it.
const surveyTimeout = 30 * time.Second

// surveyOf opens the application or the database of the settings, to read all of it. The caller closes the origin.
func (p process) surveyOf(s *config.Settings, v *pdp.Vocabulary) (cfg survey.Config, progress *terminal.Progress, err error) {
	m := &s.Membership
	m.HTTP.Timeout, m.Postgres.Timeout = max(m.HTTP.Timeout, surveyTimeout), max(m.Postgres.Timeout, surveyTimeout)
	progress = terminal.NewProgress(p.stderr)
	cfg = survey.Config{Timeout: 5 * surveyTimeout, Progress: func(done int) { progress.Count(done, "record") }}
	if v != nil {
		cfg.Vocabulary = *v
	}
	cfg.Origin, err = factsource.OpenOrigin(s, slog.New(slog.DiscardHandler))
	return cfg, progress, err
}
