package pdp

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxNamed bounds how many locations one question may name.
const maxNamed = 1000

// maxNamedTogether bounds how many the questions of a batch may.
const maxNamedTogether = 10_000

// gathering collects the facts that one question needs, from one view of the directory. It joins records and applies
// no policy: what is absent is unknown.
type gathering struct {
	view    View
	request Request
	action  actionEntry
	keep    keeping
	builder *builder

	// tolerant takes what is known of records at fault; else they fail.
	tolerant bool
	fault    error // of the account asked about: it counts once the answer is made from it
	doubts   []doubt
	causes   map[*User]error // why an account is suspended, as its source words it
	sees     map[string]bool // which records the answer tells of, where it is asked for

	subject *User
	user    *User
	current *Location
	place   *Location
	facts   [][2]*ast.Term
}

// gather gives input.facts, and the records that they are of.
func (p *Policy) gather(ctx context.Context, view View, keep keeping, b *builder, r Request) (*ast.Term, *gathering, error) {
	g := &gathering{view: view, keep: keep, builder: b, request: r, action: p.catalogue[r.Action.Name], tolerant: p.sees != nil,
		facts: make([][2]*ast.Term, 0, 12)}
	for _, step := range []func(context.Context) error{g.people, g.places, g.targets} {
		if err := step(ctx); err != nil {
			return nil, nil, err
		}
	}
	if err := g.join(); err != nil {
		return nil, nil, err
	}
	return ast.ObjectTerm(g.facts...), g, nil
}

// judge is a location of the organization whose rules judge; nil where none is known.
func (g *gathering) judge() *Location {
	if g.action.needsNoCurrent {
		return g.place
	}
	return g.current
}

// people looks up who asks and who is asked about.
func (g *gathering) people(ctx context.Context) (err error) {
	if g.request.Subject.Type == "user" {
		if g.subject, err = g.account(g.view.User(ctx, g.request.Subject.ID)); err != nil {
			return err
		}
	}
	if g.request.Resource.Type != "user" {
		return nil
	}
	// Only an invitation may name an account by its username, which the policy sees by an id that is not the resource's.
	if g.user, err = g.named(ctx, g.request.Resource.ID); err != nil {
		return err
	}
	username := text(g.request.Action.Properties, "username")
	if !IsUsername(username) || !g.action.takes("username") {
		return nil // nobody looks at it
	}
	g.foldUsernames(username)
	if !g.invitesNew() {
		return nil
	}
	// An account that is called so exists, whether the text is its id or its username.
	namesake, err := g.named(ctx, username)
	if err == nil && namesake != nil {
		g.add(keyNamesake, ast.ObjectTerm(item(keyID, ast.StringTerm(namesake.ID()))))
	}
	return err
}

// named finds an account by its id, or for an invitation by its username: an id comes first.
func (g *gathering) named(ctx context.Context, name string) (*User, error) {
	u, err := g.account(g.view.User(ctx, name))
	if u != nil || err != nil || g.tolerant && !g.action.takes("new") {
		return u, err
	}
	return g.account(g.view.UserByUsername(ctx, name))
}

// invitesNew says whether somebody new is meant, and not an account that is there.
func (g *gathering) invitesNew() bool {
	isNew, _ := g.request.Action.Properties["new"].(bool)
	return isNew && g.action.takes("new")
}

// foldUsernames gives the usernames of an invitation, and that of the account that it is of, as directories compare them.
func (g *gathering) foldUsernames(username string) {
	folded := ast.NewObject(item(keyUsername, ast.StringTerm(FoldCanonical(username))))
	if confirmation := text(g.request.Action.Properties, "username_confirmation"); confirmation != "" {
		folded.Insert(keyUsernameConfirmation, ast.StringTerm(FoldCanonical(confirmation)))
	}
	if g.user != nil && g.user.Username() != "" {
		folded.Insert(keyAccount, ast.StringTerm(FoldCanonical(g.user.Username())))
	}
	g.add(keyFolded, ast.NewTerm(folded))
}

// places looks up where the subject stands and what place the question is about.
func (g *gathering) places(ctx context.Context) (err error) {
	if id, named := g.placeID(); named {
		if g.place, err = g.location(ctx, keyPlace, id); err != nil {
			return err
		}
	}
	if g.action.needsNoCurrent {
		return nil
	}
	id, named := locationID(g.request.Context, "current_location")
	switch {
	case named:
		if g.current, err = g.known(ctx, id); err != nil {
			return err
		}
		if g.current == nil {
			g.add(keyCurrent, unknown(id))
		}
	case g.subject != nil:
		g.current = g.subject.onlyStanding()
		return g.suspendedIn(wholeAccount, g.subject) // it may not be the only one
	}
	return nil
}

func (g *gathering) placeID() (id string, named bool) {
	switch g.request.Resource.Type {
	case "location":
		return g.request.Resource.ID, true
	case "user":
		return locationID(g.request.Resource.Properties, "location")
	}
	return "", false
}

// locationID reads a member that names a location. One that is neither null nor a text names a location that nobody knows,
// which has no id.
func locationID(members map[string]any, name string) (id string, named bool) {
	switch value := members[name].(type) {
	case nil:
		return "", false
	case string:
		return value, value != ""
	}
	return "", true
}

