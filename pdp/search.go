package pdp

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/paging"
)

// The kinds of searches.
const (
	subjectSearch  = "subject"
	resourceSearch = "resource"
	actionSearch   = "action"
)

// candidate is one possible hit. The policy decides on each: searches have no rules of their own.
type candidate struct {
	hit    Hit
	cursor facts.Cursor // the position right after the candidate
	// suspended is the id of a user of whom it cannot be said whether this is a hit. The candidate then has nothing else.
	suspended string
	// matches reports whether the candidate is a hit.
	matches func(ctx context.Context) (bool, error)
	// decide returns the decision that the hit represents, for its obligations. It is called only for hits.
	decide func(ctx context.Context) (Decision, error)
	// needsProperties says that the hit is allowed with suitable properties. Without them it may be denied.
	needsProperties bool
}

// complete adds the obligations to a hit. It returns ok == false if the decision denies the hit after all.
func (c *candidate) complete(ctx context.Context) (hit Hit, ok bool, err error) {
	d, err := c.decide(ctx)
	hit = c.hit
	if d.Allow {
		hit.Obligations = d.Obligations
	}
	return hit, d.Allow || c.needsProperties, err
}

// candidates are in the order of the list. They end at the first error.
type candidates = iter.Seq2[candidate, error]

// SearchSubjects lists the subjects that may do an action to a resource: the access review
// (policies/DOMAIN.md section 8). Without a current location it lists those that may do so from at least one location
// where they can stand.
func (e *Engine) SearchSubjects(ctx context.Context, r SearchRequest) (SearchResult, error) {
	r.Subject.ID = ""
	return e.search(ctx, subjectSearch, r, (*evaluation).subjects)
}

// SearchResources lists the resources to which a subject may do an action (policies/DOMAIN.md section 8).
func (e *Engine) SearchResources(ctx context.Context, r SearchRequest) (SearchResult, error) {
	r.Resource.ID = ""
	return e.search(ctx, resourceSearch, r, (*evaluation).resources)
}

// SearchActions lists the actions that a subject may do to a resource, given suitable properties
// (policies/DOMAIN.md section 8).
func (e *Engine) SearchActions(ctx context.Context, r SearchRequest) (SearchResult, error) {
	r.Action = authzen.Action{}
	return e.search(ctx, actionSearch, r, (*evaluation).actions)
}

// finder finds the candidates of a search.
type finder func(*evaluation, context.Context, SearchRequest, *listing) (candidates, error)

// search answers a search. It has one record, whatever the number of candidates.
func (e *Engine) search(ctx context.Context, kind string, r SearchRequest, find finder) (SearchResult, error) {
	if e.recorder == nil {
		return e.list(ctx, kind, r, find, nil)
	}
	records := newRecords(ctx, 1)
	record := &records[0]
	record.Question, record.Search = r.question(), kind
	result, err := e.list(ctx, kind, r, find, record)
	record.Result = result
	record.endWith(err)
	if failed := e.record(ctx, records); failed != nil {
		return SearchResult{}, failed
	}
	return result, err
}

// list pages through the candidates under one policy and one view of the directory. The error is an [*Error], even after
// a panic.
func (e *Engine) list(ctx context.Context, kind string, r SearchRequest, find finder, record *Record) (result SearchResult, err error) {
	defer e.recovered(ctx, "a search panicked", &err)
	page, err := paging.Read(kind, r.question(), r.Page, e.keys)
	if err != nil {
		return SearchResult{}, asError(ctx, err)
	}
	list := &listing{kind, page}
	ev, err := e.beginWithin(ctx, r.question())
	if err != nil {
		return SearchResult{}, err
	}
	if record != nil {
		record.Policy = ev.Policy
	}
	// The facts of candidates are not kept, because a list has too many.
	switch kind {
	case subjectSearch:
		ev.facts.Subjects = nil
	case resourceSearch:
		ev.facts.Users = nil
	}
	ev.facts.Share([]Request{r.question(), r.question()})
	if !ev.hasCatalogue() {
		find = (*evaluation).offered
	}
	all, err := find(ev, ctx, r, list)
	if err != nil {
		return SearchResult{}, asError(ctx, err)
	}
	return list.fill(ctx, all)
}

