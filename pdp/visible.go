package pdp

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/counterfactual"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// The actions that say what a person may see of a user (policies/DOMAIN.md): the record, and the assignments elsewhere.
const (
	viewUser          = "user.view"
	viewUserLocations = "user.view_locations"
)

// visible is what one person may see of the directory: the organization of the question, if they hold an active assignment in it,
// their own record there, and what the policy lets them see of the user who is asked about. Everything else is unknown in it, so that
// whatever is decided by it tells nothing of the rest. Of a question that no organization judges by itself, these are all
// organizations in which they hold an active assignment.
type visible struct {
	facts.View
	organizations []string
	subject, user *facts.User // nil: unknown
}

// Location implements [facts.View].
func (v *visible) Location(ctx context.Context, id string) (*facts.Location, error) {
	l, err := v.View.Location(ctx, id)
	if isSuspended(err) {
		return nil, nil
	}
	if l == nil || err != nil || !slices.Contains(v.organizations, l.Organization()) {
		return nil, err
	}
	return l, nil
}

// User implements [facts.View].
func (v *visible) User(_ context.Context, id string) (*facts.User, error) {
	for _, u := range []*facts.User{v.subject, v.user} {
		if u != nil && u.ID() == id {
			return u, nil
		}
	}
	return nil, nil
}

// UserByUsername implements [facts.View].
func (v *visible) UserByUsername(_ context.Context, username string) (*facts.User, error) {
	for _, u := range []*facts.User{v.subject, v.user} {
		if u != nil && u.Username() != "" && facts.FoldCanonical(u.Username()) == facts.FoldCanonical(username) {
			return u, nil
		}
	}
	return nil, nil
}

// Locations implements [facts.View]: nothing is told of a location that the question does not name.
func (v *visible) Locations(context.Context, facts.LocationQuery) ([]*facts.Location, error) {
	return nil, nil
}

// Users implements [facts.View].
func (v *visible) Users(context.Context, facts.UserQuery) (facts.Users, error) {
	return facts.Users{}, nil
}

// explainVisible explains a decision by what the subject may see. What it tells follows from that and from the decision alone: where
// what may be seen does not give the same answer, it tells nothing more.
func (ev *evaluation) explainVisible(ctx context.Context, x *Explanation, r Request) error {
	if ev.facts.View == nil {
		x.Bound = Bound{Withheld: true}
		return nil
	}
	views, uncertain, err := ev.visibleTo(ctx, r)
	if err != nil {
		return err
	}
	told := false
	for _, view := range views {
		seen := ev.over(view)
		d, err := seen.decide(ctx, r)
		if ctx.Err() != nil {
			return asError(ctx, ctx.Err())
		}
		if err != nil || d.Allow != x.Decision.Allow || !reflect.DeepEqual(d.Reasons, x.Decision.Reasons) {
			continue
		}
		if !told {
			told = true
			if err := seen.tellFacts(ctx, x, r, uncertain); err != nil {
				return err
			}
		}
		w, err := seen.world(ctx, r)
		if err != nil {
			return err
		}
		w.MadeUp = uncertain
		if err := seen.search(ctx, x, w, uncertain); err != nil {
			return err
		}
	}
	if !told {
		x.Bound = Bound{Withheld: true}
	}
	return nil
}

func (ev *evaluation) tellFacts(ctx context.Context, x *Explanation, r Request, uncertain bool) error {
	t, err := ev.traced(ctx, r, false)
	if err != nil {
		return err
	}
	x.Facts = slices.DeleteFunc(t.facts(), func(f Fact) bool {
		ofUser := strings.HasPrefix(f.Path, "input.facts.user") || strings.HasPrefix(f.Path, "input.facts.folded")
		return !strings.HasPrefix(f.Path, "input.facts.") || uncertain && ofUser
	})
	return nil
}

// visibleTo returns the view of what the subject may see. If that leaves out the user who is asked about, it returns views with made up
// users instead, one of whom may be like the user, and uncertain is true.
func (ev *evaluation) visibleTo(ctx context.Context, r Request) (views []*visible, uncertain bool, err error) {
	action := ev.catalogue[r.Action.Name]
	f, err := ev.facts.Locate(ctx, r, action.Action)
	if err != nil {
		return nil, false, asError(ctx, err)
	}
	base := visible{View: ev.facts.View}
	organization := facts.AnyOrganization
	if governing := f.Governing(); governing != nil && action.Model == "" && !action.CrossesOrganizations {
		organization = governing.Organization()
	}
	if f.Subject != nil && f.Subject.SuspendedIn(organization) == nil {
		if err := base.addSubject(ctx, f.Subject, organization); err != nil {
			return nil, false, asError(ctx, err)
		}
	}
	if r.Resource.Type != "user" || base.subject != nil && r.Resource.ID == base.subject.ID() {
		return []*visible{&base}, false, nil
	}
	user, err := ev.visibleUser(ctx, r, &base)
	if err != nil {
		return nil, false, err
	}
	if user != nil {
		base.user = user
		return []*visible{&base}, false, nil
	}
	views = []*visible{&base}
	made, err := ev.madeUp(ctx, r, &base)
	if err != nil {
		return nil, false, asError(ctx, err)
	}
	for _, u := range made {
		other := base
		other.user = u
		views = append(views, &other)
	}
	return views, true, nil
}

