package attack

import (
	"context"
	"fmt"
	"maps"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// changedView is a directory in which some accounts are others, or new. It is not safe for concurrent use.
type changedView struct {
	facts.View
	changed map[string]*facts.User
}

func (v *changedView) User(ctx context.Context, id string) (*facts.User, error) {
	if u := v.changed[id]; u != nil {
		return u, nil
	}
	return v.View.User(ctx, id)
}

func (v *changedView) UserByUsername(ctx context.Context, username string) (*facts.User, error) {
	for _, u := range v.changed {
		if u.Username() != "" && facts.FoldCanonical(u.Username()) == facts.FoldCanonical(username) {
			return u, nil
		}
	}
	u, err := v.View.UserByUsername(ctx, username)
	if u != nil && v.changed[u.ID()] != nil {
		return nil, err // it has another username now
	}
	return u, err
}

// replay asks each question of a path again, with the ids that people have, and carries out what is allowed.
func (o *organization) replay(path []*state) (steps []Step, names []string, err error) {
	for _, u := range o.people {
		names = append(names, u.ID())
	}
	view := &changedView{o.Directory, map[string]*facts.User{}}
	asks, err := o.reviewer(view)
	if err != nil {
		return nil, nil, err
	}
	for _, st := range path {
		m := st.last
		rec := facts.UserRecord{}
		if m.user == len(names) {
			rec.ID, err = o.newName(view, len(names)-len(o.people)+1)
			names = append(names, rec.ID)
		} else {
			var u *facts.User
			if u, err = view.User(o.ctx, names[m.user]); err == nil {
				rec = u.Record()
			}
		}
		if err != nil {
			return nil, nil, err
		}
		q := m.of.question(names[m.subject], rec.ID, m.from)
		q.Action.Properties = o.named(q.Action.Properties, rec)
		ok, err := asks.Allows(o.ctx, q)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, fmt.Errorf("%w: %s may not %s on %s", ErrTellsApart, q.Subject.ID, q.Action.Name, q.Resource.ID)
		}
		rule, _, err := asks.May(o.ctx, q)
		if err != nil {
			return nil, nil, err
		}
		after, _ := Apply(q, rec, o.locate)
		if view.changed[rec.ID], err = facts.NewUser(after, 0, o.locate); err != nil {
			return nil, nil, err
		}
		steps = append(steps, Step{Question: q, Rule: rule, Says: say(&m.of, q), After: view.changed[rec.ID].Record()})
	}
	return steps, names, nil
}

// newName returns an id that nobody has, and whose address nobody has either.
func (o *organization) newName(view facts.View, number int) (string, error) {
	for name := fmt.Sprintf("new-%d", number); ; name += "-" {
		byID, err := view.User(o.ctx, name)
		if err != nil {
			return "", err
		}
		byName, err := view.UserByUsername(o.ctx, address(name))
		if byID == nil && byName == nil || err != nil {
			return name, err
		}
	}
}

// named returns properties with the username that the account has, or would get, in place of one that stands for it.
func (o *organization) named(properties map[string]any, rec facts.UserRecord) map[string]any {
	username := rec.Username
	if username == "" {
		username = address(rec.ID)
	}
	properties = maps.Clone(properties)
	for _, name := range []string{"username", "username_confirmation"} {
		if v := properties[name]; v == address(o.forms.user) || v == address(o.forms.fresh) {
			properties[name] = username
		}
	}
	return properties
}

// add adds a finding to the report. Result says what a path leads to, by the ids of the accounts.
func (o *organization) add(goal string, attacker int, out outcome, result func(names []string) string) error {
	f := Finding{Goal: goal, Organization: o.root.ID(), Attacker: o.people[attacker].ID(), Outcome: None, States: out.states}
	for _, a := range o.people[attacker].Assignments() {
		if a.At.Organization() == o.root.ID() {
			f.Roles = append(f.Roles, a.Role+" at "+a.Location)
		}
	}
	switch {
	case out.reached != nil:
		f.Outcome = Found
		steps, names, err := o.replay(out.reached.path())
		if err != nil {
			return err
		}
		f.Path, f.Result = steps, result(names)
		if out.gain != everything {
			f.Gain = out.gain
		}
	case out.open:
		f.Outcome = Open
	}
	o.report.Findings = append(o.report.Findings, f)
	return nil
}
