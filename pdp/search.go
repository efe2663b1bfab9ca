package pdp

import (
	"context"
	"iter"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// What a search looks for.
const (
	subjectSearch  = "subject"
	resourceSearch = "resource"
	actionSearch   = "action"
)

// candidate is one possible hit. The question it makes is asked of the policy: no search has rules of its own.
type candidate struct {
	hit    Hit
	cursor Cursor
	asks   func(ctx context.Context) (bool, error)
	// owes gives the decision that the hit stands for, whose obligations go with it. It is asked of hits alone.
	owes func(ctx context.Context) (Decision, error)
	// open says that the hit is allowed with suitable properties, which the decision may lack.
	open bool
}

// carried is a hit with its obligations; false where the decision does not bear the hit out.
func (c *candidate) carried(ctx context.Context) (Hit, bool, error) {
	d, err := c.owes(ctx)
	hit := c.hit
	if d.Allow {
		hit.Obligations = d.Obligations
	}
	return hit, d.Allow || c.open, err
}

// candidates are tried in the order of the list. Each yields an error where the list cannot go on.
type candidates = iter.Seq2[candidate, error]

// SearchSubjects lists who may do an action to a resource: the access review (DOMAIN.md section 8). Without a current
// location it lists those who may from some location where they can stand.
func (e *Engine) SearchSubjects(ctx context.Context, r SearchRequest) (SearchResult, error) {
	return e.search(ctx, subjectSearch, r, (*sitting).subjects)
}

// SearchResources lists on what a subject may do an action (DOMAIN.md section 8).
func (e *Engine) SearchResources(ctx context.Context, r SearchRequest) (SearchResult, error) {
	return e.search(ctx, resourceSearch, r, (*sitting).resources)
}

// SearchActions lists what a subject may do to a resource with suitable properties (DOMAIN.md section 8).
func (e *Engine) SearchActions(ctx context.Context, r SearchRequest) (SearchResult, error) {
	return e.search(ctx, actionSearch, r, (*sitting).actionsOn)
}

// search pages through the candidates, under one revision and one state of the directory. What is searched for is no
// part of the request. Whatever goes wrong, a panic included, is an error.
func (e *Engine) search(ctx context.Context, kind string, r SearchRequest,
	find func(*sitting, context.Context, SearchRequest, listing) (candidates, error),
) (result SearchResult, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			e.log.ErrorContext(ctx, "a search panicked", "cause", cause, "stack", string(debug.Stack()))
			result, err = SearchResult{}, &Error{Kind: Internal, Message: "The search could not be answered."}
		}
	}()
	switch kind {
	case subjectSearch:
		r.Subject.ID = ""
	case resourceSearch:
		r.Resource.ID = ""
	case actionSearch:
		r.Action = authzen.Action{}
	}
	list, err := readListing(kind, r)
	if err != nil {
		return SearchResult{}, err
	}
	s, err := e.sit(ctx, r.evaluation())
	if err != nil {
		return SearchResult{}, err
	}
	if _, err := s.need(r.evaluation()); err != nil {
		return SearchResult{}, err
	}
	switch kind {
	case subjectSearch:
		s.keep.subject = nil
	case resourceSearch:
		s.keep.user = nil
	}
	s.share([]Request{r.evaluation(), r.evaluation()}) // all candidates do
	if !s.administers() {
		find = (*sitting).offered
	}
	all, err := find(s, ctx, r, list)
	if err != nil {
		return SearchResult{}, asError(ctx, err)
	}
	return list.page(ctx, all)
}

// evaluation is the question that a search asks of one candidate.
func (r SearchRequest) evaluation() Request {
	return Request{Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context}
}

// actionsOn tries every action of the catalogue on the type of resource.
func (s *sitting) actionsOn(_ context.Context, r SearchRequest, list listing) (candidates, error) {
	var all []candidate
	for _, name := range s.actions(r.Resource.Type) {
		question := r.evaluation()
		question.Action = authzen.Action{Name: name}
		all = append(all, candidate{
			hit:  Hit{Name: name},
			open: true,
			asks: func(ctx context.Context) (bool, error) { return s.may(ctx, question, s.possible) },
			owes: func(ctx context.Context) (Decision, error) { return s.decide(ctx, question) },
		})
	}
	return list.inMemory(all), nil
}

// resources tries the users or locations that can be meant.
func (s *sitting) resources(ctx context.Context, r SearchRequest, list listing) (candidates, error) {
	switch {
	case s.view == nil: // without facts there is nobody and nothing
	case r.Resource.Type == "user":
		return s.usersAsResources(ctx, r, list)
	case r.Resource.Type == "location":
		return s.locationsAsResources(ctx, r, list)
	}
	return none, nil
}

