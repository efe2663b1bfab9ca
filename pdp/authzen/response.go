package authzen

// DecodeResponse reads the answer to one evaluation (section 6.2), strictly: what is not clearly an answer is an error,
// and the caller must take it for a denial. Every error is an [*Error].
func DecodeResponse(body []byte) (Response, error) {
	p := open(body)
	defer p.close()
	var r sentResponse
	if err := p.message(func(name string) error { return r.member(p, name) }); err != nil {
		return Response{}, err
	}
	return r.response("")
}

// DecodeResponses reads the answer to several evaluations (section 7.2). There may be fewer of them than questions
// where the semantic is to stop early. Every error is an [*Error].
func DecodeResponses(body []byte) ([]Response, error) {
	p := open(body)
	defer p.close()
	var all []Response
	found := false
	err := p.message(func(name string) error {
		if name != "evaluations" || p.dec.PeekKind() != '[' {
			return p.skip()
		}
		found = true
		return p.array(func(i int) error {
			pointer := place(i).pointer()
			if p.dec.PeekKind() != '{' {
				return fail(pointer, "The answer is not an object", "send an object")
			}
			var r sentResponse
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
		return nil, fail("", quoted("evaluations")+" is missing or not an array", "send an array of answers")
	}
	return all, nil
}

// sentResponse is an answer as it was sent.
type sentResponse struct {
	decision   any
	context    map[string]any
	contextErr error
}

func (r *sentResponse) member(p *parser, name string) (err error) {
	switch name {
	case "decision":
		r.decision, err = p.value()
	case "context":
		r.context, err = p.free(func() string { return "" }, name, &r.contextErr)
	default:
		err = p.skip()
	}
	return err
}

func (r *sentResponse) response(pointer string) (Response, error) {
	decision, ok := r.decision.(bool)
	if !ok {
		return Response{}, fail(pointer, quoted("decision")+" is missing or neither true nor false", "send a boolean")
	}
	if r.contextErr != nil {
		return Response{}, r.contextErr
	}
	return Response{Decision: decision, Context: r.context}, nil
}
