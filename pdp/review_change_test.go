package pdp_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	small "github.com/wardkeeper/wardkeeper/pdp/proof/world"
	"github.com/wardkeeper/wardkeeper/pdp/review"
)

// changedPolicies are changes of the built-in policy, each of one text, and the action that they change.
var changedPolicies = []struct{ file, from, to, action string }{
	{"authz/regional/data.yaml", `{place: here, user: any},                 division: "no"}`, `{place: here, user: any},                 division: {place: here, user: any}}`, "assignment.remove"},
	{"authz/regional/data.yaml", `division: {place: here, user: any, edit: role}`, `division: {place: covered, user: any, edit: both}`, "assignment.edit"},
	{"authz/regional/data.yaml", `user.edit:                   {rule: REG-11, region: {place: any, user: any},              region_in_division: {place: any, user: covered}`,
		`user.edit:                   {rule: REG-11, region: "no",              region_in_division: {place: any, user: any}`, "user.edit"},
	{"authz/regional/data.yaml", `{place: here, user: any},                 division: {place: here, user: any}}`, `{place: covered, user: any},                 division: "no"}`, "default_location.change"},
	{"authz/health_system/data.yaml", `administers: true,  reaches_down: true,  system_features: false`, `administers: false,  reaches_down: true,  system_features: false`, "user.invite"},
	{"authz/health_system/data.yaml", `free: {system_features: false}`, `free: {system_features: true}`, "admin.grant"},
	{"authz/practice_group/data.yaml", `limited:  {patient_records: false, calendars: true, invoices: false, locations: false, credit_settings: false, reminder_settings: false, users: false}`,
		`limited:  {patient_records: false, calendars: true, invoices: false, locations: false, credit_settings: false, reminder_settings: false, users: true}`, "user.deactivate"},
	{"authz/vendor/data.yaml", `creates_entities: true`, `creates_entities: false`, "entity.create"},
	{"authz/regional/data.yaml", `public_health:       {offered_at: [division], reaches_down: false`, `public_health:       {offered_at: [division], reaches_down: true`, "location.switch"},
	{"authz/regional/data.yaml", `public_health:       {offered_at: [division], reaches_down: false, sees_patients: false`, `public_health:       {offered_at: [division], reaches_down: false, sees_patients: true`, "patient.view"},
}

// What a comparison says of the people of a directory is what single questions to both policies are answered, wherever the subject
// stands and whichever place and locations are named.
func TestChangesForPeopleEqualSingleDecisions(t *testing.T) {
	t.Parallel()
	worlds := 3
	if fewerQuestions() {
		worlds = 1
	}
	for i, c := range changedPolicies {
		if fewerQuestions() && i > 1 {
			break
		}
		t.Run(c.action, func(t *testing.T) {
			t.Parallel()
			was, is := builtInPolicy(), policyChanged(t, c.file, c.from, c.to)
			report, err := proof.Compare(t.Context(), proof.Comparison{Was: was, Is: is, Actions: []string{c.action}, Forms: true})
			require.NoError(t, err)
			require.Len(t, report.Forms, 1)
			require.NotEmpty(t, report.Forms[0].Forms)
			forms := formsOf(report)
			changed, seen := 0, 0
			for seed := range uint64(100) {
				w := generate(seed)
				if len(w.Locations) > 20 || seen >= worlds && changed > 0 {
					continue // the single questions are too many
				}
				seen++
				d := w.directory(t)
				engines := [2]*pdp.Engine{withSourceBy(was, fixed{d}), withSourceBy(is, fixed{d})}
				cfg := review.Config{Directory: d, Forms: forms}
				for range 2 {
					for i, reviewers := range []*[]*pdp.Reviewer{&cfg.Was, &cfg.Reviewers} {
						reviewer, err := engines[i].NewReviewer(t.Context())
						require.NoError(t, err)
						*reviewers = append(*reviewers, reviewer)
					}
				}
				got, _, err := review.Compare(t.Context(), cfg)
				require.NoError(t, err)
				want := peopleBySingleQuestions(t, w, cfg.Was[0], cfg.Reviewers[0], forms)
				require.Equal(t, want, inLines(got), "world %d", seed)
				changed += len(want)
			}
			require.True(t, changed > 0 || fewerQuestions())
		})
	}
}

