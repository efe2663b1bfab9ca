package pdp

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// offered tries what a general policy offers in the sets beside its entrypoint: candidates.subject[type],
// candidates.resource[type] and candidates.action[resource type] (AUTHZEN.md, policies that are not ours).
func (s *sitting) offered(ctx context.Context, r SearchRequest, list listing) (candidates, error) {
	offered := map[string]bool{subjectSearch: s.offers.Subjects, resourceSearch: s.offers.Resources, actionSearch: s.offers.Actions}
	if !offered[list.kind] {
		return none, &Error{Kind: NotOffered, Message: "The policy has no candidates for this search: see the metadata."}
	}
	term, err := s.ask(ctx, r.evaluation(), s.candidates)
	if err != nil || term == nil {
		return none, err
	}
	kind := map[string]string{subjectSearch: r.Subject.Type, resourceSearch: r.Resource.Type, actionSearch: r.Resource.Type}[list.kind]
	set, err := term.Value.Find(ast.Ref{ast.StringTerm(list.kind), ast.StringTerm(kind)})
	if err != nil {
		return none, nil // the policy offers none of this type
	}
	ids, err := readTexts(set)
	if err != nil {
		return none, &Error{Kind: Internal, Message: "The policy's candidates could not be read.", Err: err}
	}
	all := make([]candidate, len(ids))
	for i, id := range ids {
		all[i] = s.offer(list.kind, r, id)
	}
	return list.inMemory(all), nil
}

func (s *sitting) offer(kind string, r SearchRequest, id string) candidate {
	question, hit := r.evaluation(), Hit{ID: id}
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
		asks: func(ctx context.Context) (_ bool, err error) {
			d, err = s.tried(ctx, question)
			return d.Allow, err
		},
		owes: func(context.Context) (Decision, error) { return d, nil },
	}
}

func readTexts(value ast.Value) ([]string, error) {
	list, err := readList("candidates", ast.NewTerm(value))
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(list))
	for _, element := range list {
		id, ok := element.(string)
		if !ok {
			return nil, errors.New("a candidate is no text")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func readText(term *ast.Term) (string, error) {
	s, ok := term.Value.(ast.String)
	if !ok {
		return "", &Error{Kind: Internal, Message: "The policy's scope could not be read.", Err: errors.New("it is no text")}
	}
	return string(s), nil
}