// addSubject adds the subject, with the organizations in which they hold an active assignment: one organization, or all. What is left
// of the record is in these.
func (v *visible) addSubject(ctx context.Context, subject *facts.User, organization string) (err error) {
	rec := subject.Record()
	if rec.Status == facts.StatusActive {
		for _, at := range subject.HeldIn(organization) {
			v.organizations = append(v.organizations, at.Organization())
		}
	}
	rec.Assignments = nil
	for _, a := range subject.Assignments() {
		if slices.Contains(v.organizations, a.At.Organization()) {
			rec.Assignments = append(rec.Assignments, a.AssignmentRecord)
		}
	}
	v.subject, err = counterfactual.Join(ctx, v, rec)
	return err
}

// visibleUser returns what the policy lets the subject see of the user who is asked about: nil if nothing.
func (ev *evaluation) visibleUser(ctx context.Context, r Request, v *visible) (*facts.User, error) {
	in, _, err := ev.input(ctx, r, ev.reads(r.Action.Name))
	if err != nil {
		return nil, err
	}
	// A denial tells nothing of a user whom the policy did not get to (stage 1), not even what another question would tell.
	if disclosed, err := ev.disclosedRecords(ctx, in); err != nil || !disclosed["user"] {
		return nil, err
	}
	question := Request{Subject: authzen.Entity{Type: r.Subject.Type, ID: r.Subject.ID},
		Resource: authzen.Entity{Type: r.Resource.Type, ID: r.Resource.ID}, Context: map[string]any{}}
	if at, named := r.Resource.Properties["location"]; named {
		question.Resource.Properties = map[string]any{"location": at}
	}
	if at, named := r.Context["current_location"]; named {
		question.Context["current_location"] = at
	}
	may := func(action string) (bool, error) {
		question.Action.Name = action
		d, err := ev.decide(ctx, question)
		if ctx.Err() != nil {
			return false, asError(ctx, ctx.Err())
		}
		return err == nil && d.Allow, nil // what cannot be decided is not seen
	}
	seen, err := may(viewUser)
	if !seen || err != nil {
		return nil, err
	}
	f, err := ev.facts.Locate(ctx, question, ev.catalogue[viewUser].Action)
	if err != nil || f.User == nil || f.Current == nil {
		return nil, err
	}
	everywhere := !slices.Contains(ev.catalogue[viewUserLocations].models, f.Current.Model()) // what a user's record says is all there is to see
	if !everywhere {
		if everywhere, err = may(viewUserLocations); err != nil {
			return nil, err
		}
	}
	rec := f.User.Record()
	rec.Assignments = nil
	for _, a := range f.User.Assignments() {
		if a.At.Organization() == f.Current.Organization() && (everywhere || a.At.CoveredBy(f.Current.ID())) {
			rec.Assignments = append(rec.Assignments, a.AssignmentRecord)
		}
	}
	if at, err := v.Location(ctx, rec.DefaultLocation); err != nil || at == nil || at.Organization() != f.Current.Organization() {
		rec.DefaultLocation = ""
	}
	return counterfactual.Join(ctx, v, rec)
}

// madeUp returns users with the id of the one who is asked about: active and deactivated ones, assigned at the locations that the
// question is about.
func (ev *evaluation) madeUp(ctx context.Context, r Request, v *visible) ([]*facts.User, error) {
	if ev.vocabulary == nil {
		return nil, nil
	}
	f, err := ev.over(v).facts.Locate(ctx, r, ev.catalogue[r.Action.Name].Action)
	if err != nil {
		return nil, err
	}
	governing := f.Governing()
	if governing == nil {
		return nil, nil
	}
	var places []*facts.Location
	for _, at := range []*facts.Location{f.Current, f.Place, governing.Root()} {
		if at != nil && !slices.Contains(places, at) {
			places = append(places, at)
		}
	}
	var users []*facts.User
	for n := 1; n < 1<<len(places); n++ {
		for _, status := range []string{facts.StatusActive, facts.StatusDeactivated} {
			rec := facts.UserRecord{ID: r.Resource.ID, Status: status}
			for i, at := range places {
				roles := ev.vocabulary.Roles[at.Kind()]
				if n&(1<<i) == 0 || len(roles) == 0 {
					continue
				}
				rec.Assignments = append(rec.Assignments, facts.AssignmentRecord{Location: at.ID(), Role: roles[0]})
				if f.Place == nil || at.ID() != f.Place.ID() || rec.DefaultLocation == "" {
					rec.DefaultLocation = at.ID()
				}
			}
			u, err := counterfactual.Join(ctx, v, rec)
			if err != nil {
				return nil, err
			}
			users = append(users, u)
		}
	}
	return users, nil
}