// usersAsResources tries the users covered by the location that the search narrows to, by default the current one.
func (s *sitting) usersAsResources(ctx context.Context, r SearchRequest, list listing) (candidates, error) {
	question := r.evaluation()
	question.Resource.Properties = maps.Clone(r.Resource.Properties)
	delete(question.Resource.Properties, "location") // it narrows, and is not the place of the evaluations
	current, err := s.standingOf(ctx, question)
	if err != nil || current == nil {
		return none, err
	}
	within := current
	if id, named := locationID(r.Resource.Properties, "location"); named {
		g := gathering{view: s.view, tolerant: s.sees != nil}
		if within, err = g.known(ctx, id); err != nil || within == nil {
			return none, err
		}
	}
	if within, err = s.inScope(ctx, question, within); err != nil || within == nil {
		return none, err
	}
	return list.users(ctx, s.view, within.ID(), func(u *User) candidate {
		asked := question
		asked.Resource.ID = u.ID()
		return candidate{
			hit:  Hit{Type: "user", ID: u.ID(), Properties: list.userFields(u, current.Organization())},
			asks: func(ctx context.Context) (bool, error) { return s.may(ctx, asked, s.allow) },
			owes: func(ctx context.Context) (Decision, error) { return s.decide(ctx, asked) },
		}
	}), nil
}

// standingOf is where the subject says, or is taken, to stand; nil where that is unknown.
func (s *sitting) standingOf(ctx context.Context, question Request) (*Location, error) {
	g := gathering{view: s.view, request: question, tolerant: s.sees != nil}
	if err := g.people(ctx); err != nil {
		return nil, err
	}
	err := g.places(ctx)
	return g.current, err
}

// inScope narrows a location to where the policy says that hits can be at all; nil where they cannot.
func (s *sitting) inScope(ctx context.Context, question Request, within *Location) (*Location, error) {
	question.Resource.ID = question.Subject.ID // anybody will do: a scope depends on no resource
	term, err := s.ask(ctx, question, s.scope)
	if err != nil || term == nil {
		return nil, err
	}
	id, err := readText(term)
	if err != nil {
		return nil, err
	}
	scope, err := s.view.Location(ctx, id)
	switch {
	case err != nil || scope == nil || scope.Organization() != within.Organization():
		return nil, err
	case scope.CoveredBy(within.ID()):
		return scope, nil
	}
	return within, nil // beneath the scope, or beside it: users can be assigned to both
}

// locationsAsResources tries the locations of the organizations that can be meant, by ascending id.
func (s *sitting) locationsAsResources(ctx context.Context, r SearchRequest, list listing) (candidates, error) {
	question := r.evaluation()
	var roots []string
	switch entry := s.catalogue[r.Action.Name]; {
	case entry.crossesOrganizations:
		roots = []string{""}
	case entry.needsNoCurrent:
		subject, err := s.view.User(ctx, r.Subject.ID)
		if err != nil || subject == nil {
			return none, err
		}
		roots = subject.organizations()
	default:
		current, err := s.standingOf(ctx, question)
		if err != nil || current == nil {
			return none, err
		}
		roots = []string{current.Organization()}
	}
	found, err := s.locationsBeneath(ctx, roots, list.after.ID)
	if err != nil {
		return none, err
	}
	all := make([]candidate, len(found))
	for i, l := range found {
		asked := question
		asked.Resource.ID = l.ID()
		all[i] = candidate{
			hit:    Hit{Type: "location", ID: l.ID(), Properties: list.locationFields(l)},
			cursor: Cursor{ID: l.ID()},
			asks:   func(ctx context.Context) (bool, error) { return s.may(ctx, asked, s.allow) },
			owes:   func(ctx context.Context) (Decision, error) { return s.decide(ctx, asked) },
		}
	}
	return sequence(all), nil
}

// locationsBeneath lists the locations of some trees by ascending id, behind one of them.
func (s *sitting) locationsBeneath(ctx context.Context, roots []string, after string) ([]*Location, error) {
	var all []*Location
	for _, root := range roots {
		q := LocationQuery{Beneath: root, After: after, Limit: stretch}
		for {
			if err := next(ctx); err != nil {
				return nil, err
			}
			found, err := s.view.Locations(ctx, q)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
			if len(found) < q.Limit {
				break
			}
			q.After = found[len(found)-1].ID()
		}
	}
	slices.SortFunc(all, func(a, b *Location) int { return strings.Compare(a.ID(), b.ID()) })
	return all, nil
}
