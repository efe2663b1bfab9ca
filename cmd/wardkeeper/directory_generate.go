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

// generation holds the flags of `wardkeeper directory generate`.
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
		Short: "Generate a synthetic directory of any size",
		Long: `Generate a synthetic directory with organizations of every model and realistic proportions: regions of 50 to 500
facilities, hospital systems and single hospitals, practice groups, and a vendor; few administrators among many users; some
accounts deactivated, some members invited, some in two groups. The same seed and number of users give the same directory.
All persons are fictitious.

The tables of the policy define which roles, levels and areas are used. A server reads directory files of up to 256 MiB, about
a million users.

Exit status: 0 written, 2 not written.`,
		Example: `  wardkeeper directory generate --users 200000 -o directory.json
  wardkeeper directory generate --users 50 --seed 7 --format yaml`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.IntVar(&g.users, "users", 1000, fmt.Sprintf("`NUMBER` of users, up to %d", sampledata.MaxUsers))
	flags.Uint64Var(&g.seed, "seed", 1, "`NUMBER` that determines the directory")
	flags.StringVarP(&g.output, "output", "o", "", "write to `FILE` instead of standard output")
	flags.StringVar(&g.format, "format", "", "`FORMAT` to write, json or yaml (default: by the name of FILE, else json)")
	flags.BoolVar(&g.force, "force", false, "replace FILE if it exists")
	flags.StringVar(&g.bundle, "bundle", "", "use the tables of the policy at `PATH` instead of the built-in one")
	flags.StringVar(&g.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in that policy")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return g.run(cmd.Context(), p) }
	return cmd
}

func (g *generation) run(ctx context.Context, p process) error {
	if g.users < 0 || g.users > sampledata.MaxUsers {
		return fmt.Errorf("--users is %d: use a whole number from 0 to %d", g.users, sampledata.MaxUsers)
	}
	format, err := g.outputFormat()
	if err != nil {
		return err
	}
	if err := g.checkOutput(); err != nil {
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
		return fmt.Errorf("cannot write %s: %w", g.output, err)
	}
	if size > directory.MaxSize {
		p.note("%s is larger than the %d MiB that a server reads of a directory file", g.output, directory.MaxSize>>20)
	}
	return printLine(p.stdout, fmt.Sprintf("%s: %s in %s, %s", g.output, terminal.Count(made.Locations, "location"),
		terminal.Count(made.Organizations, "organization"), terminal.Count(made.Users, "user")))
}

// outputFormat returns the format to write. A file is read in the format that its name says, so the two must agree.
func (g *generation) outputFormat() (record.Format, error) {
	byName := map[string]record.Format{".json": record.JSON, ".yaml": record.YAML, ".yml": record.YAML}[filepath.Ext(g.output)]
	format, known := map[string]record.Format{"": byName, "json": record.JSON, "yaml": record.YAML}[g.format]
	switch {
	case !known:
		return 0, fmt.Errorf("--format is %q: use json or yaml", g.format)
	case byName != record.Auto && byName != format:
		return 0, fmt.Errorf("--format is %s but %s would be read in another format: choose another name", g.format, g.output)
	}
	return format, nil
}

// checkOutput returns an error if the output exists and must not be replaced.
func (g *generation) checkOutput() error {
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
		return fmt.Errorf("%s is not a regular file: name another", g.output)
	case !g.force:
		return fmt.Errorf("%s exists: name another file, or use --force to replace it", g.output)
	}
	return nil
}

// write writes the output atomically.
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
	// Everyone may read the file: its people are fictitious.
	if err = errors.Join(file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return made, 0, err
	}
	if err = g.checkOutput(); err != nil { // it may have been created in the meantime
		return made, 0, err
	}
	return made, size, os.Rename(file.Name(), g.output)
}
