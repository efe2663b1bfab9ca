package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Text formats an explanation, to be read below the decision that it explains. To the author it tells the rules and facts by which a policy
// is written, and with all also those that only carry them on.
func Text(x *pdp.Explanation, q *authzen.Evaluation, all bool) string {
	var b strings.Builder
	left := 0
	if x.Voice == pdp.ForAuthor {
		left = author(&b, x, all)
	} else {
		said := map[string]bool{}
		for _, f := range x.Facts {
			if text, ok := factText(f, q); ok && !said[text] {
				said[text] = true
				line(&b, "fact", text)
			}
		}
	}
	for _, c := range x.Counterfactuals {
		line(&b, "flips", changeText(&c, q, x.Voice))
	}
	b.WriteString(bound(x))
	if left > 0 {
		fmt.Fprintf(&b, "%s not shown: --all shows them.\n", terminal.Count(left, "other line"))
	}
	return b.String()
}

func line(b *strings.Builder, label, text string) {
	fmt.Fprintf(b, "  %-8s %s\n", label, terminal.Printable(text))
}

// author says which rules did what, those that failed first, and what they read: the cells of tables first. It returns how many lines it
// left out.
func author(b *strings.Builder, x *pdp.Explanation, all bool) (left int) {
	told := map[string]bool{}
	tell := func(label, text string, matters bool) {
		switch {
		case !all && (!matters || told[label+text]):
			left++
		default:
			told[label+text] = true
			line(b, label, text)
		}
	}
	for _, r := range x.Failed {
		tell("failed", r.At+"  "+r.Rule+": "+r.Failed, true)
	}
	for _, r := range x.Rules {
		text := r.At + "  " + r.Rule
		if r.Default {
			text += "  (by default)"
		}
		tell("held", text, !isPrivate(r.Rule))
	}
	for _, f := range slices.Concat(x.Tables, x.Facts) {
		read := value(f.Value)
		if f.Omitted {
			read = "too long to be shown"
		}
		path := f.Path
		if f.At != "" {
			path = f.At + "  " + path
		}
		tell("read", path+"  "+read, !isGiven(f.Path))
	}
	return left
}

// isPrivate reports whether a rule's name, or that of what it is a part of, begins with an underscore: it carries on what others say.
func isPrivate(rule string) bool { return strings.Contains(rule, "._") }

// isGiven reports whether a value that was read is one that whoever asks knows from the question, or a sentence of the answer.
func isGiven(path string) bool {
	steps := stepsOf(path)
	last := steps[len(steps)-1]
	switch {
	case steps[0] == "data":
		return slices.Contains(steps, "messages")
	case len(steps) > 1 && steps[1] == "facts":
		return slices.Contains([]string{"id", "organization", "model"}, last)
	}
	return slices.Contains([]string{"input.subject.type", "input.subject.id", "input.resource.type", "input.resource.id", "input.action.name"}, path)
}

// bound says how far the search for changes went.
func bound(x *pdp.Explanation) string {
	tried := fmt.Sprintf("%d single changes were tried", x.Bound.Tried)
	if x.Bound.Tried == 1 {
		tried = "1 single change was tried"
	}
	switch {
	case x.Bound.Withheld:
		return "What the person who asks may see does not give this answer by itself: nothing more is told.\n"
	case !x.Bound.Complete:
		return tried + ", not all there are.\n"
	case len(x.Counterfactuals) == 0:
		return tried + ": none flips the answer.\n"
	}
	return tried + ": no other flips the answer.\n"
}

// value formats a value of JSON; nil is one that is absent.
func value(v any) string {
	if v == nil {
		return "absent"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
