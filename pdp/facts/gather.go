package facts

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// maxNamed bounds the locations that one question may name in its properties, and maxNamedTogether bounds those of a batch.
const (
	maxNamed         = 1000
	maxNamedTogether = 10_000
)

// Action is the part of an action's entry in the policy's catalogue that the facts of a question depend on.
type Action struct {
	Model                  string   // the model whose rules always apply; "" if the governing location determines it
	NeedsNoCurrentLocation bool     // the place governs, and the subject needs no current location
	CrossesOrganizations   bool     // standings in every organization count
	Properties             []string // that the action can have
}

// Has reports whether the action has a property.
func (a *Action) Has(property string) bool { return slices.Contains(a.Properties, property) }

// Facts are the facts of one question, and the records that they are built from.
type Facts struct {
	Subject *User     // who asks; nil if unknown
	User    *User     // who is asked about; nil if unknown, or if the question is about no user
	Current *Location // the subject's current location; nil if unknown or irrelevant
	Place   *Location // that the question names; nil if unknown, or if it names none

	builder    *Builder
	request    authzen.Evaluation
	action     Action
	userErrors map[*User]error // the errors of suspended users, as the source worded them
	userFault  error
	suspended  []suspendedLocation
	members    []input.Member
	object     *input.Object
	// The subject and the user as parts of a question without properties; nil if there are no such records.
	subjectPart, userPart *input.Object
}

// A TooManyError reports that questions name more locations than may be looked up for them.
type TooManyError struct{ Message string }

func (e *TooManyError) Error() string { return e.Message }

// Gather looks up the records that a question needs and builds its facts from them. It fails with the error of the view, or
// with a [*TooManyError].
func (b *Builder) Gather(ctx context.Context, r authzen.Evaluation, a Action) (*Facts, error) {
	f := &Facts{builder: b, request: r, action: a, members: make([]input.Member, 0, 12)}
	if err := f.findPeople(ctx); err != nil {
		return nil, err
	}
	if err := f.findPlaces(ctx); err != nil {
		return nil, err
	}
	if err := f.findNamedLocations(ctx); err != nil {
		return nil, err
	}
	if err := f.join(); err != nil {
		return nil, err
	}
	f.object = input.New(f.members...)
	return f, nil
}

// Locate looks up only the people and places of a question: Subject, User, Current and Place. The result cannot be put into
// an input.
func (b *Builder) Locate(ctx context.Context, r authzen.Evaluation, a Action) (*Facts, error) {
	f := &Facts{builder: b, request: r, action: a}
	if err := f.findPeople(ctx); err != nil {
		return nil, err
	}
	return f, f.findPlaces(ctx)
}

// Location looks up a location. It returns nil if the location is unknown.
func (b *Builder) Location(ctx context.Context, id string) (*Location, error) {
	return (&Facts{builder: b}).findLocation(ctx, id)
}

// Governing returns a location of the organization whose rules apply, or nil if none is known.
func (f *Facts) Governing() *Location {
	if f.action.NeedsNoCurrentLocation {
		return f.Place
	}
	return f.Current
}

// StoredRecord is a record that facts are made of, as its source has it.
type StoredRecord struct {
	User *User     // nil for an organization
	Root *Location // of an organization with its locations; nil for a user
	Freshness
}

// Records returns the records that the facts are made of, as far as the decision is about them: the organization whose rules
// apply, the subject, and the user asked about, if that is somebody else.
func (f *Facts) Records(view View) iter.Seq[StoredRecord] {
	return func(yield func(StoredRecord) bool) {
		if at := f.Governing(); at != nil && !yield(StoredRecord{Root: at.Root(), Freshness: view.OrganizationFreshness(at.Root())}) {
			return
		}
		if f.Subject != nil && !yield(StoredRecord{User: f.Subject, Freshness: view.UserFreshness(f.Subject)}) {
			return
		}
		if f.User != nil && f.User != f.Subject {
			yield(StoredRecord{User: f.User, Freshness: view.UserFreshness(f.User)})
		}
	}
}

