package world

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Case is a directory and a question about it.
type Case struct {
	Locations []facts.LocationRecord
	Users     []facts.UserRecord
	Question  authzen.Evaluation
}

// Case returns the case for values of the variables.
func (w *World) Case(values []int) *Case {
	get := func(name string) string { return w.Value(values, name) }
	c := &Case{}
	if w.tree == &noDirectory {
		c.Question = w.entitiesOf(get)
		return c
	}
	for _, l := range w.tree.locations {
		record := facts.LocationRecord{ID: l.id, Kind: l.kind, Parent: l.parent}
		if l.parent == "" {
			record.Model = w.tree.modelOf(l.id)
			if w.tree.hasPlan(l.id) {
				record.Plan = get("plan")
			}
		}
		c.Locations = append(c.Locations, record)
	}
	for _, person := range people {
		c.Users = append(c.Users, w.person(person, get))
	}
	c.Question = authzen.Evaluation{
		Subject:  authzen.Entity{Type: "user", ID: "subject", Properties: w.caseMembers("subject", ofSubject, get)},
		Action:   authzen.Action{Name: w.actionName(), Properties: w.caseProperties(get)},
		Resource: w.caseResource(get),
		Context:  w.caseContext(get),
	}
	switch get("who") {
	case unknown:
		c.Question.Subject.ID = "nobody"
	case notUser:
		c.Question.Subject.Type, c.Question.Subject.ID = "service", "nobody"
	}
	return c
}

func (w *World) person(person string, get func(string) string) facts.UserRecord {
	u := facts.UserRecord{ID: person, Username: usernames[person], Status: get(person + " status")}
	if d := get(person + " default"); d != none {
		u.DefaultLocation = d
	}
	for _, l := range w.tree.locations {
		v := get(person + " at " + l.id)
		if v == none {
			continue
		}
		role, status := roleAndStatus(v)
		practiceGroup := w.tree.modelOf(l.id) == facts.ModelPracticeGroup
		if practiceGroup && l.parent != "" {
			role, _ = roleAndStatus(get(person + " at " + l.parent))
			status = v
		}
		a := facts.AssignmentRecord{Location: l.id, Role: role, Status: status}
		if practiceGroup && l.parent == "" && !l.foreign {
			a.Access = w.accessOf(person, get)
		}
		u.Assignments = append(u.Assignments, a)
	}
	return u
}

func (w *World) accessOf(person string, get func(string) string) *facts.Access {
	level := get(person + " level")
	if level == none {
		return nil
	}
	access := &facts.Access{Areas: map[string]bool{}}
	if level != absent {
		access.Level = level
	}
	for _, area := range w.areas {
		if v := get(person + " " + area); v != absent {
			access.Areas[area] = v == yes
		}
	}
	return access
}

// set sets a member for the value of a variable, unless it is absent.
func set(members map[string]any, key, variable, value string) {
	t := termOf(variable, value)
	if t == nil {
		return
	}
	v, err := ast.JSON(t.Value)
	if err != nil {
		panic(err) // a scalar has a value
	}
	members[key] = v
}

func orNil(members map[string]any) map[string]any {
	if len(members) == 0 {
		return nil
	}
	return members
}

func (w *World) caseMembers(part, prefix string, get func(string) string) map[string]any {
	members := map[string]any{}
	for _, name := range w.members[part] {
		if _, ok := w.index[prefix+name]; ok {
			set(members, name, prefix+name, get(prefix+name))
		}
	}
	return orNil(members)
}

func (w *World) caseProperties(get func(string) string) map[string]any {
	members := map[string]any{}
	for _, name := range w.properties {
		variable := "set " + name
		switch v := get(variable); {
		case v == list:
			members[name] = w.caseList(variable, get)
		case v == object && name == "name":
			members[name] = w.caseNested(variable, []string{"given", "family", "title"}, get)
		case v == object:
			members[name] = w.caseNested(variable, w.askedAreas(), get)
		default:
			set(members, name, variable, v)
		}
	}
	return orNil(members)
}

func (w *World) caseNested(variable string, parts []string, get func(string) string) map[string]any {
	members := map[string]any{}
	for _, part := range parts {
		key := part
		if part == other {
			key = freshText("area")
		}
		set(members, key, variable+"."+part, get(variable+"."+part))
	}
	return members
}

func (w *World) caseList(variable string, get func(string) string) []any {
	all := []any{}
	for _, id := range append(w.tree.sorted(), unknown, number) {
		if get(variable+" "+id) != yes {
			continue
		}
		one := map[string]any{}
		set(one, "", variable, id)
		all = append(all, one[""])
	}
	return all
}

