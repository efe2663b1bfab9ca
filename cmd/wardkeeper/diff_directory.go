package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
	"github.com/wardkeeper/wardkeeper/pdp/review"
)

// directoryChanges says who in a directory gains or loses what.
type directoryChanges struct {
	directoryRead
	Users         int            `json:"users"`
	Locations     int            `json:"locations"`
	Organizations int            `json:"organizations"`
	Actions       []string       `json:"actions"` // that were asked about
	Decisions     int            `json:"decisions"`
	Changes       []peopleChange `json:"changes"`
	NotCounted    []string       `json:"not_counted"`          // actions whose changes are about nobody and nothing that a directory has
	Incomplete    []string       `json:"incomplete,omitempty"` // some faults of records that are left out, or changed while they were read
	Faults        int            `json:"faults,omitempty"`     // the number of all of them
}

// peopleChange is a change for those who hold a role at a kind of location.
type peopleChange struct {
	review.Change
	AtLeast bool `json:"at_least"` // the numbers are lower bounds
}

// over says what a form is about.
var over = map[string]string{world.KnownUser: review.OverUsers, world.UnknownUser: review.OverNewUsers, world.AnyLocation: review.OverLocations, world.AnyPatient: review.OverPatients}

// becomes says what becomes of the answers to questions of a form.
var becomes = map[proof.Kind]string{proof.Granted: review.Gained, proof.Revoked: review.Lost}

// people finds out who in the directory gains or loses what by the changes of a comparison.
func (d *diff) people(ctx context.Context, p process, report *proof.Differences) (*directoryChanges, error) {
	was, err := openPolicy(ctx, named(d.was), d.decision)
	if err != nil {
		return nil, err
	}
	is, err := openPolicy(ctx, named(d.is), d.decision)
	if err != nil {
		return nil, err
	}
	people, err := d.read(ctx, p, wordsOfBoth(was.Vocabulary(), is.Vocabulary()))
	if err != nil {
		return nil, err
	}
	found := &directoryChanges{directoryRead: people.directoryRead, Incomplete: people.leftOut(maxIncomplete), Faults: people.faults, Actions: []string{}, Changes: []peopleChange{}, NotCounted: []string{}}
	cfg := review.Config{Directory: people}
	exact := map[string]bool{}
	for _, changed := range report.Forms {
		if len(changed.Forms) == 0 {
			found.NotCounted = append(found.NotCounted, changed.Action)
			continue
		}
		found.Actions = append(found.Actions, changed.Action)
		exact[changed.Action] = changed.Complete && len(report.NotExplored) == 0
		for _, f := range changed.Forms {
			cfg.Forms = append(cfg.Forms, review.Form{Change: becomes[f.Kind], Over: over[f.About], Action: f.Action, Subject: f.Subject, Resource: f.Resource, Context: f.Context, Location: f.Location, Locations: f.Locations})
			if len(f.Action.Properties)+len(f.Location)+len(f.Locations) > 0 {
				exact[changed.Action] = false
			}
		}
	}
	for range runtime.GOMAXPROCS(0) {
		for policy, reviewers := range map[*pdp.Policy]*[]*pdp.Reviewer{was: &cfg.Was, is: &cfg.Reviewers} {
			engine := pdp.New(pdp.Config{Policy: policy, Source: snapshot{people}, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)})
			reviewer, err := engine.NewReviewer(ctx)
			if err != nil {
				return nil, err
			}
			*reviewers = append(*reviewers, reviewer)
		}
	}
	if cfg.Unscoped, err = beyondScope(ctx, report, was, is); err != nil {
		return nil, err
	}
	progress := terminal.NewProgress(p.stderr)
	cfg.Progress = func(done, of int) { progress.Of(done, of, "location") }
	all, counts, err := review.Compare(ctx, cfg)
	progress.Clear()
	if errors.Is(err, review.ErrTellsApart) {
		return nil, fmt.Errorf("the people of %s cannot be counted: %w", terminal.Printable(people.Name), errByIDs)
	}
	if err != nil {
		return nil, err
	}
	found.Users, found.Locations, found.Organizations, found.Decisions = counts.Users, counts.Locations, counts.Organizations, counts.Decisions
	for _, c := range all {
		found.Changes = append(found.Changes, peopleChange{c, !exact[c.Action]})
	}
	return found, nil
}