// may reports whether a rule for lists is true for a question. It is cheap because no reasons are computed.
func (ev *evaluation) may(ctx context.Context, r Request, query *bundles.Query) (bool, error) {
	term, err := ev.askOne(ctx, r, query)
	return err == nil && term != nil && ast.Boolean(true).Compare(term.Value) == 0, err
}

// actions returns the actions of the catalogue on the type of resource.
func (ev *evaluation) actions(_ context.Context, r SearchRequest, list *listing) (candidates, error) {
	var all []candidate
	for _, name := range ev.actionsOn(r.Resource.Type) {
		question := r.question()
		question.Action = authzen.Action{Name: name}
		all = append(all, candidate{
			hit:             Hit{Name: name},
			needsProperties: true,
			matches:         func(ctx context.Context) (bool, error) { return ev.may(ctx, question, ev.possible) },
			decide:          func(ctx context.Context) (Decision, error) { return ev.decideOne(ctx, question) },
		})
	}
	return list.inMemory(all), nil
}

// resources returns the users or locations that the question can be about.
func (ev *evaluation) resources(ctx context.Context, r SearchRequest, list *listing) (candidates, error) {
	switch {
	case ev.facts.View == nil: // without facts there are no candidates
	case r.Resource.Type == "user":
		return ev.usersAsResources(ctx, r, list)
	case r.Resource.Type == "location":
		return ev.locationsAsResources(ctx, r, list)
	}
	return none, nil
}

// resource returns a candidate for a resource search.
func (ev *evaluation) resource(question Request, hit Hit) candidate {
	question.Resource.ID = hit.ID
	return ev.decided(hit, func(ctx context.Context) (Request, bool, error) {
		ok, err := ev.may(ctx, question, ev.allow)
		return question, ok, err
	}, &question)
}

// decided returns a candidate that is tested by a question. In most lists, hits follow hits, and a hit needs the whole
// decision anyway. So after a hit, the decision itself is asked for if the question is known; after any other candidate, ask
// is called, which is cheaper for what is no hit. It returns the question that was allowed.
func (ev *evaluation) decided(hit Hit, ask func(ctx context.Context) (Request, bool, error), question *Request) candidate {
	var d Decision
	var allowed Request
	known := false
	return candidate{
		hit: hit,
		matches: func(ctx context.Context) (ok bool, err error) {
			if ev.lastMatched && question != nil {
				length := ev.answered
				if d, err = ev.decideOne(ctx, *question); !d.Allow {
					ev.answered = length // denials are not returned
				}
				ok, known = d.Allow, true
			} else {
				allowed, ok, err = ask(ctx)
			}
			ev.lastMatched = ok
			return ok, err
		},
		decide: func(ctx context.Context) (Decision, error) {
			if known {
				return d, nil
			}
			return ev.decideOne(ctx, allowed)
		},
	}
}

// usersAsResources returns the users covered by the location to which the search is narrowed, by default the current
// one.
func (ev *evaluation) usersAsResources(ctx context.Context, r SearchRequest, list *listing) (candidates, error) {
	question := r.question()
	question.Resource.Properties = maps.Clone(r.Resource.Properties)
	delete(question.Resource.Properties, "location") // it narrows the search, and is not the place of the decisions
	located, err := ev.facts.Locate(ctx, question, facts.Action{})
	if err != nil || located.Current == nil {
		return none, err
	}
	current := located.Current
	within := current
	if id, named := facts.LocationID(r.Resource.Properties, "location"); named {
		if within, err = ev.facts.Location(ctx, id); err != nil || within == nil {
			return none, err
		}
	}
	scope, err := ev.scopeOf(ctx, question)
	if err != nil || scope == nil {
		return none, err
	}
	if within, err = ev.narrowTo(ctx, scope.location, within); err != nil || within == nil {
		return none, err
	}
	return list.users(ctx, ev.facts.View, within.ID(), scope.Only, func(u *facts.User) candidate {
		if u.ID() == scope.except {
			return candidate{matches: never}
		}
		return ev.resource(question, Hit{Type: "user", ID: u.ID(), Properties: list.UserFields(u, current.Organization())})
	}), nil
}

// narrowTo narrows a location to where the policy can have hits. It returns nil if there can be none.
func (ev *evaluation) narrowTo(ctx context.Context, id string, within *facts.Location) (*facts.Location, error) {
	scope, err := ev.facts.View.Location(ctx, id)
	switch {
	case err != nil || scope == nil || scope.Organization() != within.Organization():
		return nil, err
	case scope.CoveredBy(within.ID()):
		return scope, nil
	}
	return within, nil // within is below the scope or unrelated to it: a user can be assigned to both
}

