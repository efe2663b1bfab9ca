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

// Text formats an explanation, to be read below the decision that it explains.
func Text(x *pdp.Explanation, q *authzen.Evaluation) string {
	var b strings.Builder
	if x.Voice == pdp.ForAuthor {
		author(&b, x)
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
	return b.String()
}

func line(b *strings.Builder, label, text string) {
	fmt.Fprintf(b, "  %-8s %s\n", label, terminal.Printable(text))
}

// author says which rules did what, and what they read.
func author(b *strings.Builder, x *pdp.Explanation) {
	for _, r := range x.Rules {
		text := r.At + "  " + r.Rule
		if r.Default {
			text += "  (by default)"
		}
		line(b, "held", text)
	}
	for _, r := range x.Failed {
		line(b, "failed", r.At+"  "+r.Rule+": "+r.Failed)
	}
	for _, f := range slices.Concat(x.Facts, x.Tables) {
		told := value(f.Value)
		if f.Omitted {
			told = "too long to be shown"
		}
		line(b, "read", f.Path+"  "+told)
	}
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