// beyondScope reports whether an example of a change is allowed by a policy whose rule possible_scope says that it cannot be.
func beyondScope(ctx context.Context, report *proof.Differences, was, is *pdp.Policy) (bool, error) {
	for _, c := range report.Changes {
		policy := is
		switch c.Kind {
		case proof.Revoked:
			policy = was
		case proof.Granted:
		default:
			continue
		}
		q := c.Example.Is.Question
		if q.Resource.Type != "user" || q.Subject.Type != "user" {
			continue
		}
		view, err := directory.Parse(c.Example.Is.Directory, *policy.Vocabulary())
		if err != nil {
			return true, nil // the other policy has the words: nothing is known of the scope
		}
		reviewer, err := pdp.New(pdp.Config{Policy: policy, Source: snapshot{view}, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler)}).NewReviewer(ctx)
		if err != nil {
			return false, err
		}
		if _, ok, err := reviewer.Reach(ctx, q); err != nil || !ok {
			return true, err
		}
	}
	return false, nil
}

var errByIDs = errors.New("a policy tells people or locations apart by their ids or names")

// wordsOfBoth returns the terms of two vocabularies; either may be nil, which has none.
func wordsOfBoth(a, b *pdp.Vocabulary) *pdp.Vocabulary {
	all := &pdp.Vocabulary{Roles: map[string][]string{}}
	union := func(to *[]string, more []string) {
		*to = append(*to, more...)
		slices.Sort(*to)
		*to = slices.Compact(*to)
	}
	for _, v := range []*pdp.Vocabulary{a, b} {
		if v == nil {
			continue
		}
		for kind, roles := range v.Roles {
			both := slices.Clone(all.Roles[kind])
			union(&both, roles)
			all.Roles[kind] = both
		}
		union(&all.Levels, v.Levels)
		union(&all.Areas, v.Areas)
	}
	return all
}

// maxNamed limits the people whom a sentence names.
const maxNamed = 3

// section renders who gains or loses what for people. Without ids it can be shown to whoever may not see the directory.
func (c *directoryChanges) section(ids bool) diffSection {
	s := diffSection{title: fmt.Sprintf("In the directory, %s at %s, by questions about %s:", terminal.Count(c.Users, "user"),
		terminal.Count(c.Locations, "location"), strings.Join(c.Actions, ", "))}
	if len(c.Actions) == 0 {
		s.title = "In the directory nobody gains or loses anything, as far as it was explored."
	} else if len(c.Changes) == 0 {
		s.texts = []string{"nobody gains or loses anything"}
	}
	for i := range c.Changes {
		s.texts = append(s.texts, c.Changes[i].sentence(ids))
	}
	if len(c.Changes) > 0 {
		s.texts = append(s.texts, "these are questions that are answered otherwise: what somebody gains or loses may be allowed to them by another role, from "+
			"another location, or through an application that supports other obligations")
	}
	s.texts = append(s.texts, c.incomplete(ids)...)
	for _, action := range c.NotCounted {
		s.texts = append(s.texts, fmt.Sprintf("%s changes for questions that are about nobody and nothing in a directory: not counted", action))
	}
	return s
}

// maxIncomplete limits the faults of a directory that are printed.
const maxIncomplete = 20

// incomplete says what of the directory is not counted, or not as it was at its moment.
func (c *directoryChanges) incomplete(ids bool) (texts []string) {
	if c.Faults > 0 {
		texts = append(texts, fmt.Sprintf("the directory is incomplete: %s of records that are left out, or changed while they were read", terminal.Count(c.Faults, "fault")))
	}
	if ids {
		texts = append(texts, c.Incomplete...)
	}
	return texts
}

func (c *peopleChange) sentence(ids bool) string {
	least := ""
	if c.AtLeast {
		least = "at least "
	}
	who, verbs := fmt.Sprintf("%s people who hold", terminal.Number(int64(c.People))), [2]string{"gain", "lose"}
	if c.People == 1 {
		who, verbs = "1 person who holds", [2]string{"gains", "loses"}
	}
	verb := verbs[0]
	if c.Change.Change == review.Lost {
		verb = verbs[1]
	}
	on := ", over " + least + count(c.Count, strings.TrimSuffix(c.Over, "s"))
	switch c.Over {
	case review.OverNewUsers:
		on = ", for new users at " + least + count(c.Count, "location")
	case review.OverNewLocations:
		on = ", for new locations"
	case review.OverPatients:
		on = ", over the patients of " + least + count(c.Count, "location")
	}
	text := fmt.Sprintf("%s%s %s at %s %s %s%s", least, who, c.Role, article(c.Kind), verb, c.Action, on)
	if !ids {
		return text
	}
	var some []string
	for _, h := range c.Held[:min(maxNamed, len(c.Held))] {
		some = append(some, h.ID+" at "+h.Location)
	}
	more := ""
	if len(c.Held) > maxNamed {
		more = ", …"
	}
	return text + ": " + strings.Join(some, ", ") + more
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return terminal.Number(int64(n)) + " " + noun
}

func article(noun string) string {
	if strings.ContainsAny(noun[:min(1, len(noun))], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}
