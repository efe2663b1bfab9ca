package authzen

import "strconv"

// DecodeEvaluation reads a request for one evaluation (section 6.1). Every error is an [*Error].
func DecodeEvaluation(body []byte) (Evaluation, error) {
	p := open(body)
	defer p.close()
	q := question{at: top}
	if err := p.message(func(name string) error { return q.member(p, name) }); err != nil {
		return Evaluation{}, err
	}
	return q.evaluation()
}

// EvaluationOf reads a value that [ParseValue] or [ParseObject] gave as one evaluation, by the rules of
// [DecodeEvaluation]. Every error is an [*Error]: the value is no evaluation.
func EvaluationOf(value any) (Evaluation, error) {
	members, ok := value.(map[string]any)
	if !ok || members["subject"] == nil {
		return Evaluation{}, fail("", quoted("subject")+" is missing", "send an object")
	}
	body, err := AppendValue(nil, value)
	if err != nil {
		return Evaluation{}, &Error{Message: "The value cannot be written as JSON: send what has been parsed."}
	}
	return DecodeEvaluation(body)
}

// evaluation checks a question and gives it.
func (q *question) evaluation() (Evaluation, error) {
	if err := q.subject.check(subjectForm, q.at); err != nil {
		return Evaluation{}, err
	}
	if err := q.action.check(actionForm, q.at); err != nil {
		return Evaluation{}, err
	}
	if err := q.resource.check(resourceForm, q.at); err != nil {
		return Evaluation{}, err
	}
	if q.contextErr != nil {
		return Evaluation{}, q.contextErr
	}
	return Evaluation{
		Subject:  q.subject.entity(),
		Action:   q.action.asAction(),
		Resource: q.resource.entity(),
		Context:  q.context,
	}, nil
}

// or fills what a question leaves out from the defaults: whole parts, nothing is merged below (section 7.1.1).
func (q *question) or(defaults *question) {
	if !q.subject.sent {
		q.subject = defaults.subject
	}
	if !q.action.sent {
		q.action = defaults.action
	}
	if !q.resource.sent {
		q.resource = defaults.resource
	}
	if q.context == nil && q.contextErr == nil {
		q.context, q.contextErr = defaults.context, defaults.contextErr
	}
}

// DecodeEvaluations reads a request for several evaluations (section 7.1). Its error, an [*Error], is about the request
// as a whole; a malformed item has its own. Without evaluations, it is read as [DecodeEvaluation] would.
func DecodeEvaluations(body []byte) (Batch, error) {
	p := open(body)
	defer p.close()
	defaults := question{at: top}
	batch := Batch{Semantic: ExecuteAll}
	var items []sentItem
	err := p.message(func(name string) (err error) {
		switch name {
		case "evaluations":
			items, err = p.items()
		case "options":
			err = p.options(&batch.Semantic)
		default:
			err = defaults.member(p, name)
		}
		return err
	})
	if err != nil {
		return Batch{}, err
	}
	if len(items) == 0 {
		e, err := defaults.evaluation()
		if err != nil {
			return Batch{}, err
		}
		batch.Single, batch.Items = true, []Item{{Evaluation: e}}
		return batch, nil
	}
	batch.Items = make([]Item, len(items))
	for i := range items {
		batch.Items[i] = items[i].resolve(&defaults)
	}
	return batch, nil
}

// sentItem is an element of evaluations. It is resolved last, since the defaults may come after it.
type sentItem struct {
	question question
	err      error // where it is not even an object
}

func (s *sentItem) resolve(defaults *question) Item {
	if s.err != nil {
		return Item{Err: s.err}
	}
	s.question.or(defaults)
	e, err := s.question.evaluation()
	return Item{Evaluation: e, Err: err}
}

func (p *parser) items() ([]sentItem, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return nil, p.skip()
	case '[', 0:
	default:
		if err := p.skip(); err != nil {
			return nil, err
		}
		return nil, fail("", quoted("evaluations")+" is not an array", "send an array of objects")
	}
	var items []sentItem
	err := p.array(func(i int) error {
		if i == MaxEvaluations {
			return fail("", quoted("evaluations")+" has too many items", "send at most "+strconv.Itoa(MaxEvaluations)+" in a request")
		}
		items = append(items, sentItem{question: question{at: place(i)}})
		item := &items[i]
		if p.dec.PeekKind() != '{' {
			// Not even null counts as absent here: the answers must be as many as the questions.
			item.err = fail(place(i).pointer(), "The evaluation is not an object", "send an object")
			return p.skip()
		}
		return p.object(func(name string) error { return item.question.member(p, name) })
	})
	return items, err
}

// options reads the one option that we know (section 7.1.2).
func (p *parser) options(s *Semantic) error {
	switch p.dec.PeekKind() {
	case 'n':
		return p.skip()
	case '{', 0:
	default:
		if err := p.skip(); err != nil {
			return err
		}
		return fail("", quoted("options")+" is not an object", "send an object, or leave it out")
	}
	return p.object(func(name string) error {
		if name != "evaluations_semantic" {
			return p.skip()
		}
		v, err := p.value()
		if err != nil || v == nil {
			return err
		}
		text, _ := v.(string)
		switch Semantic(text) {
		case ExecuteAll, DenyOnFirstDeny, PermitOnFirstPermit:
			*s = Semantic(text)
			return nil
		}
		return fail("/options", quoted(name)+" has a value that is not known",
			`send "execute_all", "deny_on_first_deny" or "permit_on_first_permit"`)
	})
}