func policyChanged(t *testing.T, file, from, to string) *pdp.Policy {
	t.Helper()
	text, err := fs.ReadFile(builtInFiles(t), file)
	require.NoError(t, err)
	require.Contains(t, string(text), from)
	return prepared(t, open(t, overlay(t, map[string]string{file: strings.Replace(string(text), from, to, 1)}), "authz/decision"))
}

func builtInFiles(t *testing.T) fs.FS { return overlay(t, nil) }

func withSourceBy(p *pdp.Policy, source fixed) *pdp.Engine {
	return pdp.New(pdp.Config{Policy: p, Source: source, Timeout: time.Minute})
}

func formsOf(report *proof.Differences) (all []review.Form) {
	over := map[string]string{small.KnownUser: review.OverUsers, small.UnknownUser: review.OverNewUsers, small.AnyLocation: review.OverLocations, small.AnyPatient: review.OverPatients}
	for _, changed := range report.Forms {
		for _, f := range changed.Forms {
			all = append(all, review.Form{Change: map[proof.Kind]string{proof.Granted: review.Gained, proof.Revoked: review.Lost}[f.Kind], Over: over[f.About], Action: f.Action, Subject: f.Subject, Resource: f.Resource, Context: f.Context, Location: f.Location, Locations: f.Locations})
		}
	}
	return all
}

// inLines returns changes as lines: one for each holder, and one for all of them.
func inLines(changes []review.Change) (lines []string) {
	for _, c := range changes {
		of := fmt.Sprint(c.Change, " ", c.Action, " ", c.Role, " ", c.Kind, " ", c.Over)
		for _, h := range c.Held {
			lines = append(lines, fmt.Sprint(of, ": ", h.ID, " at ", h.Location, ": ", h.Count))
		}
		lines = append(lines, fmt.Sprint(of, ": ", c.People, " people, ", c.Count))
	}
	slices.Sort(lines)
	return lines
}

// peopleBySingleQuestions asks every question of the forms that anybody who holds a role can ask.
func peopleBySingleQuestions(t *testing.T, w *world, was, is *pdp.Reviewer, forms []review.Form) (lines []string) {
	people, over := map[string]map[string]bool{}, map[string]map[string]bool{}
	mark := func(all map[string]map[string]bool, key, member string) {
		if all[key] == nil {
			all[key] = map[string]bool{}
		}
		all[key][member] = true
	}
	for _, u := range w.Users {
		for _, a := range u.Assignments {
			at := w.byID(a.Location)
			for _, f := range forms {
				for what, changes := range changesFor(t, w, u, at, was, is, &f) {
					for change := range changes {
						of := fmt.Sprint(change, " ", f.Action.Name, " ", a.Role, " ", at.Kind, " ", what.over)
						if !empowers(was, &f, a.Role) && !empowers(is, &f, a.Role) {
							// It is what another role adds to standing there or beneath.
							require.True(t, slices.ContainsFunc(u.Assignments, func(other assignment) bool {
								return other.Location != at.ID && (w.covers(w.byID(other.Location), at) || w.covers(at, w.byID(other.Location))) && (empowers(was, &f, other.Role) || empowers(is, &f, other.Role))
							}), of)
							continue
						}
						mark(people, of, u.ID+" at "+at.ID)
						mark(over, of, what.id)
						mark(over, of+": "+u.ID+" at "+at.ID, what.id)
					}
				}
			}
		}
	}
	for of, all := range people {
		ids := map[string]bool{}
		for held := range all {
			id, _, _ := strings.Cut(held, " ")
			ids[id] = true
			lines = append(lines, fmt.Sprint(of, ": ", held, ": ", len(over[of+": "+held])))
		}
		lines = append(lines, fmt.Sprint(of, ": ", len(ids), " people, ", len(over[of])))
	}
	slices.Sort(lines)
	return lines
}

func empowers(r *pdp.Reviewer, f *review.Form, role string) bool {
	roles := r.Policy().Roles(f.Action.Name)
	entry, _ := r.Policy().FactsOf(f.Action.Name)
	return len(roles) == 0 || entry.NeedsNoCurrentLocation || slices.Contains(roles, role)
}

// about is what a question is about.
type about struct{ over, id string }

