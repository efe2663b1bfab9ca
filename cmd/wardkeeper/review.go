package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/accessreview"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/review"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// accessReview holds the flags of `wardkeeper review`.
type accessReview struct {
	directoryFlags
	output, format, signingKey string
	bundle, decision           string
	log, logKey                string
	each                       bool
	filter                     logFilter
}

func newReviewCommand(p process) *cobra.Command {
	var a accessReview
	cmd := &cobra.Command{
		Use:   "review --directory FILE|URL --output DIR [flags]",
		Short: "Review access: who may do what where, and by which rule",
		Long: `Write the access review of a directory, as it is now, to a new folder:

  access.csv     who may do what, where, over how many, by which rule
  orphans.csv    accounts of which nobody else may change anything in an organization, administrators among them
  unused.csv     the rows of access.csv that were never used, according to --decision-log
  manifest.json  the moment, the directory, the revision of the policy, the actions left out, the counts, and the SHA-256 of each file

` + wholeHelp + ` The faults are in incomplete.csv.

A row of access.csv says: SUBJECT, who holds ROLE at LOCATION, may do ACTION on COUNT of what OVER names, by RULE. The subject stands at
LOCATION or beneath it, acts at any place of the organization, and gives the action suitable properties. Over "users" counts each user
once who is assigned at LOCATION or beneath it, and on whom one such question is allowed, over "users elsewhere" the others of the
organization; a user may count in the rows of several rules. Over "locations" counts locations at or beneath LOCATION, or of all organizations where the action crosses them; over "new
users" those to which somebody new can be invited; "new locations" says that one can be founded. What a role above LOCATION adds to
standing there is counted too.

Who sees patients and incidents, and where somebody can go, needs no current location: over "patients of locations" counts the locations
at, beneath or above LOCATION whose patients the subject may see, and over "locations" those of the place. Such a row says what ROLE at
LOCATION gives alone, or what only several roles give together. Left out, and named in the manifest, are other actions on users that need no
current location, such as answering one's own invitation, and actions on other types of resources.

The policy decides each question. Questions about people and places that differ in nothing but ids are decided once, and again from
time to time; if the policy then decides otherwise, because it reads meaning into ids, the review fails, and --each decides every one.

A cell that a spreadsheet could take for a formula begins with an apostrophe. The folder has personal data, and is readable by its owner
alone. --signing-key signs the manifest ("wardkeeper log key" makes a key); "wardkeeper review verify" checks it, and so does
  openssl pkeyutl -verify -pubin -inkey PUBLIC -rawin -in manifest.json -sigfile manifest.json.sig

A right counts as used where the log has an allowed decision, or a list, of that subject and action, from LOCATION or beneath it; where
the action needs no current location, on a place at, beneath or above LOCATION, or on any patient. The log is verified first, as by "wardkeeper log verify".

Exit status: 0 written, 1 the log is broken, 2 not written, 3 written of an incomplete directory.`,
		Example: `  wardkeeper review --directory directory.yaml --output review-2026-11
  PGPASSFILE=pgpass wardkeeper review --directory postgres://reader@db/app --output review-2026-11
  wardkeeper review --directory directory.yaml --output review-2026-11 --signing-key private.pem --decision-log /var/log/wardkeeper/decisions --since 2160h
  wardkeeper review verify review-2026-11 --key public.pem`,
		Args: noSuchCommand,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	a.register(flags, "`FILE` or URL with the users and locations")
	flags.StringVarP(&a.output, "output", "o", "", "write to the folder `DIR`, which must be new or empty")
	flags.StringVar(&a.format, "format", string(accessreview.CSV), "`FORMAT` of the lists: csv, or json for one object a line")
	flags.StringVar(&a.signingKey, "signing-key", "", "sign the manifest with the Ed25519 private key in `FILE` (PEM)")
	flags.StringVar(&a.log, "decision-log", "", "`DIR` of a log of decisions, to find what was never used")
	flags.StringVar(&a.filter.since, "since", "", "uses not before `TIME`: 2026-01-31, 2026-01-31T12:00:00Z, or 24h ago")
	flags.StringVar(&a.logKey, "log-key", "", "`FILE` of public keys (PEM), by one of which the log must be signed")
	flags.StringArrayVar(&a.filter.keyFiles, "pseudonym-key-file", nil, "`FILE` with the key of the log's pseudonyms; repeated if the key was replaced")
	flags.StringVar(&a.bundle, "bundle", "", "decide by the policy at `PATH` instead of the built-in one")
	flags.StringVar(&a.decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides in that policy")
	flags.BoolVar(&a.each, "each", false, "decide every question, however alike")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), p) }
	cmd.AddCommand(newReviewVerifyCommand(p))
	return cmd
}

