package review

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxKnown bounds the answers that are kept.
const maxKnown = 500_000

// answer is what the questions of one key were answered with.
type answer struct {
	kinds []uint16     // the rows that they are part of, sorted
	seen  atomic.Int64 // how many times they came
}

// answers are what is known so far: by keys, and the words that keys and answers are made of. They are safe for concurrent use.
type answers struct {
	mu    sync.RWMutex
	known map[string]*answer
	words map[string]int
	kinds []kindOfRow // only ever appended to
}

func newAnswers() answers { return answers{known: map[string]*answer{}, words: map[string]int{}} }

// find returns an answer, and whether it has to be asked for again nevertheless. It returns nil for one that is not known.
func (a *answers) find(key []byte) (known *answer, again bool) {
	a.mu.RLock()
	known = a.known[string(key)]
	a.mu.RUnlock()
	if known == nil {
		return nil, false
	}
	return known, isChecked(known.seen.Add(1))
}

func (a *answers) add(key string, kinds []uint16) {
	known := &answer{kinds: kinds}
	known.seen.Store(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[key] = known
}

// isChecked says when an answer that is known is asked for again: at the second time, and whenever it was used four times as often since.
func isChecked(seen int64) bool {
	for n := int64(2); n <= seen; n *= 4 {
		if n == seen {
			return true
		}
	}
	return false
}

// word returns the number of a text.
func (a *answers) word(text string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, known := a.words[text]
	if !known {
		n = len(a.words)
		a.words[text] = n
	}
	return n
}

// kindID returns the id of a kind of row.
func (a *answers) kindID(k kindOfRow) uint16 {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.Index(a.kinds, k)
	if i < 0 {
		i = len(a.kinds)
		a.kinds = append(a.kinds, k)
	}
	return uint16(i)
}

// allKinds returns the kinds of rows by their ids.
func (a *answers) allKinds() []kindOfRow {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Clip(a.kinds)
}
