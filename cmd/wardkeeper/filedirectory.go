package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// fileDirectory is a directory file. The first policy opens it, because its vocabulary is needed to check the records.
type fileDirectory struct {
	path   string
	logger *slog.Logger
	onLoad func()                         // called after each load; may be nil
	file   atomic.Pointer[directory.File] // nil until a policy has opened it

	// Used only by check and activate.
	vocabulary *pdp.Vocabulary // against which the file in force was checked
	checked    *checkedFile    // to be put in force by activate; nil for no change
}

// checkedFile is the content of a directory file, checked against the vocabulary of the next policy.
type checkedFile struct {
	content    *directory.Checked
	vocabulary *pdp.Vocabulary
}

var _ factSource = (*fileDirectory)(nil)

// View implements [facts.Source].
func (d *fileDirectory) View(ctx context.Context, need facts.Requirement) (facts.View, error) {
	file := d.file.Load()
	if file == nil {
		return nil, &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable."}
	}
	return file.View(ctx, need)
}

// check implements [factSource]. For the first policy it opens the file; no decision uses it yet.
func (d *fileDirectory) check(v *pdp.Vocabulary) error {
	d.checked = nil
	file := d.file.Load()
	if file == nil {
		file, err := openDirectory(d.path, v, d.logger, d.onLoad)
		if err != nil {
			return err
		}
		if d.onLoad != nil {
			d.onLoad()
		}
		d.file.Store(file)
		d.vocabulary = v
		return nil
	}
	if v == nil || reflect.DeepEqual(v, d.vocabulary) {
		return nil
	}
	content, err := file.Check(*v)
	if err != nil {
		return err
	}
	d.checked = &checkedFile{content, v}
	return nil
}

// activate implements [factSource].
func (d *fileDirectory) activate() {
	if d.checked == nil {
		return
	}
	d.file.Load().Activate(d.checked.content)
	d.vocabulary, d.checked = d.checked.vocabulary, nil
}

func (d *fileDirectory) checkExists() error {
	_, err := os.Stat(d.path)
	return err
}

// checkReachable has nothing to do: an open file has been read.
func (d *fileDirectory) checkReachable(context.Context) error { return nil }

// status returns the status of the file.
func (d *fileDirectory) status() directory.Status {
	if file := d.file.Load(); file != nil {
		return file.Status()
	}
	return directory.Status{}
}

func (d *fileDirectory) logAttrs() []any {
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

func (d *fileDirectory) reload() {
	if file := d.file.Load(); file != nil {
		_ = file.Reload() // it logs its error
	}
}

func (d *fileDirectory) close() {
	if file := d.file.Load(); file != nil {
		_ = file.Close() // it only stops watching
	}
}

// openDirectory opens a directory file and checks it against a vocabulary; nil admits everything.
func openDirectory(path string, v *pdp.Vocabulary, logger *slog.Logger, onReload func()) (*directory.File, error) {
	cfg := directory.FileConfig{Path: path, Logger: logger}
	if v != nil {
		cfg.Vocabulary = *v
	}
	if onReload != nil {
		cfg.OnReload = func(*directory.Directory) { onReload() }
	}
	return directory.OpenFile(cfg)
}