func (a *accessReview) run(ctx context.Context, p process) error {
	key, err := a.check()
	if err != nil {
		return err
	}
	policy, err := openPolicy(ctx, a.bundle, a.decision)
	if err != nil {
		return err
	}
	noteBuiltIn(p, a.bundle)
	d, err := a.read(ctx, p, policy.Vocabulary())
	if err != nil {
		return err
	}
	uses, err := a.readUses(p, policy, d.Directory)
	if err != nil {
		return err
	}
	folder, err := accessreview.Create(a.output, accessreview.Format(a.format))
	if err != nil {
		return err
	}
	m := accessreview.Manifest{
		Version: mainVersion(), Moment: d.Moment, Incomplete: d.faults,
		Directory: accessreview.Source{Name: d.Name, Revision: d.directoryRead.Revision},
		Policy:    accessreview.Source{Name: policy.Revision().Source, Revision: policy.Revision().ID},
		LeftOut:   append([]string{}, review.LeftOut(policy)...),
	}
	if uses != nil {
		m.Log = &uses.Period
	}
	if m.Counts, err = a.write(ctx, p, folder, policy, d.Directory, uses); err == nil {
		err = writeIncomplete(folder, d)
	}
	if err == nil {
		err = folder.Finish(m, key)
	}
	if err != nil {
		folder.Discard()
		if errors.Is(err, review.ErrTellsApart) {
			err = fmt.Errorf("%w (--each)", err)
		}
		return err
	}
	if key == nil {
		p.note("the manifest is not signed: name a key (--signing-key)")
	}
	d.note(p)
	err = printLine(p.stdout, fmt.Sprintf("%s: %s and %s of %s in %s, as of %s, by policy %s", a.output, terminal.Count(m.Counts.Rows, "row"),
		terminal.Count(m.Counts.Orphans, "orphan"), terminal.Count(m.Counts.Users, "user"), terminal.Count(m.Counts.Locations, "location"),
		m.Moment.Format(time.RFC3339), m.Policy.Revision))
	if err == nil && d.faults > 0 {
		err = &exitError{status: statusOpen}
	}
	return err
}

// writeIncomplete lists what of the directory is not reviewed, or not as of the moment.
func writeIncomplete(folder *accessreview.Folder, d *wholeDirectory) error {
	if d.faults == 0 {
		return nil
	}
	list, err := folder.List("incomplete", "fault")
	for i := 0; err == nil && i < len(d.incomplete); i++ {
		err = list.Add(d.incomplete[i])
	}
	return err
}

// check checks the flags and returns the signing key; nil if there is none.
func (a *accessReview) check() (ed25519.PrivateKey, error) {
	var errs []error
	if a.directory == "" {
		errs = append(errs, errors.New("--directory is missing: name a file or an address"))
	}
	if a.output == "" {
		errs = append(errs, errors.New("--output is missing: name a new folder"))
	}
	if a.format != string(accessreview.CSV) && a.format != string(accessreview.JSON) {
		errs = append(errs, fmt.Errorf("--format is %q: use csv or json", a.format))
	}
	if a.log == "" && (a.filter.since != "" || a.logKey != "" || len(a.filter.keyFiles) > 0) {
		errs = append(errs, errors.New("--since, --log-key and --pseudonym-key-file are about a log: name it (--decision-log)"))
	}
	errs = append(errs, a.filter.parse(time.Now()))
	if a.signingKey == "" {
		return nil, errors.Join(errs...)
	}
	data, err := rotation.Read(a.signingKey, maxKeyFile)
	if err != nil {
		return nil, errors.Join(append(errs, fmt.Errorf("the signing key cannot be read: %w", err))...)
	}
	key, err := decisionlog.ParseSigningKey(data)
	if err != nil {
		err = fmt.Errorf("signing key %s: %w", a.signingKey, err)
	}
	return key, errors.Join(append(errs, err)...)
}

