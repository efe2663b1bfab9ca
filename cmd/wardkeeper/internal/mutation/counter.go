package mutation

import (
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/bundles/mutant"
)

// counter counts what became of mutants that are tried in any order. It is safe for concurrent use.
type counter struct {
	Config
	all []mutant.Mutant

	mu          sync.Mutex
	fates       []fate
	tried       int
	unjustified int
	counted     int    // the first of all that is not in result
	result      Result // of those before
}

func newCounter(cfg Config, all []mutant.Mutant) *counter {
	return &counter{Config: cfg, all: all, fates: make([]fate, len(all)), result: Result{Survivors: []Survivor{}}}
}

// add notes what became of a mutant, and reports it.
func (c *counter) add(i int, found fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fates[i] = found
	c.tried++
	if found == survived && c.survivor(i).Justified == "" {
		c.unjustified++
	}
	for ; c.counted < len(c.all) && c.fates[c.counted] != untried; c.counted++ {
		c.count(c.counted)
	}
	if c.Progress != nil {
		c.Progress(c.tried, len(c.all), c.unjustified)
	}
}

func (c *counter) survivor(i int) Survivor {
	m := &c.all[i]
	s := Survivor{File: m.Name, Line: m.Line, At: m.At, Change: m.Change}
	for _, j := range c.Justified {
		if j.isAbout(&s) {
			s.Justified = strings.TrimSpace(j.Reason)
		}
	}
	return s
}

func (c *counter) count(i int) {
	r := &c.result
	r.Mutants++
	switch c.fates[i] {
	case noPolicy:
		r.Mutants--
		r.DoNotCompile++
	case refused:
		r.KilledLoading++
	case golden:
		r.KilledGolden++
	case tested:
		r.KilledTests++
	case survived:
		s := c.survivor(i)
		r.Survivors = append(r.Survivors, s)
		if c.Survived != nil {
			c.Survived(s)
		}
	}
}
