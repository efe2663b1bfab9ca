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
	kinds   []uint16     // the rows that they are part of, sorted
	rows    []uint16     // by question, one more than the id of its row; 0 for none, or notAsked
	reach   *knownReach  // for the key of a reach; nil if it is of nobody
	seen    atomic.Int64 // how many times they came
	checked atomic.Int64 // how many times some were asked again
}

// answers are what is known so far: by keys, and the words that keys and answers are made of. They are safe for concurrent use.
type answers struct {
	mu    sync.RWMutex
	known map[string]*answer
	words map[string]int
	kinds []kindOfRow // only ever appended to
}

func newAnswers() answers { return answers{known: map[string]*answer{}, words: map[string]int{}} }

// find returns an answer, and how many times it was needed. It returns nil for one that is not known.
func (a *answers) find(key []byte) (known *answer, seen int64) {
	a.mu.RLock()
	known = a.known[string(key)]
	a.mu.RUnlock()
	if known == nil {
		return nil, 0
	}
	return known, known.seen.Add(1)
}

func (a *answers) add(key string, known *answer) {
	known.seen.Store(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[key] = known
}

// isChecked says when an answer that is known is checked: at the second time, and whenever it was used four times as often since.
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
