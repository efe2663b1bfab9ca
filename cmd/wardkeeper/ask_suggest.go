package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// maxCompared limits the ids that are compared with one that a directory does not have.
const maxCompared = 100_000

// suggest notes names in a question that the policy and the directory do not have, where others are like them. Only the reader of a directory file
// is told of its ids.
func (f askFlags) suggest(ctx context.Context, p process, s *sidecar, q *ask.Question) {
	policy := s.engine.Policy()
	switch actions := policy.Actions(); {
	case len(actions) > 0 && !slices.Contains(actions, q.Action.Name):
		p.note("%s", noAction("the policy has no action", q.Action.Name, actions))
	case policy.ResourceType(q.Action.Name) != "" && policy.ResourceType(q.Action.Name) != q.Resource.Type:
		p.note("%s is asked about a resource of the type %s, not %s", q.Action.Name, policy.ResourceType(q.Action.Name), q.Resource.Type)
	}
	if s.directory == nil || !f.isFile() {
		return
	}
	view, err := s.directory.View(ctx, facts.Requirement{})
	if err != nil {
		return // the question has been answered
	}
	if q.Subject.Type == "user" {
		suggestUser(ctx, p, view, q.Subject.ID)
	}
	switch q.Resource.Type {
	case "user":
		suggestUser(ctx, p, view, q.Resource.ID)
	case "location":
		suggestLocation(ctx, p, view, q.Resource.ID)
	}
	for _, id := range []any{q.Resource.Properties["location"], q.Context["current_location"]} {
		var text string
		if raw, ok := id.(json.RawMessage); ok && json.Unmarshal(raw, &text) == nil {
			suggestLocation(ctx, p, view, text)
		}
	}
}

func suggestUser(ctx context.Context, p process, view facts.View, id string) {
	if u, err := view.User(ctx, id); err != nil || u != nil {
		return
	}
	if u, err := view.UserByUsername(ctx, id); err != nil || u != nil {
		return
	}
	var known []string
	for q := (facts.UserQuery{}); len(known) < maxCompared; {
		users, err := view.Users(ctx, q)
		if err != nil {
			return
		}
		for _, u := range users.Users {
			known = append(known, u.ID())
		}
		if !users.More {
			break
		}
		q.After = users.Next
	}
	noteNear(p, "user", id, known)
}

func suggestLocation(ctx context.Context, p process, view facts.View, id string) {
	if l, err := view.Location(ctx, id); err != nil || l != nil {
		return
	}
	var known []string
	for q := (facts.LocationQuery{}); len(known) < maxCompared; {
		locations, err := view.Locations(ctx, q)
		if err != nil || len(locations) == 0 {
			break
		}
		for _, l := range locations {
			known = append(known, l.ID())
		}
		q.After = known[len(known)-1]
	}
	noteNear(p, "location", id, known)
}

func noteNear(p process, what, id string, known []string) {
	if near := strings.TrimSpace(suggest.DidYouMean("", id, known)); near != "" {
		p.note("the directory has no %s %s: %s", what, id, near)
	}
}

// noAction adds to the fault that there is no such action which one there is like it, or otherwise all there are.
func noAction(fault, action string, known []string) string {
	text := fmt.Sprintf("%s %s: ", fault, terminal.Printable(action))
	if near := strings.TrimSpace(suggest.DidYouMean("", action, known)); near != "" {
		return text + near
	}
	return text + "there are " + terminal.Printable(strings.Join(slices.Compact(slices.Sorted(slices.Values(known))), ", "))
}
