package decisionrecord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// ErrCannotReplay reports that a record does not have what it takes to decide its question again. It is wrapped by an error that
// says why.
var ErrCannotReplay = errors.New("cannot be decided again")

type cannotReplay string

func (c cannotReplay) Error() string { return string(c) }

// Is makes [errors.Is] find [ErrCannotReplay].
func (c cannotReplay) Is(target error) bool { return target == ErrCannotReplay }

// Replay decides the question of a record again, over the facts in it. It returns what the policy answers, and whether that is
// what the record says. The caller limits the time with ctx.
func (e *Entry) Replay(ctx context.Context, p *pdp.Policy) (is *Answer, same bool, err error) {
	switch {
	case e.Search != nil:
		return nil, false, cannotReplay("searches are not decided again")
	case e.Document != nil:
		return nil, false, cannotReplay("it is not a decision")
	case e.Failed, e.Erased != nil, e.Masked != nil:
		return nil, false, cannotReplay("the policy hid parts of it")
	case e.Error != nil, e.Answer == nil:
		return nil, false, cannotReplay("there was no decision")
	case e.Question == nil:
		return nil, false, cannotReplay("it has no question")
	case e.NoFacts:
		return nil, false, cannotReplay("its facts were left out")
	}
	in := map[string]any{}
	for name, part := range e.Question {
		in[name] = part
	}
	if e.Facts != nil {
		in["facts"] = e.Facts
	}
	d, err := p.Replay(ctx, in)
	if err != nil {
		return nil, false, err
	}
	encoded := appendAnswer(nil, &private{verbatim: true}, &d, usernames{})
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	is = &Answer{}
	if err := decoder.Decode(is); err != nil {
		return nil, false, err
	}
	return is, e.Answer.Equal(is), nil
}

// Equal reports whether a record has an answer as a replay returns it; nil is no answer.
func (a *Answer) Equal(other *Answer) bool {
	if a == nil || other == nil {
		return a == other
	}
	return a.Allow == other.Allow && a.Fault == other.Fault && sameList(a.Reasons, other.Reasons) &&
		sameList(a.Obligations, other.Obligations) && sameList(a.Advice, other.Advice)
}

func sameList(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameValue(a[i], b[i]) {
			return false
		}
	}
	return true
}

// sameValue compares a value of a record with the one of a replay. A text that the record hides is the same as any that is not
// in the record: the policy then took it from its own data.
func sameValue(was, is any) bool {
	switch was := was.(type) {
	case string:
		text, ok := is.(string)
		return ok && (was == text || strings.HasPrefix(was, hidden) && !strings.HasPrefix(text, hidden))
	case []any:
		list, ok := is.([]any)
		return ok && sameList(was, list)
	case map[string]any:
		members, ok := is.(map[string]any)
		if !ok || len(members) != len(was) {
			return false
		}
		for name, value := range was {
			other, ok := members[name]
			if !ok || !sameValue(value, other) {
				return false
			}
		}
		return true
	}
	return was == is
}
