package mutation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/mutant"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// maxMutants bounds a run.
const maxMutants = 100_000

// Config says what to measure.
type Config struct {
	Release   release.Config
	Justified []Justification
	Golden    *proof.Golden // nil: the policy has none
	Only      string        // the beginning of the paths of the files whose mutants are tried; "" means all
	Workers   int           // mutants that are tried at the same time
	// Progress is called after each mutant, and Survived for each survivor as soon as those before it are known, in the order of files
	// and lines. Both are called by one goroutine at a time, and may be nil.
	Progress func(tried, all, unjustified int)
	Survived func(Survivor)
}

// Result counts what became of the mutants. Those that do not compile are no policies, and count as none.
type Result struct {
	Mutants       int `json:"mutants"` // that compile
	DoNotCompile  int `json:"do_not_compile"`
	KilledLoading int `json:"killed_loading"` // a server refuses to load it
	KilledGolden  int `json:"killed_golden"`  // a golden decision differs
	KilledTests   int `json:"killed_tests"`   // a Rego test fails
	// Survivors are those that nothing noticed, in the order of files and lines.
	Survivors []Survivor `json:"survivors"`
}

// Survivor is a mutant that nothing noticed.
type Survivor struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	At        string `json:"at"`
	Change    string `json:"change"`
	Justified string `json:"justified,omitempty"` // why nothing needs to notice it
}

// fate is what became of a mutant.
type fate int

const (
	untried fate = iota
	survived
	noPolicy
	refused
	golden
	tested
)

// Run tries every mutant. It fails if the policy as it is does not pass its own checks.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	files, err := bundles.ReadTree(cfg.Release.Files, cfg.Release.Limits)
	if err != nil {
		return nil, err
	}
	all, err := mutant.Of(files.Files)
	if err != nil {
		return nil, err
	}
	if all, err = only(cfg.Only, all); err != nil {
		return nil, err
	}
	if len(all) > maxMutants {
		return nil, fmt.Errorf("there are %d mutants, more than %d: try a part of the policy", len(all), maxMutants)
	}
	t, err := newTrial(ctx, cfg, files.Files)
	if err != nil {
		return nil, err
	}
	return t.tryAll(ctx, all)
}

// only returns the mutants of the files whose paths begin so.
func only(prefix string, all []mutant.Mutant) ([]mutant.Mutant, error) {
	var some []mutant.Mutant
	for _, m := range all {
		if strings.HasPrefix(m.Name, prefix) {
			some = append(some, m)
		}
	}
	if len(some) == 0 && len(all) > 0 {
		return nil, fmt.Errorf("no file of rules or tables has a path that begins with %q: paths are such as %s", prefix, all[0].Name)
	}
	return some, nil
}

// trial is what all mutants are held against.
type trial struct {
	Config
	files []bundles.File
	suite *release.Suite
	views views
}

func newTrial(ctx context.Context, cfg Config, files []bundles.File) (*trial, error) {
	tree, err := release.ReadSourceTree(cfg.Release)
	if err != nil {
		return nil, err
	}
	if err := tree.Compile(ctx); err != nil {
		return nil, err
	}
	t := &trial{Config: cfg, files: files}
	p, err := pdp.Prepare(ctx, tree.Revision())
	if err != nil {
		return nil, err
	}
	if cfg.Golden != nil {
		if err := cfg.Golden.Check(ctx, p, t.views.open); err != nil {
			return nil, fmt.Errorf("golden decisions differ before anything is changed: %w", err)
		}
	}
	if t.suite, err = tree.Suite(ctx); err != nil {
		return nil, fmt.Errorf("tests fail before anything is changed: %w", err)
	}
	return t, nil
}

// tryAll tries mutants in parallel.
func (t *trial) tryAll(ctx context.Context, all []mutant.Mutant) (*Result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	count := newCounter(t.Config, all)
	next := make(chan int)
	var workers sync.WaitGroup
	for range t.Workers {
		workers.Go(func() {
			for i := range next {
				found, err := t.try(ctx, &all[i])
				if err != nil {
					stop(fmt.Errorf("%s:%d: %s: %w", all[i].Name, all[i].Line, all[i].Change, err))
					continue
				}
				count.add(i, found)
			}
		})
	}
	for i := range all {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return &count.result, nil
}

// try holds a mutant against the checks of a release, the fastest first.
func (t *trial) try(ctx context.Context, m *mutant.Mutant) (fate, error) {
	changed, err := m.File()
	if err != nil {
		return 0, err
	}
	files := slices.Clone(t.files)
	for i := range files {
		if files[i].Name == changed.Name {
			files[i] = changed
		}
	}
	archive, err := bundles.NewArchive(files)
	if err != nil {
		return 0, err
	}
	r, err := bundles.Open(ctx, bundles.Config{Archive: archive, Source: t.Release.Source, Entrypoint: t.Release.Entrypoint})
	if err != nil {
		if refusal, ok := errors.AsType[*bundles.Refusal](err); ok && (refusal.Reason == bundles.Compile || refusal.Reason == bundles.Malformed) {
			return noPolicy, ctx.Err()
		}
		return refused, ctx.Err()
	}
	p, err := pdp.Prepare(ctx, r)
	if err != nil {
		return refused, ctx.Err()
	}
	if t.Golden != nil {
		if err := t.Golden.CheckUntilFirst(ctx, p, t.views.open); err != nil {
			return golden, ctx.Err()
		}
	}
	failed, err := t.suite.FirstFailure(ctx, changed)
	switch {
	case err != nil:
		return 0, err
	case failed != "":
		return tested, nil
	}
	return survived, nil
}

// views keeps the directories of golden decisions, since hardly a mutant changes the words that a directory may use. It is safe for
// concurrent use.
type views struct {
	mu     sync.Mutex
	opened map[string]*view
}

type view struct {
	once  sync.Once
	facts facts.View
	err   error
}

// open implements [proof.OpenDirectory].
func (v *views) open(data []byte, words pdp.Vocabulary) (facts.View, error) {
	key, err := json.Marshal(words)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	if v.opened == nil {
		v.opened = map[string]*view{}
	}
	found := v.opened[string(key)+string(data)]
	if found == nil {
		found = &view{}
		v.opened[string(key)+string(data)] = found
	}
	v.mu.Unlock()
	found.once.Do(func() { found.facts, found.err = directory.Parse(data, words) })
	return found.facts, found.err
}
