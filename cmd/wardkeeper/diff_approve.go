package main

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// approvedFile is an approved.yaml; without data it need not exist.
type approvedFile struct {
	name string
	data []byte
}

// noteMisplaced names the files of a policy folder that are called as if they approved changes, and lie where none is read.
func noteMisplaced(p process, notLoaded []string, folder string) {
	for _, name := range notLoaded {
		if base := strings.ToLower(path.Base(name)); base == bundles.ApprovedFile || base == "approved.yml" {
			p.note("%s approves nothing: what is approved has to be in %s", filepath.Join(folder, name), filepath.Join(folder, bundles.ApprovedFile))
		}
	}
}

// toApprove returns what to write into approved.yaml so that the first changes, so many, are approved; the title is "" if they are.
func (t *diffText) toApprove(first int) (title string, lines []string) {
	some := proof.Differences{Changes: t.Changes[:first]}
	missing := some.ToApprove()
	if len(missing) == 0 {
		return "", nil
	}
	text, whole, err := proof.EncodeApprovals(t.approvals.data, missing)
	if err != nil { // it has been read before
		return "", nil
	}
	title = "add this at the end of " + t.approvals.name
	if whole {
		title = "write this as " + t.approvals.name
	}
	title = fmt.Sprintf("To approve %s, %s, with a reason:", terminal.Count(len(missing), "change"), title)
	return title, strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// approveLines is toApprove for people, about all changes.
func (t *diffText) approveLines() []string {
	title, lines := t.toApprove(len(t.Changes))
	if title == "" {
		return nil
	}
	return append([]string{"", title, ""}, lines...)
}

// approveMarkdown is toApprove for a comment.
func (t *diffText) approveMarkdown(first int) string {
	title, lines := t.toApprove(first)
	if title == "" {
		return ""
	}
	return fmt.Sprintf("\n#### To approve\n\n%s\n\n```yaml\n%s\n```\n", markdownText(title), strings.Join(lines, "\n"))
}
