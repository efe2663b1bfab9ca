package authzen

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
