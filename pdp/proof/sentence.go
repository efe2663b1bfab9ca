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
	words     []string
	exact     bool // every case of these words has the condition; otherwise more decides
	condition diagram.Node
}

// writer puts conditions into words.
type writer struct {
	part    *explore.Part
	aspects []world.Aspect
}

// maxSentences limits the sentences into which one condition is split.
const maxSentences = 12

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
		return w.sentences(condition), nil
	}
	return []sentence{w.sentence(condition)}, nil
}

// sentences returns a condition in words: in one sentence if that is exact, otherwise in several where people, places or roles tell
// them apart.
func (w *writer) sentences(condition diagram.Node) []sentence {
	all := w.split(condition, 0)
	if len(all) > maxSentences {
		return []sentence{w.sentence(condition)}
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
			if all = append(all, w.split(group, i+1)...); len(all) > maxSentences {
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
		words := w.but(here, aspect)
		if i, ok := said[words]; ok {
			groups[i] = w.part.Or(groups[i], here)
			continue
		}
		said[words] = len(groups)
		groups = append(groups, here)
	}
	return groups
}

// but returns which values a condition has of all aspects but one.
func (w *writer) but(condition diagram.Node, aspect int) string {
	var all strings.Builder
	for i, a := range w.aspects {
		if i == aspect {
			continue
		}
		for _, v := range a.Values {
			if w.part.And(condition, v.When) != diagram.False {
				all.WriteString(v.Word)
			}
			all.WriteByte(0)
		}
	}
	return all.String()
}

func (w *writer) sentence(condition diagram.Node) sentence {
	s := sentence{condition: condition}
	all := w.part.Valid // the cases of the words so far
	for _, a := range w.aspects {
		var in, possible []string
		union := diagram.False
		for _, v := range a.Values {
			if w.part.And(condition, v.When) != diagram.False {
				in = append(in, v.Word)
				union = w.part.Or(union, v.When)
			}
		}
		if len(in) == len(a.Values) {
			if slices.Contains(in, a.Plain) {
				s.words = append(s.words, a.Before+anything(a.Values)+a.After)
			}
			continue
		}
		for _, v := range a.Values {
			if w.part.And(all, v.When) != diagram.False {
				possible = append(possible, v.Word)
			}
		}
		all = w.part.And(all, union)
		if len(in) < len(possible) && !(len(in) == 1 && in[0] == a.Plain) {
			s.words = append(s.words, a.Before+listed(&a, in, possible)+a.After)
		}
	}
	s.exact = all == condition
	return s
}

// anything lists all values of an aspect one of which would go without saying.
func anything(values []world.AspectValue) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.Word
	}
	return or(words)
}

// listed lists values, or those that they are not, where that is shorter.
func listed(a *world.Aspect, in, possible []string) string {
	if strings.HasSuffix(a.Before, " is ") && len(in) > 3 && len(possible)-len(in) < len(in) {
		return "anything but " + or(slices.DeleteFunc(possible, func(word string) bool { return slices.Contains(in, word) }))
	}
	return or(in)
}

func or(words []string) string {
	if len(words) > maxWords {
		words = append(slices.Clone(words[:maxWords]), "one of others")
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
