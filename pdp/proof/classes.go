package proof

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// Class is an answer of a policy with the cases that get it.
type Class struct {
	World     string          `json:"world"`
	Action    string          `json:"action"` // "" is one that the policy does not know
	Allow     bool            `json:"allow"`
	Outcome   string          `json:"outcome"` // what the answer is, by the codes and ids of its parts
	Sentences []ClassSentence `json:"sentences"`
	Cases     float64         `json:"cases"`
	Example   *Example        `json:"example"` // the smallest
}

// ClassSentence says in words which cases are in a class.
type ClassSentence struct {
	Words string `json:"words"`
	Exact bool   `json:"exact"` // all cases of these words are in the class; otherwise some are, and more decides
}

// addClasses adds the classes of a part to the report. Words take space: where none is left, the part is explored again for the
// others.
func (r *verifier) addClasses(ctx context.Context, d *explore.Decision, part *explore.Part) error {
	for done, again := 0, false; ; again = true {
		classes, err := part.Classes(&part.Sides[0])
		if err != nil && again {
			r.undecided(part.Question, err.Error())
			return nil
		}
		began := done
		for ; done < len(classes); done++ {
			full, err := r.addClass(ctx, part, classes[done], again && done == began)
			if err != nil {
				return err
			}
			if full {
				break
			}
		}
		if err == nil && done == len(classes) {
			return nil
		}
		left, err := explore.Explore(ctx, []*explore.Decision{d}, part.Question, cmp.Or(r.MaxNodes, explore.MaxNodes), func(p *explore.Part) error {
			part = p
			return nil
		})
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return left[0].Why
		}
	}
}

// addClass adds a class, unless no space is left for its words. A fresh part has as much as there can be: then the words say less.
// What is allowed is told apart by people, places and roles; a denial gets one sentence.
func (r *verifier) addClass(ctx context.Context, part *explore.Part, c explore.Class, fresh bool) (full bool, err error) {
	allow, _, _ := read(c.Answer)
	sentences, err := sentencesOf(part, allow, c.Condition)
	switch {
	case err != nil && !fresh:
		return true, nil
	case err != nil:
		sentences = []sentence{{words: []string{tooManyForWords}}}
	}
	class := Class{World: part.Question.Tree, Action: part.Question.Action, Allow: allow, Outcome: outcomeText(c.Answer), Cases: part.Count(c.Condition)}
	for _, s := range sentences {
		words := cmp.Or(strings.Join(s.words, ", "), "in every case")
		class.Sentences = append(class.Sentences, ClassSentence{describe(part.Question) + ": " + words, s.exact})
	}
	if class.Example, err = r.example(ctx, part, part.Smallest(c.Condition, part.Cost), c.Answer, true); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Answers = append(r.report.Answers, class)
	return false, nil
}

// sortClasses sorts by world and action, what is allowed first, and then what most cases get.
func sortClasses(all []Class) {
	slices.SortFunc(all, func(a, b Class) int {
		if a.Allow != b.Allow && a.World == b.World && a.Action == b.Action {
			if a.Allow {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(slices.Index(world.Trees(), a.World), slices.Index(world.Trees(), b.World)), cmp.Compare(a.Action, b.Action),
			cmp.Compare(b.Cases, a.Cases), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Sentences[0].Words, b.Sentences[0].Words))
	})
}
