package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

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

// maxUnapproved limits the changes that a refusal names.
const maxUnapproved = 5

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
	if text := unapproved(report); text != "" {
		return bundles.Refusef(bundles.Unapproved, "%s", strings.Join(append([]string{text}, ignored[:min(maxUnapproved, len(ignored))]...), "; "))
	}
	return nil
}

// unapproved says which changes are not approved, and what was not compared; "" if there is nothing.
func unapproved(report *proof.Differences) string {
	var texts []string
	for i := range report.Changes {
		if c := &report.Changes[i]; c.Kind == proof.Granted && c.Approved == "" && len(texts) < maxUnapproved {
			texts = append(texts, fmt.Sprintf("%s %s", c.ID, c.Sentence))
		}
	}
	if n := report.Unapproved(); n > 0 {
		if more := n - len(texts); more > 0 {
			texts = append(texts, fmt.Sprintf("and %d more", more))
		}
		return fmt.Sprintf("it allows what the policy in force denies, in %s without approval: %s", terminal.Count(n, "change"), strings.Join(texts, "; "))
	}
	if len(report.NotExplored) > 0 {
		return "not everything can be compared with the policy in force: " + strings.Join(report.NotExplored[:min(maxUnapproved, len(report.NotExplored))], "; ")
	}
	return ""
}
