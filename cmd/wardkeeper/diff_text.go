package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// diffText renders a comparison for people.
type diffText struct {
	*diffReport
	was, is string    // names of the policies
	paths   [2]string // for the commands of examples

	approvals approvedFile
}

// maxOutcomes limits the pairs of answers that are shown of one change; the JSON has them all.
const maxOutcomes = 4

// summary says how many changes there are of each kind.
func (t *diffText) summary() string {
	counts := map[proof.Kind]int{}
	for _, c := range t.Changes {
		counts[c.Kind]++
	}
	var parts []string
	for _, kind := range proof.Kinds() {
		if counts[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
		}
	}
	text := "No decision changes within the bound"
	if t.Revisions[0] == t.Revisions[1] {
		return "No decision changes: OLD and NEW are the same policy, revision " + t.Revisions[0]
	}
	if len(parts) > 0 {
		text = terminal.Count(len(t.Changes), "change") + " of decisions: " + strings.Join(parts, ", ")
		if n := t.Unapproved(); n > 0 {
			text += fmt.Sprintf("; %d not approved", n)
		}
	}
	if len(t.NotExplored)+len(t.Actions) > 0 {
		text += ", as far as it was explored"
	}
	return text
}

// approval says of a change that must be approved whether it is.
func approval(c *proof.Difference) string {
	switch {
	case c.Kind != proof.Granted:
		return ""
	case c.Approved != "":
		return "approved: " + c.Approved
	}
	return "NOT APPROVED"
}

// pairs returns the pairs of answers of a change.
func pairs(c *proof.Difference) (lines []string) {
	for i, o := range c.Outcomes {
		if i == maxOutcomes {
			return append(lines, fmt.Sprintf("and %d other pairs of answers (--json)", len(c.Outcomes)-i))
		}
		lines = append(lines, o.Was+" → "+o.Is)
	}
	return lines
}

// commands returns the commands that ask the example of a change, with both answers.
func (t *diffText) commands(c *proof.Difference) []string {
	was, is := &c.Example.Was, &c.Example.Is
	return append(strings.Split(was.Command(t.paths[0]), "\n"), "# "+cmp.Or(was.Answer, was.Error), is.Ask(t.paths[1]), "# "+cmp.Or(is.Answer, is.Error))
}

// inSome admits that only some cases of a sentence are meant, and says what else decides.
func inSome(dependsOn []string) string {
	const maxNames = 6
	switch n := len(dependsOn); {
	case n == 0:
		return "in some of these cases: it also depends on how what is said here comes together"
	case n > maxNames:
		return fmt.Sprintf("in some of these cases: it also depends on %s and %d others", strings.Join(dependsOn[:maxNames], ", "), n-maxNames)
	}
	return "in some of these cases: it also depends on " + strings.Join(dependsOn, ", ")
}

