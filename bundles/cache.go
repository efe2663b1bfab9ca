package bundles

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxListed is how much a list remembers; what comes on top is kept in OPA's own cache, or read again.
const maxListed = 96

// evalCache remembers, for one evaluation, the values of rules and of the tables that were read. A decision has some
// dozens of them: a list that is used again beats maps that are made anew, which took a third of all allocations.
//
// It is one of OPA's virtual caches and, as base, one of its base caches. It is not safe for concurrent use.
type evalCache struct {
	terms   []*ast.Term // the terms of all refs, one behind another
	entries []cacheEntry
	frames  []frame
	spill   topdown.VirtualCache // what the list has no room for; nil as long as it has
	base    baseCache
}

// frame is where the entries and terms of a frame begin.
type frame struct{ entries, terms int }

type cacheEntry struct {
	print    uint32
	from, to int
	value    *ast.Term // nil: undefined
}

var evalCaches = sync.Pool{New: func() any { return new(evalCache) }}

func newEvalCache() *evalCache {
	c := evalCaches.Get().(*evalCache)
	c.Push()
	return c
}

// release gives the cache back; nothing that was remembered is kept alive.
func (c *evalCache) release() {
	clear(c.terms)
	clear(c.entries)
	clear(c.base.terms)
	clear(c.base.entries)
	c.terms, c.entries, c.frames, c.spill = c.terms[:0], c.entries[:0], c.frames[:0], nil
	c.base.terms, c.base.entries = c.base.terms[:0], c.base.entries[:0]
	evalCaches.Put(c)
}

// Push begins a frame that hides what is remembered.
func (c *evalCache) Push() {
	c.frames = append(c.frames, frame{len(c.entries), len(c.terms)})
	if c.spill != nil {
		c.spill.Push()
	}
}

// Pop ends a frame and forgets it.
func (c *evalCache) Pop() {
	from := c.frames[len(c.frames)-1]
	c.frames = c.frames[:len(c.frames)-1]
	clear(c.entries[from.entries:])
	clear(c.terms[from.terms:])
	c.entries, c.terms = c.entries[:from.entries], c.terms[:from.terms]
	if c.spill != nil {
		c.spill.Pop()
	}
}

// Get gives the value of a ref; true says that it is remembered as undefined.
func (c *evalCache) Get(ref ast.Ref) (*ast.Term, bool) {
	if e := c.find(ref); e != nil {
		return e.value, e.value == nil
	}
	if c.spill != nil {
		return c.spill.Get(ref)
	}
	return nil, false
}

// Put remembers the value of a ref, nil for undefined.
func (c *evalCache) Put(ref ast.Ref, value *ast.Term) {
	if e := c.find(ref); e != nil {
		e.value = value
		return
	}
	if len(c.entries) >= maxListed {
		c.overflow().Put(ref, value)
		return
	}
	from := len(c.terms)
	c.terms = append(c.terms, ref...) // the caller may use the ref's memory again
	c.entries = append(c.entries, cacheEntry{print: footprint(ref), from: from, to: len(c.terms), value: value})
}

// Keys lists the refs of the frame that have a value.
func (c *evalCache) Keys() []ast.Ref {
	var keys []ast.Ref
	for _, e := range c.entries[c.frames[len(c.frames)-1].entries:] {
		if e.value != nil {
			keys = append(keys, ast.Ref(c.terms[e.from:e.to]))
		}
	}
	if c.spill != nil {
		keys = append(keys, c.spill.Keys()...)
	}
	return keys
}

func (c *evalCache) overflow() topdown.VirtualCache {
	if c.spill == nil {
		c.spill = topdown.NewVirtualCache()
		for range len(c.frames) - 1 {
			c.spill.Push()
		}
	}
	return c.spill
}

func (c *evalCache) find(ref ast.Ref) *cacheEntry {
	print := footprint(ref)
	entries := c.entries[c.frames[len(c.frames)-1].entries:]
	for i := range entries {
		if e := &entries[i]; e.print == print && sameTerms(c.terms[e.from:e.to], ref) {
			return e
		}
	}
	return nil
}

// baseCache remembers what was read of the tables.
type baseCache struct {
	terms   []*ast.Term
	entries []baseEntry
}

type baseEntry struct {
	print    uint32
	from, to int
	value    ast.Value
}

// Get gives what was read at a ref, nil where nothing was.
func (c *baseCache) Get(ref ast.Ref) ast.Value {
	print := footprint(ref)
	for i := range c.entries {
		if e := &c.entries[i]; e.print == print && sameTerms(c.terms[e.from:e.to], ref) {
			return e.value
		}
	}
	return nil
}

// Put remembers what was read at a ref.
func (c *baseCache) Put(ref ast.Ref, value ast.Value) {
	if len(c.entries) >= maxListed {
		return
	}
	from := len(c.terms)
	c.terms = append(c.terms, ref...)
	c.entries = append(c.entries, baseEntry{print: footprint(ref), from: from, to: len(c.terms), value: value})
}

// footprint tells most refs apart at the price of looking at their ends.
func footprint(ref ast.Ref) uint32 {
	print := uint32(len(ref))
	for _, term := range ref {
		print *= 31
		if s, ok := term.Value.(ast.String); ok && len(s) > 0 {
			print += uint32(len(s))<<16 | uint32(s[0])<<8 | uint32(s[len(s)-1])
		}
	}
	return print
}

func sameTerms(a []*ast.Term, b ast.Ref) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
