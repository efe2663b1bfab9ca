package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/sampledata"
)

// generation is what `wardkeeper directory generate` was told.
type generation struct {
	users                            int
	seed                             uint64
	output, format, bundle, decision string
	force                            bool
}

func newDirectoryGenerateCommand(p process) *cobra.Command {
	var g generation
	cmd := &cobra.Command{
		Use:   "generate [flags]",
		Short: "Make up a directory of any size, to try things with",
		Long: `Make up a directory of every model, with much of what is common and a little of what is rare: regions of 50 to 500
facilities, hospital systems and hospitals of their own, practice groups, and a vendor; few administrators among many
users; some accounts deactivated, some members invited, some in two groups. The same seed and number of users give the
same directory. None of these people exist.

Which roles, levels and areas there are follows from the policy's tables. A server reads a directory file of up to
256 MiB, which about a million users fill.

Exit status: 0 written, 2 could not be.`,
		Example: `  wardkeeper directory generate --users 200000 -o directory.json
  wardkeeper directory generate --users 50 --seed 7 --format yaml`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&g.users, "users", 1000, fmt.Sprintf("`NUMBER` of users, up to %d", sampledata.MaxUsers))
	flags.Uint64Var(&g.seed, "seed", 1, "`NUMBER` that the directory follows from")
	flags.StringVarP(&g.output, "output", "o", "", "write to `FILE` instead of the standard output")
	flags.StringVar(&g.format, "format", "", "`FORMAT` to write, json or yaml (default: by the name of FILE, or else json)")
	flags.BoolVar(&g.force, "force", false, "replace FILE where it exists")
	flags.StringVar(&g.bundle, "bundle", "", "take the tables of the policy at `PATH` instead of the built-in ones")
	flags.StringVar(&g.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in those")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return g.run(cmd.Context(), p) }
	return cmd
}

func (g *generation) run(ctx context.Context, p process) error {
	if g.users < 0 || g.users > sampledata.MaxUsers {
		return fmt.Errorf("--users is %d: say a whole number from 0 to %d", g.users, sampledata.MaxUsers)
	}
	format, err := g.formatted()
	if err != nil {
		return err
	}
	if err := g.free(); err != nil {
		return err
	}
	policy, err := openPolicy(ctx, g.bundle, g.decision)
	if err != nil {
		return err
	}
	cfg := sampledata.Config{Users: g.users, Seed: g.seed, Format: format}
	if v := policy.Vocabulary(); v != nil {
		cfg.Vocabulary = *v
	}
	progress := terminal.NewProgress(p.stderr)
	cfg.Progress = func(users int) { progress.Of(users, g.users, "user") }
	if g.output == "" {
		_, err := sampledata.Write(ctx, p.stdout, cfg)
		progress.Clear()
		return err
	}
	made, size, err := g.write(ctx, cfg)
	progress.Clear()
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", g.output, err)
	}
	if size > directory.MaxSize {
		p.say("%s is larger than the %d MiB that a server reads of a directory file", g.output, directory.MaxSize>>20)
	}
	return printLine(p.stdout, fmt.Sprintf("%s: %s in %s, %s", g.output, terminal.Count(made.Locations, "location"),
		terminal.Count(made.Organizations, "organization"), terminal.Count(made.Users, "user")))
}

// formatted settles the format. A file is read by its name, so that it must be what its name says.
func (g *generation) formatted() (record.Format, error) {
	byName := map[string]record.Format{".json": record.JSON, ".yaml": record.YAML, ".yml": record.YAML}[filepath.Ext(g.output)]
	format, known := map[string]record.Format{"": byName, "json": record.JSON, "yaml": record.YAML}[g.format]
	switch {
	case !known:
		return 0, fmt.Errorf("--format is %q: say json or yaml", g.format)
	case byName != record.Auto && byName != format:
		return 0, fmt.Errorf("--format is %s, and %s would be read as something else: choose another name", g.format, g.output)
	}
	return format, nil
}

// free fails where there is something in the place of the output that is not to be replaced.
func (g *generation) free() error {
	if g.output == "" {
		return nil
	}
	info, err := os.Stat(g.output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file: name another", g.output)
	case !g.force:
		return fmt.Errorf("%s exists: name another file, or say --force to replace it", g.output)
	}
	return nil
}

// write writes the output, whole or not at all.
func (g *generation) write(ctx context.Context, cfg sampledata.Config) (made sampledata.Counts, size int64, err error) {
	file, err := os.CreateTemp(filepath.Dir(g.output), "."+filepath.Base(g.output)+".*")
	if err != nil {
		return made, 0, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if made, err = sampledata.Write(ctx, file, cfg); err != nil {
		return made, 0, err
	}
	if size, err = file.Seek(0, io.SeekCurrent); err != nil {
		return made, 0, err
	}
	// Everybody may read it: these people are made up.
	if err = errors.Join(file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return made, 0, err
	}
	if err = g.free(); err != nil { // it took a while
		return made, 0, err
	}
	return made, size, os.Rename(file.Name(), g.output)
}