func (t *diffText) lines() []string {
	lines := []string{t.summary() + "."}
	granted := 0
	for granted < len(t.Changes) && t.Changes[granted].Kind == proof.Granted { // they come first
		granted++
	}
	for i := range t.Changes {
		c := &t.Changes[i]
		if i == granted {
			lines = append(lines, t.approveLines()...)
		}
		lines = append(lines, "", strings.ToUpper(string(c.Kind))+"  "+c.ID+"  "+approval(c), "  "+c.Sentence)
		if !c.Exact {
			lines = append(lines, "  "+inSome(c.DependsOn))
		}
		for _, o := range pairs(c) {
			lines = append(lines, "    "+o)
		}
		lines = append(lines, t.commands(c)...)
	}
	if granted == len(t.Changes) {
		lines = append(lines, t.approveLines()...)
	}
	for _, section := range t.sections(true) {
		lines = append(append(lines, ""), section.title)
		for _, text := range section.texts {
			lines = append(lines, "  - "+text)
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

type diffSection struct {
	title string
	texts []string
}

// sections says who in a directory is concerned, with or without their ids, what a log says, what was not compared, within which bound
// the rest was, and what was to be left out.
func (t *diffText) sections(ids bool) (all []diffSection) {
	if t.Directory != nil {
		all = append(all, t.Directory.section(ids))
	}
	if t.Log != nil {
		all = append(all, t.Log.section(t.Beyond))
	}
	if len(t.NotExplored) > 0 {
		all = append(all, diffSection{"Not explored; there may be changes of any kind:", t.NotExplored})
	}
	if len(t.Coarse) > 0 {
		all = append(all, diffSection{"Answers too many to be told apart, of which each reason was compared by itself:", t.Coarse})
	}
	all = append(all, diffSection{fmt.Sprintf("%.0e cases were compared, within this bound:", t.Cases), t.Bound})
	if len(t.Actions) > 0 {
		all = append(all, diffSection{title: "Everything but " + strings.Join(t.Actions, ", ") + " was left out (--action): there may be changes of any kind."})
	}
	return all
}

// maxComment is how many bytes a comment has at most: GitHub takes 65,536 characters.
const maxComment = 60_000

// markdown renders a comparison as a comment of GitHub or GitLab. What does not fit is counted, and what must be looked at first comes
// first.
func (t *diffText) markdown() string {
	var end strings.Builder
	for _, section := range t.sections(false) {
		fmt.Fprintf(&end, "\n<details><summary>%s</summary>\n\n", markdownText(section.title))
		for i, text := range section.texts {
			if i == 40 {
				fmt.Fprintf(&end, "- and %d others\n", len(section.texts)-i)
				break
			}
			fmt.Fprintf(&end, "- %s\n", markdownText(shortened(text, 200)))
		}
		end.WriteString("\n</details>\n")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### Decisions: %s → %s\n\n%s.\n", markdownText(shortened(t.was, 200)), markdownText(shortened(t.is, 200)), markdownText(t.summary()))
	var last proof.Kind
	approve := ""
	for i := range t.Changes {
		c := &t.Changes[i]
		var one strings.Builder
		if c.Kind != last {
			fmt.Fprintf(&one, "\n#### %s\n\n", strings.ToUpper(string(c.Kind[:1]))+string(c.Kind[1:]))
			last = c.Kind
		}
		one.WriteString(t.item(c))
		more := approve
		if c.Kind == proof.Granted {
			more = t.approveMarkdown(i + 1)
		}
		if b.Len()+one.Len()+len(more)+end.Len() > maxComment {
			fmt.Fprintf(&b, "\n**%s not shown here**; `wardkeeper diff` shows all.\n", terminal.Count(len(t.Changes)-i, "change"))
			break
		}
		if c.Kind != proof.Granted {
			b.WriteString(approve)
			more = ""
		}
		b.WriteString(one.String())
		approve = more
	}
	return b.String() + approve + end.String()
}

func (t *diffText) item(c *proof.Difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- %s", markdownText(c.Sentence))
	if !c.Exact {
		fmt.Fprintf(&b, " (%s)", markdownText(inSome(c.DependsOn)))
	}
	if s := approval(c); s != "" {
		fmt.Fprintf(&b, " — **%s**", markdownText(s))
	}
	fmt.Fprintf(&b, " `%s`\n", c.ID)
	for _, o := range pairs(c) {
		fmt.Fprintf(&b, "  - %s\n", markdownText(o))
	}
	b.WriteString("\n  <details><summary>example</summary>\n\n  ```sh\n")
	for _, line := range t.commands(c) {
		fmt.Fprintf(&b, "  %s\n", terminal.Printable(line))
	}
	b.WriteString("  ```\n  </details>\n")
	return b.String()
}

// shortened cuts a text that has more characters than a limit.
func shortened(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

// markdownText quotes a text so that it stands for itself in Markdown.
func markdownText(text string) string {
	var b strings.Builder
	for _, r := range terminal.Printable(text) {
		if strings.ContainsRune("\\`*_{}[]<>#|~!&@$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
