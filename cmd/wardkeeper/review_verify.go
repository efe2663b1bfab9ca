package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/accessreview"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

func newReviewVerifyCommand(p process) *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "verify DIR [flags]",
		Short: "Verify the files of an access review",
		Long: `Check that the files of an access review are those of its manifest, no more and no less, and that one of the public keys in --key has
signed the manifest. Without --key nothing is known of who wrote it.

Exit status: 0 valid, 1 changed or not signed, 2 could not be verified.`,
		Example: `  wardkeeper review verify review-2026-11 --key public.pem`,
		Args:    arguments("DIR"),
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "`FILE` of public keys (PEM), by one of which the manifest must be signed")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		keys, err := readVerificationKeys(keyFile)
		if err != nil {
			return err
		}
		m, err := accessreview.Verify(args[0], keys)
		if _, invalid := errors.AsType[*accessreview.Fault](err); invalid {
			return &exitError{statusNo, fmt.Errorf("%s is not valid: %w", args[0], err)}
		}
		if err != nil {
			return err
		}
		signed := "signed by key " + m.Key
		if len(keys) == 0 {
			signed = "its signature is not checked: name the public key (--key)"
		}
		users := terminal.Count(m.Counts.Users, "user")
		if m.Incomplete > 0 {
			users += " of an incomplete directory"
		}
		return printLine(p.stdout, fmt.Sprintf("%s is valid, %s: %s of %s, as of %s, by policy %s", args[0], signed,
			terminal.Count(m.Counts.Rows, "row"), users, m.Moment.Format(time.RFC3339), m.Policy.Revision))
	}
	return cmd
}

// snapshot is a source with one view.
type snapshot struct{ of facts.View }

// View implements [facts.Source].
func (s snapshot) View(context.Context, facts.Requirement) (facts.View, error) { return s.of, nil }

func fullName(u *facts.User) string {
	n := u.Record().Name
	return strings.Join(strings.Fields(n.Title+" "+n.Given+" "+n.Family), " ")
}

// rolesIn returns the roles that a user holds in an organization, each with its location.
func rolesIn(u *facts.User, organization string) string {
	var roles []string
	for _, a := range u.Assignments() {
		if a.At.Organization() == organization {
			role := a.Role + " at " + a.Location
			if !a.Active {
				role += " (" + a.Status + ")"
			}
			roles = append(roles, role)
		}
	}
	return strings.Join(roles, "; ")
}
