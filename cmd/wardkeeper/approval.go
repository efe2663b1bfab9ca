package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// readApproved reads a file of approvals.
func readApproved(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, proof.MaxApprovedSize+1))
}

// decodeApprovals reads approvals; the error names the file.
func decodeApprovals(data []byte, name string) ([]proof.Approval, error) {
	all, err := proof.DecodeApprovals(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// checkApproved refuses a policy that allows what the one in force denies, unless its bundle approves the change, or of which not
// everything could be compared. The policy that a sidecar begins with has none before it.
func (s *sidecar) checkApproved(ctx context.Context, r *bundles.Revision) error {
	active := s.engine.Policy()
	if !s.requireApproval || active == nil {
		return nil
	}
	approvals, err := decodeApprovals(r.Approved, bundles.ApprovedFile)
	if err != nil {
		return bundles.Refuse(bundles.Unapproved, err)
	}
	c := proof.Comparison{Workers: 1} // the others decide meanwhile
	if c.Was, err = pdp.PrepareInterpreted(ctx, active.Revision()); err != nil {
		return err
	}
	if c.Is, err = pdp.PrepareInterpreted(ctx, r); err != nil {
		return err
	}
	report, err := proof.Compare(ctx, c)
	if err != nil {
		return bundles.Refusef(bundles.Unapproved, "it cannot be compared with the policy in force: %w", err)
	}
	ignored := report.Approve(approvals)
	if text := unapproved(report, ignored); text != "" {
		return bundles.Refusef(bundles.Unapproved, "%s", text)
	}
	return nil
}

// maxSentence limits the characters of a sentence in a refusal, which has one of each kind and counts the others: it is a line of the log.
const maxSentence = 200

// unapproved says which change is not approved, what was not compared, and which approval does not count; "" if there is nothing.
func unapproved(report *proof.Differences, ignored []string) string {
	var text string
	missing := report.ToApprove()
	switch {
	case len(missing) > 0:
		text = fmt.Sprintf("it allows what the policy in force denies, in %s without approval: %s", terminal.Count(len(missing), "change"),
			firstOf(missing, func(a proof.Approval) string { return a.ID + " " + a.Change }))
	case len(report.NotExplored) > 0:
		text = "not everything can be compared with the policy in force: " + firstOf(report.NotExplored, func(what string) string { return what })
	default:
		return ""
	}
	if len(ignored) > 0 {
		text += "; " + firstOf(ignored, func(why string) string { return why })
	}
	return text + `; "wardkeeper diff" with both policies shows all, and what approves it`
}

// firstOf returns the sentence of the first, and how many others there are.
func firstOf[T any](all []T, sentence func(T) string) string {
	text := shortened(sentence(all[0]), maxSentence)
	if len(all) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(all)-1)
	}
	return text
}
