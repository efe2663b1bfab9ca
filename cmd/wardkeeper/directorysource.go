package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// directory is a source of facts, as the wiring knows it.
type directory interface {
	pdp.Source
	// judgedBy holds the directory against what a policy lets a directory say. What is in force stays as it is until adopt
	// is called.
	judgedBy(v *pdp.Vocabulary) (adopt func(), err error)
	// exists fails where there is nothing that any policy could judge.
	exists() error
	// reached fails where the directory cannot be read now.
	reached(ctx context.Context) error
	// attributes name the directory in logs, String for people.
	attributes() []any
	String() string
	// renew has the directory read again now, or fetched over new connections.
	renew()
	close()
}

// fileDirectory is a directory file, opened once there is a policy whose tables say what it may say.
type fileDirectory struct {
	path    string
	logger  *slog.Logger
	settled func()                          // is called after each directory that was loaded; may be nil
	file    atomic.Pointer[membership.File] // nil until then
	// vocabulary is what the file was last judged by. Only the goroutine that takes policies uses it.
	vocabulary *pdp.Vocabulary
}

var _ directory = (*fileDirectory)(nil)

// View implements [pdp.Source].
func (d *fileDirectory) View(ctx context.Context, need pdp.Need) (pdp.View, error) {
	file := d.file.Load()
	if file == nil {
		return nil, &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable."}
	}
	return file.View(ctx, need)
}

// judgedBy also opens the file for the first policy.
func (d *fileDirectory) judgedBy(v *pdp.Vocabulary) (adopt func(), err error) {
	file := d.file.Load()
	switch {
	case file == nil:
		if file, err = openDirectory(d.path, v, d.logger, d.settled); err != nil {
			return nil, err
		}
		if d.settled != nil {
			d.settled()
		}
		d.file.Store(file) // no policy decides by it yet
		d.vocabulary = v
	case v != nil && !reflect.DeepEqual(v, d.vocabulary):
		checked, err := file.Check(*v)
		if err != nil {
			return nil, err
		}
		return func() {
			file.Adopt(checked)
			d.vocabulary = v
		}, nil
	}
	return func() {}, nil
}

func (d *fileDirectory) exists() error {
	_, err := os.Stat(d.path)
	return err
}

// reached has nothing to try: a file that could be opened has been read.
func (d *fileDirectory) reached(context.Context) error { return nil }

// status says how the file is doing.
func (d *fileDirectory) status() membership.Status {
	if file := d.file.Load(); file != nil {
		return file.Status()
	}
	return membership.Status{}
}

func (d *fileDirectory) attributes() []any {
	status := d.status()
	return []any{"directory", d.path, "locations", status.Locations, "users", status.Users}
}

// String implements [fmt.Stringer].
func (d *fileDirectory) String() string {
	status := d.status()
	if status.LoadedAt.IsZero() {
		return d.path
	}
	return fmt.Sprintf("%s: %s, %s", d.path, terminal.Count(status.Locations, "location"), terminal.Count(status.Users, "user"))
}

func (d *fileDirectory) renew() {
	if file := d.file.Load(); file != nil {
		_ = file.Reload() // the log tells
	}
}

func (d *fileDirectory) close() {
	if file := d.file.Load(); file != nil {
		_ = file.Close() // it only stops watching
	}
}

// openDirectory reads a directory file and checks it by a vocabulary, if there is one.
func openDirectory(path string, v *pdp.Vocabulary, logger *slog.Logger, reloaded func()) (*membership.File, error) {
	if config.KindOf(path) != config.FileDirectory {
		return nil, errors.New("a directory file is wanted here: only serve takes an application or a database")
	}
	cfg := membership.FileConfig{Path: path, Logger: logger}
	if v != nil {
		cfg.Vocabulary = *v
	}
	if reloaded != nil {
		cfg.OnReload = func(*membership.Directory) { reloaded() }
	}
	return membership.OpenFile(cfg)
}

// remoteDirectory is an application or a database: each record is judged as it is fetched.
type remoteDirectory struct {
	*membership.Cached
	origin membership.Origin
	name   string // for logs
	// vocabulary is what records are judged by. Only the goroutine that takes policies uses it.
	vocabulary *pdp.Vocabulary
}

var _ directory = (*remoteDirectory)(nil)

func openRemote(name string, cfg membership.CachedConfig) (*remoteDirectory, error) {
	cached, err := membership.OpenCached(cfg)
	if err != nil {
		return nil, err
	}
	return &remoteDirectory{Cached: cached, origin: cfg.Origin, name: name}, nil
}

// judgedBy cannot know what an origin would say: a record that the new tables do not admit is quarantined when it is asked for.
func (d *remoteDirectory) judgedBy(v *pdp.Vocabulary) (adopt func(), err error) {
	if v == nil || reflect.DeepEqual(v, d.vocabulary) {
		return func() {}, nil
	}
	return func() {
		d.Adopt(*v)
		d.vocabulary = v
	}, nil
}

func (d *remoteDirectory) exists() error { return nil }

// patience is how long a check waits for a directory or Redis to answer.
const patience = 5 * time.Second

func (d *remoteDirectory) reached(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return errors.Join(d.CheckFacts(ctx), d.CheckShared(ctx))
}

func (d *remoteDirectory) attributes() []any { return []any{"directory", d.name} }

// String implements [fmt.Stringer].
func (d *remoteDirectory) String() string { return d.name }

func (d *remoteDirectory) renew() {
	if origin, ok := d.origin.(interface{ Renew() }); ok {
		origin.Renew()
	}
}

func (d *remoteDirectory) close() { _ = d.Close() } // nothing is written there