// findPeople looks up the subject and the user who is asked about.
func (f *Facts) findPeople(ctx context.Context) (err error) {
	if f.request.Subject.Type == "user" {
		if f.Subject, err = f.user(f.builder.View.User(ctx, f.request.Subject.ID)); err != nil {
			return err
		}
	}
	if f.request.Resource.Type != "user" {
		return nil
	}
	// Only an invitation may name a user by username. Other cases are for the policy to detect: the user's id then differs
	// from the resource's.
	if f.User, err = f.findUser(ctx, f.request.Resource.ID); err != nil {
		return err
	}
	username := String(f.request.Action.Properties, "username")
	if !IsUsername(username) || !f.action.Has("username") {
		return nil // no rule looks at it
	}
	f.addFoldedUsernames(username)
	if isNew, _ := f.request.Action.Properties["new"].(bool); !isNew || !f.action.Has("new") {
		return nil
	}
	// A new user must not have the id or the username of another.
	namesake, err := f.findUser(ctx, username)
	if err == nil && namesake != nil {
		f.add(keyNamesake, ast.ObjectTerm(item(keyID, ast.StringTerm(namesake.ID()))))
	}
	return err
}

// findUser finds a user by id or, for an invitation, by username; ids take precedence.
func (f *Facts) findUser(ctx context.Context, name string) (*User, error) {
	u, err := f.user(f.builder.View.User(ctx, name))
	if u != nil || err != nil || f.builder.Lenient && !f.action.Has("new") {
		return u, err
	}
	return f.user(f.builder.View.UserByUsername(ctx, name))
}

// addFoldedUsernames adds the usernames of an invitation, and that of the invited user, in the form in which they are
// compared.
func (f *Facts) addFoldedUsernames(username string) {
	folded := ast.NewObject(item(keyUsername, ast.StringTerm(FoldCanonical(username))))
	if confirmation := String(f.request.Action.Properties, "username_confirmation"); confirmation != "" {
		folded.Insert(keyUsernameConfirmation, ast.StringTerm(FoldCanonical(confirmation)))
	}
	if f.User != nil && f.User.Username() != "" {
		folded.Insert(keyAccount, ast.StringTerm(FoldCanonical(f.User.Username())))
	}
	f.add(keyFolded, ast.NewTerm(folded))
}

// findPlaces looks up the subject's current location and the place that the question is about.
func (f *Facts) findPlaces(ctx context.Context) (err error) {
	if id, named := PlaceID(f.request); named {
		if f.Place, err = f.addLocation(ctx, keyPlace, id); err != nil {
			return err
		}
	}
	if f.action.NeedsNoCurrentLocation {
		return nil
	}
	id, named := LocationID(f.request.Context, "current_location")
	switch {
	case named:
		if f.Current, err = f.findLocation(ctx, id); err != nil {
			return err
		}
		if f.Current == nil {
			f.add(keyCurrent, unknownLocation(id))
		}
	case f.Subject != nil:
		f.Current = f.Subject.onlyHeld()
		return f.suspendedIn(AnyOrganization, f.Subject) // assignments at fault may be missing, so this may not be the only one
	}
	return nil
}

// PlaceID returns the id of the place that a question names.
func PlaceID(r authzen.Evaluation) (id string, named bool) {
	switch r.Resource.Type {
	case "location":
		return r.Resource.ID, true
	case "user":
		return LocationID(r.Resource.Properties, "location")
	}
	return "", false
}

// LocationID reads a member that names a location. A value that is neither null nor a string names an unknown location,
// whose id is "".
func LocationID(members map[string]any, name string) (id string, named bool) {
	switch value := members[name].(type) {
	case nil:
		return "", false
	case string:
		return value, value != ""
	}
	return "", true
}

func (f *Facts) findLocation(ctx context.Context, id string) (*Location, error) {
	if id == "" {
		return nil, nil
	}
	return f.location(f.builder.View.Location(ctx, id))
}

// addLocation looks up a location that the question names and adds it as a fact.
func (f *Facts) addLocation(ctx context.Context, key *ast.Term, id string) (*Location, error) {
	l, err := f.findLocation(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		f.add(key, unknownLocation(id))
	default:
		f.add(key, l.facts().fact)
	}
	return l, nil
}

// unknownLocation returns the fact of an unknown location, which has only an id.
func unknownLocation(id string) *ast.Term {
	if id == "" {
		return ast.ObjectTerm()
	}
	return ast.ObjectTerm(item(keyID, ast.StringTerm(id)))
}

// findNamedLocations looks up the locations that properties name: those of the action that its catalogue entry has, and
// those that a patient is associated with. Other properties are ignored.
func (f *Facts) findNamedLocations(ctx context.Context) error {
	action := f.request.Action.Properties
	if id := String(action, "new_location"); id != "" && f.action.Has("new_location") {
		if _, err := f.addLocation(ctx, keyTarget, id); err != nil {
			return err
		}
	}
	byAction, byResource := f.action.namedLocations(f.request)
	if err := f.addLocations(ctx, keyLocations, locationsOfAction, action, byAction); err != nil {
		return err
	}
	return f.addLocations(ctx, keyFacilities, locationsOfResource, f.request.Resource.Properties, byResource)
}