func (w *World) caseResource(get func(string) string) authzen.Entity {
	r := authzen.Entity{Type: get("kind"), ID: "thing"}
	members := map[string]any{}
	place := get("place")
	switch r.Type {
	case "user":
		r.ID = map[string]string{theOther: "user", oneself: "subject", unknown: "nobody else", byUsername: usernames["user"], selfByName: usernames["subject"]}[get("whom")]
		set(members, "location", "place", place)
	case "location":
		r.ID = textOf(termOf("place", place))
	case "patient":
		if v := get("patient locations"); v == list {
			members["locations"] = w.caseList("patient locations", get)
		} else if w.reads("resource", "locations") {
			set(members, "locations", "patient locations", v)
		}
	}
	maps.Copy(members, w.caseMembers("resource", "resource ", get))
	r.Properties = orNil(members)
	return r
}

func (w *World) caseContext(get func(string) string) map[string]any {
	members := map[string]any{}
	set(members, "current_location", "current", get("current")) // facts depend on it, whether or not a rule reads it
	for _, name := range w.members["context"] {
		switch name {
		case "current_location":
		case supportedObligations:
			w.caseObligations(members, get)
		default:
			set(members, name, "context "+name, get("context "+name))
		}
	}
	return orNil(members)
}

func (w *World) caseObligations(members map[string]any, get func(string) string) {
	v := get("supported")
	if v != list {
		set(members, supportedObligations, "supported", v)
		return
	}
	all := []any{}
	for _, kind := range append(slices.Clone(obligationTypes), number) {
		if get("supports "+kind) == yes {
			one := map[string]any{}
			set(one, "", "", kind)
			all = append(all, one[""])
		}
	}
	members[supportedObligations] = all
}

// Directory returns the directory of a case as a directory file, in JSON.
func (c *Case) Directory() ([]byte, error) {
	type locationOf struct {
		ID     string `json:"id"`
		Kind   string `json:"kind"`
		Parent string `json:"parent,omitempty"`
		Model  string `json:"model,omitempty"`
		Plan   string `json:"plan,omitempty"`
	}
	type accessOf struct {
		Level string          `json:"level,omitempty"`
		Areas map[string]bool `json:"areas,omitempty"`
	}
	type assignmentOf struct {
		Location string    `json:"location"`
		Role     string    `json:"role"`
		Status   string    `json:"status,omitempty"`
		Access   *accessOf `json:"access,omitempty"`
	}
	type userOf struct {
		ID          string         `json:"id"`
		Username    string         `json:"username"`
		Status      string         `json:"status,omitempty"`
		Default     string         `json:"default_location,omitempty"`
		Assignments []assignmentOf `json:"assignments"`
	}
	file := struct {
		Locations []locationOf `json:"locations"`
		Users     []userOf     `json:"users"`
	}{}
	for _, l := range c.Locations {
		file.Locations = append(file.Locations, locationOf{l.ID, l.Kind, l.Parent, l.Model, l.Plan})
	}
	practice := map[string]bool{}
	for _, l := range c.Locations {
		practice[l.ID] = l.Kind == "group" || l.Kind == "practice"
	}
	for _, u := range c.Users {
		own := userOf{ID: u.ID, Username: u.Username, Status: u.Status, Default: u.DefaultLocation, Assignments: []assignmentOf{}}
		for _, a := range u.Assignments {
			one := assignmentOf{Location: a.Location, Role: a.Role}
			if practice[a.Location] {
				one.Status = a.Status
			}
			if a.Access != nil {
				one.Access = &accessOf{a.Access.Level, a.Access.Areas}
			}
			own.Assignments = append(own.Assignments, one)
		}
		file.Users = append(file.Users, own)
	}
	return json.Marshal(file)
}

// View returns the directory of a case as a view for an engine.
func (c *Case) View() (facts.View, error) {
	v := &view{locations: map[string]*facts.Location{}}
	for _, l := range c.Locations {
		v.locations[l.ID] = facts.NewLocation(l, v.locations[l.Parent], 1)
	}
	for _, record := range c.Users {
		u, err := facts.NewUser(record, 1, func(id string) *facts.Location { return v.locations[id] })
		if err != nil {
			return nil, fmt.Errorf("the directory of an example: %w", err)
		}
		v.users = append(v.users, u)
	}
	return v, nil
}

// view is a directory of a few locations and users, which are looked up and not listed.
type view struct {
	facts.View // of lists: nil, which nobody asks for
	locations  map[string]*facts.Location
	users      []*facts.User
}

func (v *view) Location(_ context.Context, id string) (*facts.Location, error) {
	return v.locations[id], nil
}

func (v *view) User(_ context.Context, id string) (*facts.User, error) {
	for _, u := range v.users {
		if u.ID() == id {
			return u, nil
		}
	}
	return nil, nil
}

func (v *view) UserByUsername(_ context.Context, username string) (*facts.User, error) {
	for _, u := range v.users {
		if strings.EqualFold(u.Username(), username) {
			return u, nil
		}
	}
	return nil, nil
}
