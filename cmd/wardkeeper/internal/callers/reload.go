package callers

import (
	"fmt"
	"slices"
)

// read returns the hashes of the secrets in the files, by entry.
func (c *Callers) read() [][]hash {
	sets := make([][]hash, len(c.entries))
	for i, e := range c.entries {
		if e.tokens != nil {
			for _, token := range e.tokens.Get() {
				sets[i] = append(sets[i], bearerHash(token))
			}
		}
		if e.secrets != nil {
			for _, text := range e.secrets.Get() {
				sets[i] = append(sets[i], basicHash(e.ClientID, text))
			}
		}
	}
	return sets
}

// overlap returns two entries with a secret in common, the lower one first, or the same entry twice if there are none.
func overlap(sets [][]hash) (a, b int) {
	owners := map[hash]int{}
	for i, set := range sets {
		for _, h := range set {
			if owner, ok := owners[h]; ok && owner != i {
				return owner, i
			}
			owners[h] = i
		}
	}
	return 0, 0
}

func (c *Callers) errShared(a, b int) error {
	return fmt.Errorf("%s contains a token of %s: each caller needs its own", c.entries[b].Setting, c.entries[a].Setting)
}

// Reload reads the files again. If two callers then have the same secret, the one that had it before keeps it, and the other
// keeps its last good ones: otherwise a client could do what another may.
func (c *Callers) Reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, next := c.sets, c.read()
	a, b := overlap(next)
	switch shared := a != b; {
	case shared && !c.shared:
		c.log.Warn("two callers have the same secret; one of them keeps its last good ones", "error", c.errShared(a, b))
		c.shared = true
	case !shared && c.shared:
		c.log.Info("no two callers have the same secret any more")
		c.shared = false
	}
	kept := make([]bool, len(next))
	for ; a != b; a, b = overlap(next) { // each turn puts one entry back, and what was in force has no overlap
		back := b
		if kept[b] || sharesWith(before[b], next[a], next[b]) {
			back = a
		}
		next[back], kept[back] = before[back], true
	}
	if slices.EqualFunc(before, next, slices.Equal[[]hash]) {
		return
	}
	c.sets = next
	c.enforce()
	c.WarnIfExposed()
}

// sharesWith reports whether one of the hashes that a and b have in common was in force before.
func sharesWith(before, a, b []hash) bool {
	return slices.ContainsFunc(before, func(h hash) bool { return slices.Contains(a, h) && slices.Contains(b, h) })
}

func (c *Callers) enforce() {
	var all []secret
	for i, set := range c.sets {
		for _, h := range set {
			all = append(all, secret{h, c.entries[i]})
		}
	}
	c.inForce.Store(&all)
}

// WarnIfExposed logs a warning for each file of secrets that every user of the machine can read.
func (c *Callers) WarnIfExposed() {
	for _, e := range c.entries {
		for _, file := range []string{e.TokenFile, e.ClientSecretFile} {
			if file != "" && WorldReadable(file) {
				c.log.Warn("Every user of this machine can read the token file: remove that permission (chmod o-r).", "file", file)
			}
		}
	}
}
