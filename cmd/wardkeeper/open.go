package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/policies"
)

// sources says what decisions are made from.
type sources struct {
	policies  string // a directory; empty means the built-in ones
	decision  string
	directory string // a file; may be empty where the policy needs none
	timeout   time.Duration
}

// decisions is an engine together with what it decides by.
type decisions struct {
	engine    *pdp.Engine
	directory *membership.File // nil where facts are absent
	path      string           // of the directory
}

var errNoDirectory = errors.New("--directory is missing: name the file with locations and users, which the policy judges by")

// open reads policies and directory and makes an engine of them. Its error has every fault of both.
func open(ctx context.Context, s sources, logger *slog.Logger) (*decisions, error) {
	policy, err := openPolicy(ctx, s.policies, s.decision)
	var vocabulary *pdp.Vocabulary
	if policy != nil {
		vocabulary = policy.Vocabulary()
	}
	if s.directory == "" && (s.policies == "" || vocabulary != nil) {
		err = errors.Join(err, errNoDirectory)
	}
	d := &decisions{path: s.directory}
	cfg := pdp.Config{Policy: policy, Timeout: s.timeout, Logger: logger}
	if s.directory != "" {
		file, fault := openDirectory(s.directory, vocabulary, logger)
		err = errors.Join(err, fault)
		d.directory, cfg.Source = file, file
	}
	if err != nil {
		d.close()
		return nil, err
	}
	d.engine = pdp.New(cfg)
	return d, nil
}

// openPolicy compiles a policy and makes it ready to decide.
func openPolicy(ctx context.Context, dir, decision string) (*pdp.Policy, error) {
	cfg := bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: decision}
	if dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, errors.Join(fmt.Errorf("--policies is %q: name a directory", dir), withoutNotExist(err))
		}
		cfg.Files, cfg.Source = os.DirFS(dir), dir
	}
	revision, err := bundles.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return pdp.Prepare(ctx, revision)
}

// openDirectory reads a directory file and checks it by a vocabulary, if there is one.
func openDirectory(path string, v *pdp.Vocabulary, logger *slog.Logger) (*membership.File, error) {
	cfg := membership.FileConfig{Path: path, Logger: logger}
	if v != nil {
		cfg.Vocabulary = *v
	}
	return membership.OpenFile(cfg)
}

func withoutNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *decisions) close() {
	if d.directory != nil {
		_ = d.directory.Close() // it only stops watching
	}
}

// frontDoor is the HTTP side of the decisions. What it is to serve is named by cfg; the rest is filled in here.
func (d *decisions) frontDoor(cfg httpapi.Config) (*httpapi.Server, error) {
	cfg.Decider = d.engine
	cfg.Data = d.engine
	cfg.Actions = d.engine.Policy().Actions()
	cfg.Ready = func(ctx context.Context) []httpapi.Check {
		return []httpapi.Check{
			{Name: "policy", Err: d.engine.CheckPolicy(ctx)},
			{Name: "directory", Err: d.engine.CheckFacts(ctx)},
		}
	}
	cfg.PolicyRevision = func() string { return d.engine.Policy().Revision().ID }
	if d.directory != nil {
		cfg.Registry = directoryMetrics(d.directory)
		cfg.DirectoryRevision = func() string { return d.directory.Status().Revision }
	}
	return httpapi.New(cfg)
}

// String says what decisions are made from, for people.
func (d *decisions) String() string {
	s := fmt.Sprintf("policy %.12s (%s)", d.engine.Policy().Revision().ID, d.engine.Policy().Revision().Source)
	if d.directory == nil {
		return s + ", no directory"
	}
	status := d.directory.Status()
	return fmt.Sprintf("%s, directory %s: %s, %s",
		s, d.path, counted(status.Locations, "location"), counted(status.Users, "user"))
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// attributes says the same to machines, after more attributes.
func (d *decisions) attributes(more ...any) []any {
	more = append(more, "revision", d.engine.Policy().Revision().ID, "policies", d.engine.Policy().Revision().Source)
	if d.directory != nil {
		status := d.directory.Status()
		more = append(more, "directory", d.path, "locations", status.Locations, "users", status.Users)
	}
	return more
}
