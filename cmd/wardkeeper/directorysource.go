package main

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// directory is the source of facts: a directory file, opened once there is a policy whose tables say what it may say.
type directory struct {
	path   string
	logger *slog.Logger
	file   atomic.Pointer[membership.File] // nil until then
	// vocabulary is what the file was last judged by. Only the goroutine that takes policies uses it.
	vocabulary *pdp.Vocabulary
}

var _ pdp.Source = (*directory)(nil)

// View implements [pdp.Source].
func (d *directory) View(ctx context.Context, need pdp.Need) (pdp.View, error) {
	file := d.file.Load()
	if file == nil {
		return nil, &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable."}
	}
	return file.View(ctx, need)
}

// judgedBy holds the file against what a policy lets a directory say, and opens it for the first. What is in force stays
// as it is until adopt is called.
func (d *directory) judgedBy(v *pdp.Vocabulary) (adopt func(), err error) {
	file := d.file.Load()
	switch {
	case file == nil:
		if file, err = openDirectory(d.path, v, d.logger); err != nil {
			return nil, err
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

// exists fails where there is no file, which no policy could mend.
func (d *directory) exists() error {
	_, err := os.Stat(d.path)
	return err
}

// status says how the file is doing.
func (d *directory) status() membership.Status {
	if file := d.file.Load(); file != nil {
		return file.Status()
	}
	return membership.Status{}
}

func (d *directory) close() {
	if file := d.file.Load(); file != nil {
		_ = file.Close() // it only stops watching
	}
}

// openDirectory reads a directory file and checks it by a vocabulary, if there is one.
func openDirectory(path string, v *pdp.Vocabulary, logger *slog.Logger) (*membership.File, error) {
	cfg := membership.FileConfig{Path: path, Logger: logger}
	if v != nil {
		cfg.Vocabulary = *v
	}
	return membership.OpenFile(cfg)
}
