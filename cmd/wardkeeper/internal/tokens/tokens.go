package tokens

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// File is a file of tokens.
type File struct {
	Path    string // empty for none
	Setting string // names the file's setting in error messages
}

// Config names the token files.
type Config struct {
	Ask, Announce File
	Logger        *slog.Logger
}

// Tokens are the tokens in force. It is safe for concurrent use.
type Tokens struct {
	ask, announce *watchedFile // nil if there is no file
	log           *slog.Logger

	mu      sync.Mutex // held while Reload reads the files
	shared  bool       // the log last reported that both files share a token
	inForce atomic.Pointer[sets]
}

type sets struct{ ask, announce []string }

type watchedFile struct {
	File
	tokens *rotation.Value[[]string]
}

// Open reads the files. Its error joins the faults of both.
func Open(cfg Config) (*Tokens, error) {
	t := &Tokens{log: cfg.Logger}
	var err, err2 error
	t.ask, err = openFile(cfg.Ask, cfg.Logger)
	t.announce, err2 = openFile(cfg.Announce, cfg.Logger)
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	first := sets{t.ask.get(), t.announce.get()}
	if overlap(first.ask, first.announce) {
		return nil, t.errShared()
	}
	t.inForce.Store(&first)
	return t, nil
}

func openFile(f File, logger *slog.Logger) (*watchedFile, error) {
	if f.Path == "" {
		return nil, nil
	}
	tokens, err := rotation.Open(rotation.Config[[]string]{
		Name: "the token file", Paths: []string{f.Path}, Logger: logger,
		Parse: func(contents [][]byte) ([]string, error) { return parse(contents[0]) },
	})
	return &watchedFile{File: f, tokens: tokens}, err
}

func (f *watchedFile) get() []string {
	if f == nil {
		return nil
	}
	return f.tokens.Get()
}

func (t *Tokens) errShared() error {
	return fmt.Errorf("%s contains a token of %s: clients that announce changes need tokens of their own", t.announce.Setting, t.ask.Setting)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(token string) bool { return slices.Contains(b, token) })
}

// Reload reads the files again. If they then share a token, the file that added it keeps its last good tokens: otherwise a
// client that may only ask could announce changes.
func (t *Tokens) Reload() {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := *t.inForce.Load()
	next := sets{t.ask.get(), t.announce.get()}
	switch shared := overlap(next.ask, next.announce); {
	case shared && !t.shared:
		t.log.Warn("a token is in both token files; one of them keeps its last good tokens", "error", t.errShared())
		t.shared = true
	case !shared && t.shared:
		t.log.Info("the token files no longer share a token")
		t.shared = false
	}
	switch {
	case !t.shared:
	case !overlap(next.ask, before.announce):
		next.announce = before.announce
	case !overlap(before.ask, next.announce):
		next.ask = before.ask
	default:
		next = before
	}
	t.inForce.Store(&next)
	if !slices.Equal(before.ask, next.ask) || !slices.Equal(before.announce, next.announce) {
		t.WarnIfExposed()
	}
}

// WarnIfExposed logs a warning for each file that every user of the machine can read.
func (t *Tokens) WarnIfExposed() {
	for _, f := range []*watchedFile{t.ask, t.announce} {
		if f != nil && WorldReadable(f.Path) {
			t.log.Warn("Every user of this machine can read the token file: remove that permission (chmod o-r).", "file", f.Path)
		}
	}
}

// Ask returns a function that returns the tokens of clients that may ask. It is nil if no token is required.
func (t *Tokens) Ask() func() []string {
	if t.ask == nil {
		return nil
	}
	return func() []string { return t.inForce.Load().ask }
}

// Announce returns a function that returns the tokens of clients that may announce changes. It is nil if no client may.
func (t *Tokens) Announce() func() []string {
	if t.announce == nil {
		return nil
	}
	return func() []string { return t.inForce.Load().announce }
}
