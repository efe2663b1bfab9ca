package proof

import (
	"cmp"
	"context"
	"slices"

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
	// DependsOn names what else decides, of which the words say nothing.
	DependsOn []string `json:"depends_on,omitempty"`
}

// addClasses adds the classes of a part to the report.
func (r *verifier) addClasses(ctx context.Context, part *explore.Part, classes []explore.Class) error {
	for _, c := range classes {
		if err := r.addClass(ctx, part, c); err != nil {
			return err
		}
	}
	return nil
}

// addClass adds a class. What is allowed is told apart by people, places and roles; a denial gets one sentence.
func (r *verifier) addClass(ctx context.Context, part *explore.Part, c explore.Class) error {
	allow, _, _ := read(c.Answer)
	sentences, _, _, err := inWords(part, []explore.Change{{Is: c.Answer, Condition: c.Condition}}, allow)
	if err != nil {
		return err
	}
	class := Class{World: part.Question.Tree, Action: part.Question.Action, Allow: allow, Outcome: outcomeText(c.Answer), Cases: part.Count(c.Condition)}
	for _, s := range sentences {
		words := cmp.Or(s.words, "in every case")
		class.Sentences = append(class.Sentences, ClassSentence{describe(part.Question) + ": " + words, s.exact, s.dependsOn})
	}
	if class.Example, err = r.example(ctx, part, part.Smallest(c.Condition, part.Cost), c.Answer, true); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Answers = append(r.report.Answers, class)
	return nil
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