// write writes the lists.
func (a *accessReview) write(ctx context.Context, p process, folder *accessreview.Folder, policy *pdp.Policy, d *directory.Directory, uses *accessreview.Uses) (review.Counts, error) {
	engine := pdp.New(pdp.Config{Policy: policy, Source: snapshot{d}, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	reviewers := make([]*pdp.Reviewer, runtime.GOMAXPROCS(0))
	for i := range reviewers {
		var err error
		if reviewers[i], err = engine.NewReviewer(ctx); err != nil {
			return review.Counts{}, err
		}
	}
	columns := []string{"organization", "subject", "username", "name", "role", "location", "location_name", "kind", "parent", "action", "changes", "over", "count", "rule"}
	if uses != nil {
		columns = append(columns, "uses", "last_used")
	}
	access, err := folder.List("access", columns...)
	if err != nil {
		return review.Counts{}, err
	}
	orphans, err := folder.List("orphans", "organization", "user", "username", "name", "status", "roles", "administrator")
	if err != nil {
		return review.Counts{}, err
	}
	var unused *accessreview.List
	if uses != nil {
		if unused, err = folder.List("unused", columns[:len(columns)-2]...); err != nil {
			return review.Counts{}, err
		}
	}
	locate := func(id string) *facts.Location {
		l, _ := d.Location(ctx, id) // a directory in memory has no errors
		return l
	}
	progress := terminal.NewProgress(p.stderr)
	defer progress.Clear()
	return review.Run(ctx, review.Config{
		Reviewers: reviewers, Directory: d, Each: a.each,
		Progress: func(done, of int) { progress.Of(done, of, "location") },
		Row: func(r review.Row) error {
			u := r.Subject
			row := []any{r.Location.Organization(), u.ID(), u.Username(), fullName(u), r.Role, r.Location.ID(), r.Location.Name(), r.Location.Kind(), parentOf(r.Location), r.Action, r.Changes, r.Over, r.Count, r.Rule}
			if uses == nil {
				return access.Add(row...)
			}
			count, last := uses.Of(u.ID(), r.Action, r.Location, locate)
			if count == 0 {
				if err := unused.Add(row...); err != nil {
					return err
				}
			}
			return access.Add(append(row, count, last)...)
		},
		Orphan: func(o review.Orphan) error {
			organization := ""
			if o.Organization != nil {
				organization = o.Organization.ID()
			}
			return orphans.Add(organization, o.User.ID(), o.User.Username(), fullName(o.User), o.User.Record().Status, rolesIn(o.User, organization), o.Administrator)
		},
	})
}

// parentOf returns the id of the location right above; "" if there is none.
func parentOf(l *facts.Location) string {
	if l.Parent() == nil {
		return ""
	}
	return l.Parent().ID()
}

// readUses reads what was used from the log; nil if none is named.
func (a *accessReview) readUses(p process, policy *pdp.Policy, d *directory.Directory) (*accessreview.Uses, error) {
	if a.log == "" {
		return nil, nil
	}
	keys, err := readVerificationKeys(a.logKey)
	if err != nil {
		return nil, err
	}
	if _, err := decisionlog.Verify(a.log, keys); err != nil {
		if _, broken := errors.AsType[*decisionlog.Fault](err); broken {
			return nil, &exitError{statusNo, fmt.Errorf("%s is broken, so nothing is said of what was used: %w", a.log, err)}
		}
		return nil, fmt.Errorf("the log cannot be verified: %w", err)
	}
	var pseudonyms [][]byte
	for _, path := range a.filter.keyFiles {
		key, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--pseudonym-key-file: %w", err)
		}
		pseudonyms = append(pseudonyms, key)
	}
	uses := accessreview.NewUses(policy, a.log, pseudonyms)
	progress := terminal.NewProgress(p.stderr)
	read := 0
	broken, err := p.readLog(a.log, func(_ []byte, e *decisionrecord.Entry) error {
		if read++; read%1000 == 0 {
			progress.Count(read, "record")
		}
		if !a.filter.matches(e) {
			return nil
		}
		return uses.Add(e)
	})
	progress.Clear()
	if err != nil {
		return nil, err
	}
	if broken {
		return nil, &exitError{status: statusNo}
	}
	uses.CountUnknown(d.AllUsers())
	if n := uses.Period.UnknownSubjects; n > 0 {
		p.note("%s of the log are no users of the directory: if the log has pseudonyms, name their key (--pseudonym-key-file)", terminal.Count(n, "subject"))
	}
	return uses, nil
}