func changesFor(t *testing.T, w *world, u *person, at *byID, was, is *pdp.Reviewer, f *review.Form) map[about]map[string]bool {
	root := w.root(at)
	allow := func(was, is *pdp.Reviewer, q pdp.Request) (allowed [2]bool) {
		for i, r := range []*pdp.Reviewer{was, is} {
			var err error
			allowed[i], err = r.Allows(context.Background(), q)
			require.NoError(t, err)
		}
		return allowed
	}
	entry, _ := was.Policy().FactsOf(f.Action.Name)
	crosses := entry.CrossesOrganizations
	found := map[about]map[string]bool{}
	ask := func(what about, resource authzen.Entity, place, from *byID) {
		named := []string{""}
		if len(f.Location)+len(f.Locations) > 0 {
			named = nil
			for _, l := range w.inside(root) {
				named = append(named, l.ID)
			}
		}
		for _, name := range named {
			q := pdp.Request{Subject: authzen.Entity{Type: "user", ID: u.ID, Properties: f.Subject}, Resource: resource,
				Action: authzen.Action{Name: f.Action.Name, Properties: maps.Clone(f.Action.Properties)}, Context: maps.Clone(f.Context)}
			if q.Action.Properties == nil {
				q.Action.Properties = map[string]any{}
			}
			for _, p := range f.Location {
				q.Action.Properties[p] = name
			}
			for _, p := range f.Locations {
				q.Action.Properties[p] = []any{name}
			}
			q.Resource.Properties = map[string]any{}
			maps.Copy(q.Resource.Properties, f.Resource)
			maps.Copy(q.Resource.Properties, resource.Properties)
			if resource.Type == "user" {
				q.Resource.Properties["location"] = place.ID
			}
			if from != nil {
				if q.Context == nil {
					q.Context = map[string]any{}
				}
				q.Context["current_location"] = from.ID
			}
			allowed := allow(was, is, q)
			before, after := allowed[0], allowed[1]
			if before == after {
				continue
			}
			if entry.NeedsNoCurrentLocation { // a row says what the assignment gives alone, or several together
				give := map[string]bool{}
				for location, d := range withEachAssignment(t, w, u) {
					give[location] = allow(reviewerOf(t, was.Policy(), d), reviewerOf(t, is.Policy(), d), q) == allowed
				}
				if !give[at.ID] && slices.Contains(slices.Collect(maps.Values(give)), true) {
					continue
				}
			}
			if found[what] == nil {
				found[what] = map[string]bool{}
			}
			found[what][map[bool]string{true: review.Gained, false: review.Lost}[after]] = true
		}
	}
	var froms []*byID
	for _, from := range w.inside(root) {
		// Where a role held elsewhere reaches is in the rows of that role.
		if w.covers(at, from) || !slices.ContainsFunc(u.Assignments, func(a assignment) bool { return w.covers(w.byID(a.Location), from) }) {
			froms = append(froms, from)
		}
	}
	if entry.NeedsNoCurrentLocation {
		froms = []*byID{nil}
	}
	for _, from := range froms {
		switch {
		case crosses:
			if from != at {
				continue
			}
			for _, place := range w.Locations {
				ask(about{review.OverLocations, place.ID}, authzen.Entity{Type: "location", ID: place.ID}, nil, from)
			}
			ask(about{review.OverNewLocations, "nowhere at all"}, authzen.Entity{Type: "location", ID: "nowhere at all"}, nil, from)
		case f.Over == review.OverUsers:
			for _, other := range w.Users {
				if !w.belongs(other, root) {
					continue
				}
				for _, place := range w.inside(root) {
					ask(about{f.Over, other.ID}, authzen.Entity{Type: "user", ID: other.ID}, place, from)
				}
			}
		case f.Over == review.OverPatients:
			for _, place := range w.inside(root) {
				ask(about{f.Over, place.ID}, authzen.Entity{Type: "patient", ID: "p", Properties: map[string]any{"locations": []any{place.ID}}}, place, from)
			}
		default:
			for _, place := range w.inside(root) {
				resource := authzen.Entity{Type: "location", ID: place.ID}
				if f.Over == review.OverNewUsers {
					resource = authzen.Entity{Type: "user", ID: "nobody at all"}
				}
				ask(about{f.Over, place.ID}, resource, place, from)
			}
		}
	}
	return found
}
