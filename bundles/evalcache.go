package bundles

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxEntries bounds the entries of a list. Further values go into OPA's own cache, or are read again.
const maxEntries = 96

// evalCache caches the values of rules and tables for one evaluation. A decision reads a few dozen of them: searching a
// pooled list linearly is faster than making new maps, which took a third of all allocations.
//
// It implements OPA's virtual cache and, by base, its base cache. It is not safe for concurrent use.
type evalCache struct {
	terms    []*ast.Term // the terms of all refs, one ref after another
	entries  []cacheEntry
	frames   []frame
	overflow topdown.VirtualCache // for entries beyond maxEntries; nil until there are any
	base     baseCache
}

// frame records where the entries and terms of a frame begin.
type frame struct{ entries, terms int }

type cacheEntry struct {
	fingerprint uint32
	from, to    int       // the ref's terms
	value       *ast.Term // nil: undefined
}

var evalCaches = sync.Pool{New: func() any { return new(evalCache) }}

func newEvalCache() *evalCache {
	c := evalCaches.Get().(*evalCache)
	c.Push()
	return c
}

// release returns the cache to the pool without references to what it cached.
func (c *evalCache) release() {
	clear(c.terms)
	clear(c.entries)
	clear(c.base.terms)
	clear(c.base.entries)
	c.terms, c.entries, c.frames, c.overflow = c.terms[:0], c.entries[:0], c.frames[:0], nil
	c.base.terms, c.base.entries = c.base.terms[:0], c.base.entries[:0]
	evalCaches.Put(c)
}

// Push begins a frame that hides the entries of the others.
func (c *evalCache) Push() {
	c.frames = append(c.frames, frame{len(c.entries), len(c.terms)})
	if c.overflow != nil {
		c.overflow.Push()
	}
}

// Pop ends a frame and drops its entries.
func (c *evalCache) Pop() {
	from := c.frames[len(c.frames)-1]
	c.frames = c.frames[:len(c.frames)-1]
	clear(c.entries[from.entries:])
	clear(c.terms[from.terms:])
	c.entries, c.terms = c.entries[:from.entries], c.terms[:from.terms]
	if c.overflow != nil {
		c.overflow.Pop()
	}
}

// Get returns the value of a ref. The result true means that the ref is known to be undefined.
func (c *evalCache) Get(ref ast.Ref) (*ast.Term, bool) {
	if e := c.find(ref); e != nil {
		return e.value, e.value == nil
	}
	if c.overflow != nil {
		return c.overflow.Get(ref)
	}
	return nil, false
}

// Put caches the value of a ref, nil for undefined.
func (c *evalCache) Put(ref ast.Ref, value *ast.Term) {
	if e := c.find(ref); e != nil {
		e.value = value
		return
	}
	if len(c.entries) >= maxEntries {
		c.ensureOverflow().Put(ref, value)
		return
	}
	from := len(c.terms)
	c.terms = append(c.terms, ref...) // copied, because the caller may reuse the ref
	c.entries = append(c.entries, cacheEntry{fingerprint: fingerprint(ref), from: from, to: len(c.terms), value: value})
}

// Keys lists the refs of the frame that have a value.
func (c *evalCache) Keys() []ast.Ref {
	var keys []ast.Ref
	for _, e := range c.entries[c.frames[len(c.frames)-1].entries:] {
		if e.value != nil {
			keys = append(keys, ast.Ref(c.terms[e.from:e.to]))
		}
	}
	if c.overflow != nil {
		keys = append(keys, c.overflow.Keys()...)
	}
	return keys
}

func (c *evalCache) ensureOverflow() topdown.VirtualCache {
	if c.overflow == nil {
		c.overflow = topdown.NewVirtualCache()
		for range len(c.frames) - 1 {
			c.overflow.Push()
		}
	}
	return c.overflow
}

func (c *evalCache) find(ref ast.Ref) *cacheEntry {
	sum := fingerprint(ref)
	entries := c.entries[c.frames[len(c.frames)-1].entries:]
	for i := range entries {
		if e := &entries[i]; e.fingerprint == sum && sameTerms(c.terms[e.from:e.to], ref) {
			return e
		}
	}
	return nil
}

// baseCache caches the values read from the tables.
type baseCache struct {
	terms   []*ast.Term
	entries []baseEntry
}

type baseEntry struct {
	fingerprint uint32
	from, to    int
	value       ast.Value
}

// Get returns the value read at a ref, or nil if none was.
func (c *baseCache) Get(ref ast.Ref) ast.Value {
	sum := fingerprint(ref)
	for i := range c.entries {
		if e := &c.entries[i]; e.fingerprint == sum && sameTerms(c.terms[e.from:e.to], ref) {
			return e.value
		}
	}
	return nil
}

// Put caches the value read at a ref.
func (c *baseCache) Put(ref ast.Ref, value ast.Value) {
	if len(c.entries) >= maxEntries {
		return
	}
	from := len(c.terms)
	c.terms = append(c.terms, ref...)
	c.entries = append(c.entries, baseEntry{fingerprint: fingerprint(ref), from: from, to: len(c.terms), value: value})
}

// fingerprint distinguishes most refs by the lengths and ends of their strings, which is cheaper than a hash.
func fingerprint(ref ast.Ref) uint32 {
	sum := uint32(len(ref))
	for _, term := range ref {
		sum *= 31
		if s, ok := term.Value.(ast.String); ok && len(s) > 0 {
			sum += uint32(len(s))<<16 | uint32(s[0])<<8 | uint32(s[len(s)-1])
		}
	}
	return sum
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