// locationsAsResources returns the locations of the organizations that the question can be about, by ascending id.
func (ev *evaluation) locationsAsResources(ctx context.Context, r SearchRequest, list *listing) (candidates, error) {
	question := r.question()
	var roots []string
	switch a := ev.catalogue[r.Action.Name]; {
	case a.CrossesOrganizations:
		roots = []string{facts.AnyOrganization}
	case a.NeedsNoCurrentLocation:
		subject, err := ev.facts.View.User(ctx, r.Subject.ID)
		if err != nil || subject == nil {
			return none, err
		}
		for _, a := range subject.Assignments() {
			roots = append(roots, a.At.Organization())
		}
		slices.Sort(roots)
		roots = slices.Compact(roots)
	default:
		located, err := ev.facts.Locate(ctx, question, facts.Action{})
		if err != nil || located.Current == nil {
			return none, err
		}
		roots = []string{located.Current.Organization()}
	}
	found, err := ev.locationsBeneath(ctx, roots, list.After.ID)
	if err != nil {
		return none, err
	}
	all := make([]candidate, len(found))
	for i, l := range found {
		all[i] = ev.resource(question, Hit{Type: "location", ID: l.ID(), Properties: list.LocationFields(l)})
		all[i].cursor = facts.Cursor{ID: l.ID()}
	}
	return sequence(all), nil
}

// locationsBeneath returns the locations of some trees with ids greater than after, by ascending id.
func (ev *evaluation) locationsBeneath(ctx context.Context, roots []string, after string) ([]*facts.Location, error) {
	var all []*facts.Location
	var task longTask
	for _, root := range roots {
		q := facts.LocationQuery{Beneath: root, After: after, Limit: maxCandidatesPerQuery}
		for {
			if err := task.step(ctx); err != nil {
				return nil, err
			}
			found, err := ev.facts.View.Locations(ctx, q)
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
	slices.SortFunc(all, func(a, b *facts.Location) int { return strings.Compare(a.ID(), b.ID()) })
	return all, nil
}

// offered returns the candidates that a policy without a catalogue offers in the sets next to its entrypoint:
// candidates.subject[type], candidates.resource[type] and candidates.action[resource type] (pdp/authzen/PROTOCOL.md).
func (ev *evaluation) offered(ctx context.Context, r SearchRequest, list *listing) (candidates, error) {
	offers := map[string]bool{subjectSearch: ev.offers.Subjects, resourceSearch: ev.offers.Resources, actionSearch: ev.offers.Actions}
	if !offers[list.kind] {
		return none, &Error{Kind: NotOffered, Message: "The policy has no candidates for this search: see the metadata."}
	}
	term, err := ev.askOne(ctx, r.question(), ev.candidates)
	if err != nil || term == nil {
		return none, err
	}
	kind := r.Resource.Type
	if list.kind == subjectSearch {
		kind = r.Subject.Type
	}
	set, err := term.Value.Find(ast.Ref{ast.StringTerm(list.kind), ast.StringTerm(kind)})
	if err != nil {
		return none, nil // the policy offers no candidates of this type
	}
	ids, err := readStrings(set)
	if err != nil {
		return none, &Error{Kind: Internal, Message: "The policy's candidates could not be read.", Err: err}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	all := make([]candidate, len(ids))
	for i, id := range ids {
		all[i] = ev.newCandidate(list.kind, r, id)
	}
	return list.inMemory(all), nil
}

func (ev *evaluation) newCandidate(kind string, r SearchRequest, id string) candidate {
	question, hit := r.question(), Hit{ID: id}
	switch kind {
	case subjectSearch:
		question.Subject.ID, hit.Type = id, r.Subject.Type
	case resourceSearch:
		question.Resource.ID, hit.Type = id, r.Resource.Type
	default:
		question.Action = authzen.Action{Name: id}
		hit = Hit{Name: id}
	}
	var d Decision
	return candidate{
		hit: hit,
		matches: func(ctx context.Context) (_ bool, err error) {
			length := ev.answered
			if d, err = ev.decideOne(ctx, question); !d.Allow {
				ev.answered = length // denials are not returned
			}
			return d.Allow, err
		},
		decide: func(context.Context) (Decision, error) { return d, nil },
	}
}