// known looks a location up; nil where it is unknown.
func (g *gathering) known(ctx context.Context, id string) (*Location, error) {
	if id == "" {
		return nil, nil
	}
	return g.site(g.view.Location(ctx, id))
}

// unknown is the fact of a location that is not known: nothing but its id.
func unknown(id string) *ast.Term {
	if id == "" {
		return ast.ObjectTerm()
	}
	return ast.ObjectTerm(item(keyID, ast.StringTerm(id)))
}

// targets looks up the locations that properties name: those of the action that its catalogue knows, and those that a
// patient is associated with. What else a caller says changes nothing.
func (g *gathering) targets(ctx context.Context) error {
	action := g.request.Action.Properties
	if id := text(action, "new_location"); id != "" && g.action.takes("new_location") {
		if _, err := g.location(ctx, keyTarget, id); err != nil {
			return err
		}
	}
	byAction, byResource := g.action.names(g.request)
	if err := g.locations(ctx, keyLocations, namedByAction, action, byAction); err != nil {
		return err
	}
	return g.locations(ctx, keyFacilities, namedByResource, g.request.Resource.Properties, byResource)
}

// names gives the lists of locations that a question names, by properties of the action and of the resource.
func (a actionEntry) names(r Request) (byAction, byResource []string) {
	if a.takes("locations") {
		byAction = texts(r.Action.Properties, "locations")
	}
	if id := text(r.Action.Properties, "system"); id != "" && a.takes("system") {
		byAction = append(byAction, id)
	}
	if r.Resource.Type == "patient" {
		byResource = texts(r.Resource.Properties, "locations")
	}
	return byAction, byResource
}

// checkNamed bounds how many locations the questions of a batch name together: each of them may be looked at for each.
func (p *Policy) checkNamed(questions []Request) error {
	all := 0
	for _, r := range questions {
		byAction, byResource := p.catalogue[r.Action.Name].names(r)
		if all += len(byAction) + len(byResource); all > maxNamedTogether {
			return invalid("The questions name more than %d locations together, what they share counted for each: send fewer in a request.", maxNamedTogether)
		}
	}
	return nil
}

// locations adds those of some locations that are known, by their ids. They are named by members of an object.
func (g *gathering) locations(ctx context.Context, fact *ast.Term, as string, members map[string]any, named []string) error {
	if len(named) == 0 {
		return nil
	}
	if len(named) > maxNamed {
		return &Error{Kind: Invalid, Message: fmt.Sprintf("A question may name at most %d locations.", maxNamed)}
	}
	term, err := g.builder.once(as, g.request.Action.Name, members, func() (*ast.Term, error) {
		found := ast.NewObject()
		for _, id := range named {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			l, err := g.site(g.view.Location(ctx, id))
			if err != nil {
				return nil, err
			}
			if l != nil {
				found.Insert(ast.StringTerm(id), l.term)
			}
		}
		return ast.NewTerm(found), nil
	})
	if len(g.doubts) > 0 {
		g.builder.forget(as, g.request.Action.Name, members) // another question has to learn of them too
	}
	if err == nil {
		g.add(fact, term)
	}
	return err
}

// location adds a location that the question names; one that is unknown has nothing but its id.
func (g *gathering) location(ctx context.Context, fact *ast.Term, id string) (*Location, error) {
	l, err := g.known(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		g.add(fact, unknown(id))
	default:
		g.add(fact, l.term)
	}
	return l, nil
}

// join adds what is known of the people, as the organization that judges the question may see it.
func (g *gathering) join() error {
	at := g.judge()
	organization := wholeAccount
	switch {
	case g.action.model != "":
		g.add(keyModel, ast.StringTerm(g.action.model))
	case at != nil:
		organization = at.Organization()
		if at.Model() != "" { // it may be at fault
			g.add(keyModel, at.root.modelTerm)
		}
		g.add(keyOrganization, at.root.organizationTerm)
	}
	judge := organization
	if g.action.crossesOrganizations {
		judge = wholeAccount
	}
	if err := g.suspended(judge); err != nil {
		return err
	}
	if g.subject != nil {
		view := g.subject.view(organization, g.keep.subject)
		g.add(keySubject, view.fact)
		if g.current != nil {
			g.add(keyCurrent, view.standing(g.current))
		}
		if !g.action.needsNoCurrent {
			if g.action.crossesOrganizations {
				view = g.subject.view(wholeAccount, g.keep.subject)
			}
			g.add(keyStandings, view.standingsWith(g.place))
		}
	} else if g.current != nil {
		g.add(keyCurrent, g.current.term)
	}
	if _, named := g.placeID(); !named && g.current != nil {
		g.add(keyPlace, g.current.term)
	}
	if g.user != nil && (at != nil || g.action.model != "") {
		g.add(keyUser, g.user.view(organization, g.keep.user).fact)
		g.fault = g.suspendedIn(organization, g.user)
	}
	return nil
}

func (g *gathering) add(key, value *ast.Term) {
	g.facts = append(g.facts, item(key, value))
}

// text is a member that is a text, "" where there is none.
func text(members map[string]any, name string) string {
	s, _ := members[name].(string)
	return s
}

// texts is a member that is a list of texts; anything else is absent.
func texts(members map[string]any, name string) []string {
	list, _ := members[name].([]any)
	all := make([]string, 0, len(list))
	for _, element := range list {
		s, ok := element.(string)
		if !ok {
			return nil
		}
		all = append(all, s)
	}
	return all
}
