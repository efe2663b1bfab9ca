package proof

import (
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// phrase says of one aspect which values a condition has.
type phrase struct {
	words string       // "" goes without saying
	means diagram.Node // the cases of the words
	// before and after are what the words begin and end with: what is said once of phrases that end with the same.
	before, after string
	stays         bool         // a reader would take another value for granted, or miss what other phrases refer to
	all           diagram.Node // the cases of the phrases before it
}

// What follows a sentence whose words say all but for what the application supports.
const (
	ifAllSupported   = "if the application supports every obligation"
	someNotSupported = ", and in some cases if it does not"
	ifNotSupported   = "if the application does not support every obligation"
)

// sentence says what the cases of a condition have in common. Where that is exact, it leaves out details, and what the application supports:
// because of what it does not support, anything may be denied.
func (w *writer) sentence(condition diagram.Node) sentence {
	supports, looked := w.part.SupportsAll()
	brief := w.inPhrases(condition, false)
	for _, s := range []sentence{brief, w.inPhrases(condition, true)} {
		if s.exact {
			return s
		}
		here := w.part.And(condition, supports)
		if looked && here != diagram.False && here == w.part.And(s.cases, supports) {
			if s.support = ifAllSupported; here != condition {
				s.support += someNotSupported
			}
			s.exact = true
			return s
		}
	}
	if looked && w.part.And(condition, supports) == diagram.False {
		brief.support = ifNotSupported
	}
	return brief
}

// inPhrases says which values a condition has of each aspect, of details only if they are wanted.
func (w *writer) inPhrases(condition diagram.Node, details bool) sentence {
	s := sentence{condition: condition, cases: w.part.Valid}
	for i := range w.aspects {
		a := &w.aspects[i]
		if a.Detail && !details {
			continue
		}
		p := w.phrase(a, condition, s.cases)
		if p.means == diagram.True && p.words == "" {
			continue
		}
		p.all = s.cases
		s.cases = w.part.And(s.cases, p.means)
		s.phrases = append(s.phrases, p)
	}
	s.exact = s.cases == condition
	return s
}

// phrase says which values of an aspect a condition has, where the cases that are said already are given.
func (w *writer) phrase(a *world.Aspect, condition, cases diagram.Node) phrase {
	var in, possible []string
	for _, v := range a.Values {
		if w.part.And(condition, v.When) != diagram.False {
			in = append(in, v.Word)
		}
		if w.part.And(cases, v.When) != diagram.False {
			possible = append(possible, v.Word)
		}
	}
	means := func(words []string) diagram.Node {
		union := diagram.False
		for _, v := range a.Values {
			if slices.Contains(words, v.Word) {
				union = w.part.Or(union, v.When)
			}
		}
		return union
	}
	switch {
	case a.Plain != "" && len(in) == 1 && in[0] == a.Plain:
		return phrase{means: means(in), stays: true}
	case a.Plain == "" && len(in) == len(possible):
		return phrase{means: diagram.True}
	}
	but := func(words []string) []string {
		var others []string
		for _, v := range a.Values {
			if !slices.Contains(words, v.Word) {
				others = append(others, v.Word)
			}
		}
		return others
	}
	words, short := in, grouped(a, in)
	said := or(short)
	left := slices.DeleteFunc(slices.Clone(possible), func(word string) bool { return slices.Contains(in, word) })
	switch {
	case a.Any != "" && len(in) > 1 && !slices.ContainsFunc(in, func(word string) bool { return slices.Contains(a.But, word) }) &&
		!slices.ContainsFunc(left, func(word string) bool { return !slices.Contains(a.But, word) }):
		words, said = but(a.But), a.Any
	case strings.HasSuffix(a.Before, " is ") && len(short) > 3 && len(left) > 0 && len(grouped(a, left)) < len(short):
		words, said = but(left), "anything but "+or(grouped(a, left))
	}
	return phrase{words: a.Before + said + a.After, before: a.Before, after: a.After, means: means(words), stays: a.Plain != "" || a.Named}
}

// grouped replaces values by the words for several of them.
func grouped(a *world.Aspect, words []string) []string {
	for _, g := range a.Groups {
		of := func(word string) bool { return slices.Contains(g.Values, word) }
		others := slices.DeleteFunc(slices.Clone(words), of)
		if len(words)-len(others) == len(g.Values) {
			at := slices.IndexFunc(words, of)
			words = slices.Insert(others, at, g.Word)
		}
	}
	return words
}

// text joins the phrases of a sentence but for those that the others imply.
func (w *writer) text(s sentence) string {
	var said []phrase
	after := diagram.True
	for _, p := range slices.Backward(s.phrases) {
		if !p.stays && w.part.And(p.all, after) == s.cases {
			continue
		}
		after = w.part.And(after, p.means)
		if p.words != "" {
			said = append(said, p)
		}
	}
	slices.Reverse(said)
	var words []string
	for i, p := range said {
		if i > 0 && p.after != "" && p.after == said[i-1].after { // said of both at once
			words[len(words)-1] = strings.TrimSuffix(words[len(words)-1], p.after)
			p.words = strings.TrimPrefix(p.words, p.before)
		}
		words = append(words, p.words)
	}
	if s.support != "" {
		words = append(words, s.support)
	}
	return strings.Join(words, ", ")
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
