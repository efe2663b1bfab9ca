package authzen

import "strconv"

// DecodeEvaluation decodes a request for one evaluation (PROTOCOL.md section 6). Every error is an [*Error].
func DecodeEvaluation(body []byte) (Evaluation, error) {
	p := newParser(body)
	defer p.release()
	q := rawEvaluation{at: topLevel}
	if err := p.topLevelObject(func(name string) error { return q.member(p, name) }); err != nil {
		return Evaluation{}, err
	}
	return q.evaluation()
}

// DecodeClaim decodes a request to claim a guard: an evaluation with the member "guard" (PROTOCOL.md, Guards). Every error is
// an [*Error].
func DecodeClaim(body []byte) (guard string, e Evaluation, err error) {
	p := newParser(body)
	defer p.release()
	q := rawEvaluation{at: topLevel}
	var guardErr error
	err = p.topLevelObject(func(name string) (err error) {
		if name != "guard" {
			return q.member(p, name)
		}
		guard, err = p.stringMember(q.at.pointer, name, &guardErr)
		return err
	})
	if err == nil {
		err = guardErr
	}
	if err != nil {
		return "", Evaluation{}, err
	}
	if guard == "" {
		return "", Evaluation{}, newError("", quoted("guard")+" is missing", "send the token of the answer's context.guard")
	}
	e, err = q.evaluation()
	return guard, e, err
}

// EvaluationOf converts a value returned by [ParseValue] or [ParseObject] to an evaluation, under the rules of
// [DecodeEvaluation]. Every error is an [*Error].
func EvaluationOf(value any) (Evaluation, error) {
	members, ok := value.(map[string]any)
	if !ok || members["subject"] == nil {
		return Evaluation{}, newError("", quoted("subject")+" is missing", "send an object")
	}
	body, err := AppendValue(nil, value)
	if err != nil {
		return Evaluation{}, &Error{Message: "The value cannot be encoded as JSON: pass a value that was parsed from JSON."}
	}
	return DecodeEvaluation(body)
}

// evaluation validates the parts and returns them as an Evaluation.
func (q *rawEvaluation) evaluation() (Evaluation, error) {
	if err := q.subject.check(subjectSpec, q.at); err != nil {
		return Evaluation{}, err
	}
	if err := q.action.check(actionSpec, q.at); err != nil {
		return Evaluation{}, err
	}
	if err := q.resource.check(resourceSpec, q.at); err != nil {
		return Evaluation{}, err
	}
	if q.contextErr != nil {
		return Evaluation{}, q.contextErr
	}
	return Evaluation{
		Subject:  q.subject.entity(),
		Action:   q.action.toAction(),
		Resource: q.resource.entity(),
		Context:  q.context,
	}, nil
}

// applyDefaults fills in missing parts. A part that was sent replaces the whole default; the two are not merged
// (PROTOCOL.md section 7).
func (q *rawEvaluation) applyDefaults(defaults *rawEvaluation) {
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

// DecodeEvaluations decodes a request for several evaluations (PROTOCOL.md section 7). A returned error is an [*Error]
// about the request as a whole; a malformed item carries its own error. A request without evaluations is decoded as by
// [DecodeEvaluation].
func DecodeEvaluations(body []byte) (Batch, error) {
	p := newParser(body)
	defer p.release()
	defaults := rawEvaluation{at: topLevel}
	batch := Batch{Semantic: ExecuteAll}
	var items []rawItem
	err := p.topLevelObject(func(name string) (err error) {
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

// rawItem is an element of evaluations, before defaults are applied: the defaults may follow the array in the body.
type rawItem struct {
	raw rawEvaluation
	err error // set if the element is not an object
}

func (item *rawItem) resolve(defaults *rawEvaluation) Item {
	if item.err != nil {
		return Item{Err: item.err}
	}
	item.raw.applyDefaults(defaults)
	e, err := item.raw.evaluation()
	return Item{Evaluation: e, Err: err}
}

// items reads the elements of evaluations; null is an empty list.
func (p *parser) items() ([]rawItem, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return nil, p.skip()
	case '[', 0:
	default:
		if err := p.skip(); err != nil {
			return nil, err
		}
		return nil, newError("", quoted("evaluations")+" is not an array", "send an array of objects")
	}
	var items []rawItem
	err := p.array(func(i int) error {
		if i == MaxEvaluations {
			return newError("", quoted("evaluations")+" has too many items", "send at most "+strconv.Itoa(MaxEvaluations)+" in a request")
		}
		items = append(items, rawItem{raw: rawEvaluation{at: itemIndex(i)}})
		item := &items[i]
		if p.dec.PeekKind() != '{' {
			// A null element counts as an item, unlike a null member: the response must have as many elements as the request.
			item.err = newError(itemIndex(i).pointer(), "The evaluation is not an object", "send an object")
			return p.skip()
		}
		return p.object(func(name string) error { return item.raw.member(p, name) })
	})
	return items, err
}

// options reads evaluations_semantic and ignores other options (PROTOCOL.md section 7).
func (p *parser) options(s *Semantic) error {
	switch p.dec.PeekKind() {
	case 'n':
		return p.skip()
	case '{', 0:
	default:
		if err := p.skip(); err != nil {
			return err
		}
		return newError("", quoted("options")+" is not an object", "send an object, or leave it out")
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
		return newError("/options", quoted(name)+" has an unknown value",
			`send "execute_all", "deny_on_first_deny" or "permit_on_first_permit"`)
	})
}
