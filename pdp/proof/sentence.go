package proof

import (
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// sentence says in words which cases have a condition.
type sentence struct {
	words     string
	exact     bool // every case of these words has the condition; otherwise more decides
	condition diagram.Node

	dependsOn []string // what else decides, if it is not exact
	phrases   []phrase
	support   string       // what is said of applications; "" is nothing
	cases     diagram.Node // those of the phrases
}

// writer puts conditions into words.
type writer struct {
	part    *explore.Part
	aspects []world.Aspect
}

// maxSentences limits the sentences into which one condition is split.
const maxSentences = 12

// maxApart limits those that are found before what can be said in one is.
const maxApart = 24

// maxWords limits the values that are listed of one aspect.
const maxWords = 6

// tooManyForWords is what a sentence says where its words need too much space.
const tooManyForWords = "in cases that are too many to be put into words"

// sentencesOf puts the cases of any of some conditions into words: into several sentences where people, places or roles tell them apart, or
// into one. The error is [diagram.ErrTooLarge] or [diagram.ErrTooLong].
func sentencesOf(part *explore.Part, apart bool, conditions ...diagram.Node) (all []sentence, err error) {
	defer diagram.Guard(&err)
	condition := diagram.False
	for _, c := range conditions {
		condition = part.Or(condition, c)
	}
	w := &writer{part, part.Aspects()}
	if apart {
		all = w.sentences(condition)
	} else {
		all = []sentence{w.sentence(condition)}
	}
	for i := range all {
		all[i].words = w.text(all[i])
		if !all[i].exact {
			all[i].dependsOn = w.part.DependsOn(all[i].condition, all[i].cases)
		}
	}
	return all, nil
}

// inWords puts changes into words, in a fresh part, which it returns with them: into sentences apart if that is wanted and does not need too
// much space, or into one, or else each into one without words. The error is [diagram.ErrTooLarge].
func inWords(part *explore.Part, changes []explore.Change, apart bool) (all []sentence, fresh *explore.Part, copies []explore.Change, err error) {
	for _, a := range []bool{apart, false} {
		if fresh, copies, err = part.Fresh(changes); err != nil {
			return nil, nil, nil, err
		}
		var conditions []diagram.Node
		for _, c := range copies {
			conditions = append(conditions, c.Condition)
		}
		if all, err = sentencesOf(fresh, a, conditions...); err == nil {
			return all, fresh, copies, nil
		}
	}
	all = nil
	for _, c := range copies {
		all = append(all, sentence{words: tooManyForWords, condition: c.Condition})
	}
	return all, fresh, copies, nil
}

// sentences returns a condition in words: in one sentence if that is exact, otherwise in several where people, places or roles tell
// them apart.
func (w *writer) sentences(condition diagram.Node) []sentence {
	all := w.split(condition, 0)
	if len(all) <= maxApart {
		all = w.merged(all)
	}
	if len(all) > maxSentences {
		return []sentence{w.sentence(condition)}
	}
	return all
}

// merged says two sentences in one where that is exact, or says no less than both; those that were split last come first.
func (w *writer) merged(all []sentence) []sentence {
	for i := len(all) - 2; i >= 0; i-- {
		for j := i + 1; j < len(all); j++ {
			one := w.sentence(w.part.Or(all[i].condition, all[j].condition))
			if one.exact || one.cases == w.part.Or(all[i].cases, all[j].cases) {
				all[i], all = one, slices.Delete(all, j, j+1)
				j = i
			}
		}
	}
	return all
}

func (w *writer) split(condition diagram.Node, from int) []sentence {
	one := w.sentence(condition)
	if one.exact {
		return []sentence{one}
	}
	for i := from; i < len(w.aspects); i++ {
		if !w.aspects[i].Tells {
			continue
		}
		groups := w.apart(condition, i)
		if len(groups) < 2 {
			continue
		}
		var all []sentence
		for _, group := range groups {
			if all = append(all, w.split(group, i+1)...); len(all) > maxApart {
				break
			}
		}
		if w.aspects[i].Role || slices.ContainsFunc(all, func(s sentence) bool { return s.exact }) {
			return all
		}
	}
	return []sentence{one}
}

// apart splits a condition by an aspect. Values of which the same is to be said otherwise stay together.
func (w *writer) apart(condition diagram.Node, aspect int) (groups []diagram.Node) {
	said := map[string]int{}
	for _, v := range w.aspects[aspect].Values {
		here := w.part.And(condition, v.When)
		if here == diagram.False {
			continue
		}
		words := w.but(here, w.part.And(w.part.Valid, v.When), aspect)
		if i, ok := said[words]; ok {
			groups[i] = w.part.Or(groups[i], here)
			continue
		}
		said[words] = len(groups)
		groups = append(groups, here)
	}
	return groups
}

// but returns which values a condition has of all aspects but one, as far as it has not all that some cases have.
func (w *writer) but(condition, cases diagram.Node, aspect int) string {
	var all strings.Builder
	for i, a := range w.aspects {
		if i == aspect {
			continue
		}
		words, every := "", true
		for _, v := range a.Values {
			if w.part.And(condition, v.When) != diagram.False {
				words += v.Word + "\x00"
			} else {
				every = every && w.part.And(cases, v.When) == diagram.False
			}
		}
		if !every {
			all.WriteString(words)
		}
		all.WriteByte('\n')
	}
	return all.String()
}
