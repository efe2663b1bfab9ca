package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// callers are who may ask and who may announce changes, by the tokens in their files, as those are now. It is safe for
// concurrent use.
type callers struct {
	asking, announcing *tokenFile // nil where there is no file
	log                *slog.Logger

	mu      sync.Mutex // of whoever reads the files
	shared  bool       // as it was last told
	current atomic.Pointer[tokenSets]
}

type tokenSets struct{ asking, announcing []string }

// tokenFile is a file of tokens, and the name of the setting that names it.
type tokenFile struct {
	path, origin string
	tokens       *rotation.Value[[]string]
}

// openCallers reads the files. Its error joins the faults of both.
func openCallers(s *config.Settings, logger *slog.Logger) (*callers, error) {
	c := &callers{log: logger}
	var err, err2 error
	c.asking, err = openTokens(s.TokenFile, s.Spelling("token-file"), logger)
	c.announcing, err2 = openTokens(s.ChangesTokenFile, s.Spelling("changes-token-file"), logger)
	if err = errors.Join(err, err2); err != nil {
		return nil, err
	}
	now := tokenSets{c.asking.get(), c.announcing.get()}
	if overlap(now.asking, now.announcing) {
		return nil, c.mixed()
	}
	c.current.Store(&now)
	return c, nil
}

func openTokens(path, origin string, logger *slog.Logger) (*tokenFile, error) {
	if path == "" {
		return nil, nil
	}
	tokens, err := rotation.Open(rotation.Config[[]string]{
		Name: "the token file", Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) ([]string, error) { return parseTokens(contents[0]) },
	})
	return &tokenFile{path: path, origin: origin, tokens: tokens}, err
}

func (f *tokenFile) get() []string {
	if f == nil {
		return nil
	}
	return f.tokens.Get()
}

func (c *callers) mixed() error {
	return fmt.Errorf("%s has a token of %s: who announces changes needs one of their own", c.announcing.origin, c.asking.origin)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(token string) bool { return slices.Contains(b, token) })
}

// refresh takes what the files say now. A token that is in both would let who asks announce changes as well: then the file
// that brought it there keeps its last good tokens.
func (c *callers) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := *c.current.Load()
	next := tokenSets{c.asking.get(), c.announcing.get()}
	switch mixed := overlap(next.asking, next.announcing); {
	case mixed && !c.shared:
		c.log.Warn("a token is in both token files, the last good tokens of one of them stay in force", "error", c.mixed())
		c.shared = true
	case !mixed && c.shared:
		c.log.Info("no token is in both token files any more")
		c.shared = false
	}
	switch {
	case !c.shared:
	case !overlap(next.asking, now.announcing):
		next.announcing = now.announcing
	case !overlap(now.asking, next.announcing):
		next.asking = now.asking
	default:
		next = now
	}
	c.current.Store(&next)
	if !slices.Equal(now.asking, next.asking) || !slices.Equal(now.announcing, next.announcing) {
		c.warnExposed()
	}
}

func (c *callers) warnExposed() {
	for _, f := range []*tokenFile{c.asking, c.announcing} {
		if f != nil && exposed(f.path) {
			c.log.Warn("Everybody on this machine can read the token file: take that right away (chmod o-r).", "file", f.path)
		}
	}
}

// pollInterval is how often the files are looked at. Requests do not do that: a file system that hangs holds no decision up.
const pollInterval = 500 * time.Millisecond

// follow reads the files again when they change, until the context ends.
func (c *callers) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pollInterval):
			c.refresh()
		}
	}
}

// askers gives the tokens of who may ask; nil where everybody may.
func (c *callers) askers() func() []string {
	if c.asking == nil {
		return nil
	}
	return func() []string { return c.current.Load().asking }
}

// announcers gives the tokens of who may announce changes; nil where nobody may.
func (c *callers) announcers() func() []string {
	if c.announcing == nil {
		return nil
	}
	return func() []string { return c.current.Load().announcing }
}
