package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// recordedChange is a pair of answers that differ, with the questions of a log that have them.
type recordedChange struct {
	Kind    proof.Kind `json:"kind"`
	Action  string     `json:"action"`
	Was     string     `json:"was"`
	Is      string     `json:"is"`
	Records int        `json:"records"`
	ID      string     `json:"id"` // of the first record
	Example string     `json:"example"`
}

// recordedChanges says which answers of a log change.
type recordedChanges struct {
	Records   int              `json:"records"`
	Asked     int              `json:"asked"` // by both policies
	Changed   int              `json:"changed"`
	Changes   []recordedChange `json:"changes"`
	NotListed int              `json:"not_listed"` // changed, but in none of Changes
	NotAsked  map[string]int   `json:"not_asked"`  // by reason
	Broken    bool             `json:"broken"`     // some records could not be read

	granted map[string]bool // the actions of records that were denied and are allowed
}

// maxRecordedChanges limits the pairs of answers that are listed.
const maxRecordedChanges = 500

// replayBoth decides the questions of a log by two policies.
func replayBoth(ctx context.Context, p process, dir string, was, is *pdp.Policy) (*recordedChanges, error) {
	r := &recordedChanges{Changes: []recordedChange{}, NotAsked: map[string]int{}, granted: map[string]bool{}}
	progress := terminal.NewProgress(p.stderr)
	broken, err := p.readLog(dir, func(_ []byte, e *decisionrecord.Entry) error {
		if r.Records++; r.Records%100 == 0 {
			progress.Count(r.Records, "record")
		}
		return r.add(ctx, e, was, is)
	})
	progress.Clear()
	r.Broken = broken
	slices.SortStableFunc(r.Changes, func(a, b recordedChange) int {
		return cmp.Or(cmp.Compare(slices.Index(proof.Kinds(), a.Kind), slices.Index(proof.Kinds(), b.Kind)), cmp.Compare(b.Records, a.Records))
	})
	return r, err
}

func (r *recordedChanges) add(ctx context.Context, e *decisionrecord.Entry, was, is *pdp.Policy) error {
	limited, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	before, _, err := e.Replay(limited, was)
	if errors.Is(err, decisionrecord.ErrCannotReplay) {
		r.NotAsked[err.Error()]++
		return nil
	}
	after, _, _ := e.Replay(limited, is) // without an answer it is denied
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if before == nil && after == nil {
		r.NotAsked["neither policy has an answer"]++
		return nil
	}
	r.Asked++
	if before.Equal(after) {
		return nil
	}
	r.Changed++
	c := recordedChange{Kind: proof.KindOf(allows(before), allows(after)), Action: e.Action(), Was: answerText(before), Is: answerText(after),
		Records: 1, ID: e.ID, Example: questionText(e)}
	if c.Kind == proof.Granted {
		r.granted[c.Action] = true
	}
	if c.Was == c.Is {
		c.Is += ", in other words"
	}
	for i := range r.Changes {
		if known := &r.Changes[i]; known.Kind == c.Kind && known.Action == c.Action && known.Was == c.Was && known.Is == c.Is {
			known.Records++
			return nil
		}
	}
	if len(r.Changes) >= maxRecordedChanges {
		r.NotListed++
		return nil
	}
	r.Changes = append(r.Changes, c)
	return nil
}

// allows reports whether an answer allows; nil is none.
func allows(a *decisionrecord.Answer) bool { return a != nil && a.Allow && !a.Fault }

func answerText(a *decisionrecord.Answer) string {
	if a == nil {
		return decisionrecord.Failed
	}
	return a.String()
}

// beyond returns the actions of which a record that was denied is allowed, and no change of the small worlds is of that kind: it lies
// outside of their bound.
func (r *recordedChanges) beyond(d *proof.Differences) (actions []string) {
	for _, action := range slices.Sorted(maps.Keys(r.granted)) {
		if !d.Grants(action) {
			actions = append(actions, action)
		}
	}
	return actions
}

// section renders the changes of a log for people.
func (r *recordedChanges) section(beyond []string) diffSection {
	s := diffSection{title: fmt.Sprintf("Of %s in the log, %d decided again by both policies: %s change:", terminal.Count(r.Records, "record"), r.Asked, terminal.Count(r.Changed, "answer"))}
	for _, c := range r.Changes {
		s.texts = append(s.texts, fmt.Sprintf("%s: %d × %s: %s → %s; such as %s (record %s)", c.Kind, c.Records, c.Action, c.Was, c.Is, c.Example, c.ID))
	}
	if r.NotListed > 0 {
		s.texts = append(s.texts, fmt.Sprintf("and %d that are not listed", r.NotListed))
	}
	for _, reason := range slices.Sorted(maps.Keys(r.NotAsked)) {
		s.texts = append(s.texts, fmt.Sprintf("not decided again: %d: %s", r.NotAsked[reason], reason))
	}
	if r.Broken {
		s.texts = append(s.texts, "a part of the log is broken and was left out")
	}
	for _, action := range beyond {
		s.texts = append(s.texts, action+" is allowed where it was denied, outside of the bound within which changes can be approved")
	}
	return s
}