// namedLocations returns the ids in lists of locations, in properties of the action and of the resource.
func (a *Action) namedLocations(r authzen.Evaluation) (byAction, byResource []string) {
	if a.Has("locations") {
		byAction = Strings(r.Action.Properties, "locations")
	}
	if id := String(r.Action.Properties, "system"); id != "" && a.Has("system") {
		byAction = append(byAction, id)
	}
	if r.Resource.Type == "patient" {
		byResource = Strings(r.Resource.Properties, "locations")
	}
	return byAction, byResource
}

// CheckNamed checks that the questions of a batch together name no more locations than allowed. If they do, it fails with a
// [*TooManyError].
func CheckNamed(questions []authzen.Evaluation, action func(name string) Action) error {
	total := 0
	for _, r := range questions {
		a := action(r.Action.Name)
		byAction, byResource := a.namedLocations(r)
		if total += len(byAction) + len(byResource); total > maxNamedTogether {
			return &TooManyError{fmt.Sprintf("The questions name more than %d locations together, counting shared ones for each: send fewer questions in one request.", maxNamedTogether)}
		}
	}
	return nil
}

// addLocations adds the known locations among ids, as an object by id. The ids are named in members.
func (f *Facts) addLocations(ctx context.Context, key *ast.Term, part string, members map[string]any, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > maxNamed {
		return &TooManyError{fmt.Sprintf("A question may name at most %d locations.", maxNamed)}
	}
	object, err := f.builder.shared(part, f.request.Action.Name, members, func() (*input.Object, error) {
		found := ast.NewObject()
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			l, err := f.location(f.builder.View.Location(ctx, id))
			if err != nil {
				return nil, err
			}
			if l != nil {
				found.Insert(ast.StringTerm(id), l.facts().fact)
			}
		}
		return input.Of(ast.NewTerm(found)), nil
	})
	if len(f.suspended) > 0 {
		f.builder.forget(part, f.request.Action.Name, members) // every question must learn of the suspended ones
	}
	if err == nil {
		f.members = append(f.members, input.Member{Key: key, Object: object})
	}
	return err
}

// join adds what is known of the people, as far as the organization whose rules apply may see it.
func (f *Facts) join() error {
	governing := f.Governing()
	organization := AnyOrganization
	switch {
	case f.action.Model != "":
		f.add(keyModel, ast.StringTerm(f.action.Model))
	case governing != nil:
		organization = governing.Organization()
		if governing.Model() != "" { // a suspended root may have no model
			f.add(keyModel, governing.root.facts().model)
		}
		f.add(keyOrganization, governing.root.facts().organization)
	}
	standingsIn := organization
	if f.action.CrossesOrganizations {
		standingsIn = AnyOrganization
	}
	if err := f.checkSubject(standingsIn); err != nil {
		return err
	}
	if f.Subject != nil {
		subject := f.builder.subjectIn(f.Subject, organization)
		if f.Subject.ID() == f.request.Subject.ID {
			f.subjectPart = subject.part
		}
		f.members = append(f.members, input.Member{Key: keySubject, Object: subject.fact})
		if f.Current != nil {
			f.add(keyCurrent, subject.standing(f.Current))
		}
		if !f.action.NeedsNoCurrentLocation {
			if f.action.CrossesOrganizations {
				subject = f.Subject.in(AnyOrganization, f.builder.Subjects)
			}
			f.add(keyStandings, f.builder.standingsWith(subject, f.Place))
		}
	} else if f.Current != nil {
		f.add(keyCurrent, f.Current.facts().fact)
	}
	if _, named := PlaceID(f.request); !named && f.Current != nil {
		f.add(keyPlace, f.Current.facts().fact)
	}
	if f.User != nil && (governing != nil || f.action.Model != "") {
		user := f.User.in(organization, f.builder.Users)
		if f.User.ID() == f.request.Resource.ID { // it may have been found by username
			f.userPart = user.part
		}
		f.members = append(f.members, input.Member{Key: keyUser, Object: user.fact})
		f.userFault = f.suspendedIn(organization, f.User)
	}
	return nil
}

func (f *Facts) add(key, term *ast.Term) {
	f.members = append(f.members, value(key, term))
}

// String returns a member that is a string, or "" if it is anything else.
func String(members map[string]any, name string) string {
	s, _ := members[name].(string)
	return s
}

// Strings returns a member that is a list of strings, or an empty list if it is anything else.
func Strings(members map[string]any, name string) []string {
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
