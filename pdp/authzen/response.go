package authzen

import "strconv"

// DecodeResponse decodes the response to one evaluation (PROTOCOL.md section 6). It is strict: the caller must treat an error as a
// denial. Every error is an [*Error].
func DecodeResponse(body []byte) (Response, error) {
	p := newParser(body)
	defer p.release()
	var r rawResponse
	if err := p.topLevelObject(func(name string) error { return r.member(p, name) }); err != nil {
		return Response{}, err
	}
	return r.response("")
}

// DecodeResponses decodes the response to several evaluations (PROTOCOL.md section 7). It may have fewer elements than the request
// if the semantic stops early. Every error is an [*Error].
func DecodeResponses(body []byte) ([]Response, error) {
	p := newParser(body)
	defer p.release()
	var all []Response
	found := false
	err := p.topLevelObject(func(name string) error {
		if name != "evaluations" || p.dec.PeekKind() != '[' {
			return p.skip()
		}
		found = true
		return p.array(func(i int) error {
			pointer := itemIndex(i).pointer()
			if p.dec.PeekKind() != '{' {
				return newError(pointer, "The response is not an object", "send an object")
			}
			var r rawResponse
			if err := p.object(func(name string) error { return r.member(p, name) }); err != nil {
				return err
			}
			one, err := r.response(pointer)
			all = append(all, one)
			return err
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, newError("", quoted("evaluations")+" is missing or not an array", "send an array of responses")
	}
	return all, nil
}

// rawResponse is a response as it was sent.
type rawResponse struct {
	decision   any
	context    map[string]any
	contextErr error
}

func (r *rawResponse) member(p *parser, name string) (err error) {
	switch name {
	case "decision":
		r.decision, err = p.value()
	case "context":
		r.context, err = p.objectMember(func() string { return "" }, name, &r.contextErr)
	default:
		err = p.skip()
	}
	return err
}

func (r *rawResponse) response(pointer string) (Response, error) {
	decision, ok := r.decision.(bool)
	if !ok {
		return Response{}, newError(pointer, quoted("decision")+" is missing or neither true nor false", "send a boolean")
	}
	if r.contextErr != nil {
		return Response{}, r.contextErr
	}
	return Response{Decision: decision, Context: r.context}, nil
}

// SearchResponse is the answer to a search (PROTOCOL.md section 8).
type SearchResponse struct {
	NextToken string // continues the list; "" if it is complete
	Results   []Hit
}

// Hit is a result of a search: an entity, or the name of an action.
type Hit struct {
	Type, ID, Name string
	Properties     map[string]any
	Obligations    []any // as in the context of a [Response]
}

// DecodeSearchResponse decodes the response to a search (PROTOCOL.md section 8). Every error is an [*Error].
func DecodeSearchResponse(body []byte) (SearchResponse, error) {
	m, err := ParseObject(body)
	if err != nil {
		return SearchResponse{}, err
	}
	var r SearchResponse
	if page, ok := m["page"].(map[string]any); ok {
		if r.NextToken, ok = page["next_token"].(string); !ok && page["next_token"] != nil {
			return SearchResponse{}, newError("/page", quoted("next_token")+" is not a string", "send a string")
		}
	} else if m["page"] != nil {
		return SearchResponse{}, newError("", quoted("page")+" is not an object", "send an object, or leave it out")
	}
	results, ok := m["results"].([]any)
	if !ok {
		return SearchResponse{}, newError("", quoted("results")+" is missing or not an array", "send an array")
	}
	for i, element := range results {
		hit, ok := hitOf(element)
		if !ok {
			return SearchResponse{}, newError("/results/"+strconv.Itoa(i), "The result is neither an entity nor an action",
				"send an object with a type and an id, or with a name")
		}
		r.Results = append(r.Results, hit)
	}
	return r, nil
}

func hitOf(element any) (Hit, bool) {
	m, _ := element.(map[string]any)
	h := Hit{}
	h.Type, _ = m["type"].(string)
	h.ID, _ = m["id"].(string)
	h.Name, _ = m["name"].(string)
	var properties, obligations bool
	h.Properties, properties = m["properties"].(map[string]any)
	h.Obligations, obligations = m["obligations"].([]any)
	entity := h.Type != "" && h.ID != ""
	return h, (entity || h.Name != "") && (properties || m["properties"] == nil) && (obligations || m["obligations"] == nil)
}
