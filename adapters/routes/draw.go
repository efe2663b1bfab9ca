package routes

import "github.com/wardkeeper/wardkeeper/pdp/authzen"

// drawing turns one request into a question.
type drawing struct {
	request *Request
	route   *route
	target  target
	claims  map[string]any
	body    any
	hasBody bool
}

// evaluation draws every value of the question.
func (d *drawing) evaluation(t *Table, subject string) (authzen.Evaluation, error) {
	r := d.route
	if len(r.drawnQuery) > 0 {
		if err := checkQuery(d.target.query); err != nil {
			return authzen.Evaluation{}, err
		}
		if err := checkNoForm(d.request.Header); err != nil {
			return authzen.Evaluation{}, err
		}
	}
	if r.DrawsBody {
		var err error
		if d.body, d.hasBody, err = readBody(d.request); err != nil {
			return authzen.Evaluation{}, err
		}
		if err := checkMembers(d.body, r.drawnQuery); err != nil {
			return authzen.Evaluation{}, err
		}
	}
	e := authzen.Evaluation{
		Subject:  authzen.Entity{Type: "user", ID: subject},
		Resource: authzen.Entity{Type: r.ResourceType},
		Context:  make(map[string]any, 3),
	}
	e.Context["supported_obligations"] = t.obligations
	action, _, err := d.draw(r.action, textForm)
	if err != nil {
		return authzen.Evaluation{}, err
	}
	e.Action.Name = action.(string)
	id, _, err := d.draw(r.id, textForm)
	if err != nil {
		return authzen.Evaluation{}, err
	}
	e.Resource.ID = id.(string)
	for _, part := range [...]struct {
		members []member
		form    form
		object  *map[string]any
	}{
		{r.properties, anyForm, &e.Action.Properties},
		{r.resourceProperties, anyForm, &e.Resource.Properties},
		{r.places, textForm, &e.Resource.Properties},
		{r.currentLocation, textForm, &e.Context},
		{r.confirmed, booleanForm, &e.Context},
		{r.atLeast, textForm, &e.Context},
	} {
		if err := d.members(part.members, part.form, part.object); err != nil {
			return authzen.Evaluation{}, err
		}
	}
	return e, nil
}

// members draws members into an object, which it creates if needed.
func (d *drawing) members(members []member, f form, object *map[string]any) error {
	for _, m := range members {
		v, ok, err := d.draw(m.value, f)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if *object == nil {
			*object = make(map[string]any, len(members))
		}
		(*object)[m.name] = v
	}
	return nil
}

// draw returns a value in its form; ok is false if it is optional and absent.
func (d *drawing) draw(v *value, f form) (drawn any, ok bool, err error) {
	switch v.source {
	case fromFile:
		return v.literal, true, nil
	case fromPath:
		text := d.route.template.parameter(d.target.path, v.segment)
		drawn, ok = text, text != ""
	case fromQuery:
		drawn, ok, err = drawnText(parameter(d.target.query, v.name))
	case fromHeader:
		drawn, ok, err = drawnText(drawnHeader(d.request.Header, v.name))
	case fromClaim:
		drawn = d.claims[v.name]
		ok = drawn != nil
	case fromBody:
		if d.hasBody {
			drawn, ok, err = lookUp(d.body, v.pointer)
		}
	}
	switch {
	case err != nil:
		return nil, false, err
	case !ok && v.optional:
		return nil, false, nil
	case !ok:
		return nil, false, v.fault("is missing")
	}
	drawn, problem := f.convert(drawn)
	if problem != "" {
		return nil, false, v.fault(problem)
	}
	return drawn, true, nil
}

// drawnText converts the text to any, and leaves ok and err as they are.
func drawnText(text string, ok bool, err error) (any, bool, error) { return text, ok, err }

// fault returns the error for a value that is missing or malformed.
func (v *value) fault(problem string) *Error {
	switch v.source {
	case fromPath:
		return badRequest("The part " + v.name + " of the path " + problem + ".")
	case fromQuery:
		return badRequest("The query parameter " + v.name + " " + problem + ".")
	case fromHeader:
		return badRequest("The header " + v.name + " " + problem + ".")
	case fromClaim:
		return unauthenticated("The claim " + v.name + " of the token " + problem + ".")
	}
	return badRequest("The value at " + v.name + " of the body " + problem + ".")
}
