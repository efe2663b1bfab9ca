package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// contractDuties is the number of duties in adapters/CONTRACT.md: PEP-1, PEP-2 and so on.
const contractDuties = 14

// mutantsAtOnce is how many mutants run at the same time. Each starts several programs.
const mutantsAtOnce = 2

// mutant is a change to an adapter's code that breaks a duty.
type mutant struct {
	Duty string
	File string // below the folder that is copied
	Old  string // is in the file once
	New  string
}

func (m mutant) String() string {
	const enough = 60
	text := strings.Join(strings.Fields(m.New), " ")
	if len(text) > enough {
		text = text[:enough] + "…"
	}
	return fmt.Sprintf("%-6s  %s: %q", m.Duty, m.File, text)
}

// mutation says how mutants are made and run.
type mutation struct {
	folder  string   // of the adapter
	build   string   // a shell command that builds the copies that are its arguments; "" if there is nothing to build
	command []string // starts the sample application in a copy
	without []string
	verbose bool
	out     io.Writer
}

// readMutants reads a file with a list of mutants. Each duty has at least one.
func readMutants(path string) ([]mutant, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct{ Mutants []mutant }
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	known, found := map[string]bool{}, map[string]bool{}
	for i := range contractDuties {
		known[fmt.Sprintf("PEP-%d", i+1)] = true
	}
	for _, m := range file.Mutants {
		if !known[m.Duty] {
			return nil, fmt.Errorf("%s: there is no duty %q", path, m.Duty)
		}
		if !filepath.IsLocal(m.File) || m.Old == "" || m.Old == m.New {
			return nil, fmt.Errorf("%s: the mutant %s needs a file below the folder, and an old text that differs from the new one", path, m)
		}
		found[m.Duty] = true
	}
	for i := range contractDuties {
		if duty := fmt.Sprintf("PEP-%d", i+1); !found[duty] {
			return nil, fmt.Errorf("%s: no mutant breaks %s", path, duty)
		}
	}
	return file.Mutants, nil
}

// status runs the mutants of a file and returns the exit status.
func (r *mutation) status(ctx context.Context, path string, stderr io.Writer) int {
	all, err := readMutants(path)
	survived := 0
	if err == nil {
		survived, err = r.run(ctx, all)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "conformance:", err)
		return statusFailed
	case survived > 0:
		fmt.Fprintf(r.out, "%d mutants found, %d not found\n", len(all)-survived, survived)
		return statusBreaks
	}
	fmt.Fprintf(r.out, "%d mutants found\n", len(all))
	return statusConforms
}

// run runs all mutants and returns how many the suite has not found. An error means that at least one could not be run.
func (r *mutation) run(ctx context.Context, all []mutant) (survived int, err error) {
	parent, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(parent)
	folders := make([]string, len(all))
	for i, m := range all {
		folders[i] = filepath.Join(parent, fmt.Sprint(i))
		if err := r.write(m, folders[i]); err != nil {
			return 0, fmt.Errorf("the mutant %s: %w", m, err)
		}
	}
	if err := r.buildAll(ctx, folders); err != nil {
		return 0, err
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex // guards survived, err and out
		slots   = make(chan struct{}, mutantsAtOnce)
	)
	for i, m := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			var said strings.Builder
			found, problem := r.try(ctx, m, folders[i], &said)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case problem != nil:
				err = errors.Join(err, fmt.Errorf("the mutant %s: %w", m, problem))
			case !found:
				survived++
				fmt.Fprintf(r.out, "FAIL  %s\n              nothing is said of it\n%s", m, said.String())
			case r.verbose:
				fmt.Fprintf(r.out, "ok    %s\n", m)
			}
		})
	}
	running.Wait()
	return survived, err
}

// write copies the adapter to a folder and makes the change.
func (r *mutation) write(m mutant, folder string) error {
	if err := os.CopyFS(folder, os.DirFS(r.folder)); err != nil {
		return err
	}
	path := filepath.Join(folder, m.File)
	code, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(code), m.Old); n != 1 {
		return fmt.Errorf("%q is in the file %d times, want once", m.Old, n)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(code), m.Old, m.New, 1)), 0o600)
}

// buildAll builds all copies by one command, since to start a compiler can take longer than to compile a change. It ends what it
// has started when the context ends.
func (r *mutation) buildAll(ctx context.Context, folders []string) error {
	if r.build == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-ec", r.build, "sh"}, folders...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the mutants cannot be built: %w\n%s", err, out)
	}
	return nil
}

// try runs the suite on a mutant and reports whether it names its duty.
func (r *mutation) try(ctx context.Context, m mutant, folder string, said io.Writer) (found bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s, err := newSuite([]string{m.Duty}, r.without, "")
	if err != nil {
		return false, err
	}
	s.soon, s.out = true, said
	s.command = append([]string{"sh", "-c", `cd "$0" && exec "$@"`, folder}, r.command...)
	broken, err := s.run(ctx)
	return slices.Contains(broken, m.Duty), err
}
