package review

import (
	"fmt"
	"math"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// questions asks some questions and collects the rows that they are part of.
type questions struct {
	*run
	subject *facts.User
	by      *location // where the assignment is held that has to give what is asked, or make the difference; nil for any
	repeated
}

// repeated are questions that may have been asked before, of people and places of other names.
type repeated struct {
	asked    int
	answered []uint16 // by question, one more than the id of its row; 0 for none
	// checks has the rows of the same questions when they were asked before: one in checkedOf is asked again. nil: all are asked.
	checks []uint16
	first  int // the first to be asked again
}

// repeat makes the questions be those of an answer that is known.
func (q *repeated) repeat(known *answer) {
	q.checks, q.first = known.rows, int(known.checked.Add(1)-1)%checkedOf
}

// next reports whether the next question is to be asked, and which row it had before, if any: noRow if there was no such question.
func (q *repeated) next() (due bool, expected uint16) {
	i := q.asked
	q.asked++
	switch {
	case q.checks == nil:
		return true, noRow
	case i >= len(q.checks):
		return i%checkedOf == q.first, noRow
	}
	return i%checkedOf == q.first, q.checks[i]
}

// noRow is the row of a question that was not asked before.
const noRow = math.MaxUint16 - 1

// checkedOf is how many questions of those that were asked before one is asked again for. The next time it is another one.
const checkedOf = 4

// kinds returns the ids of the rows that were found, each once.
func (q *questions) kinds() []uint16 {
	var found []uint16
	for _, row := range q.answered {
		if row != 0 && row != notAsked && !slices.Contains(found, row-1) {
			found = append(found, row-1)
		}
	}
	slices.Sort(found)
	return found
}

// answer returns the answer to the questions of the key. It is known if the same ones were asked before.
func (r *run) answer(subject *facts.User, ask func(*questions)) []uint16 {
	if r.err != nil {
		return nil
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return nil
	}
	q := questions{run: r, subject: subject}
	if r.Each {
		ask(&q)
		return q.kinds()
	}
	known, seen := r.find(r.key)
	if known != nil {
		if !isChecked(seen) {
			return known.kinds
		}
		q.repeat(known)
		if ask(&q); r.err == nil && q.asked != len(known.rows) {
			r.err = tellsApart(q.subject)
		}
		return known.kinds
	}
	key := string(r.key) // what is asked changes the key
	ask(&q)
	if r.err != nil {
		return nil
	}
	kinds := q.kinds()
	r.add(key, &answer{kinds: kinds, rows: q.answered})
	return kinds
}

// ask asks one question.
func (q *questions) ask(action authzen.Action, resource authzen.Entity, standing map[string]any, over string) {
	due, expected := q.next()
	if !due || q.err != nil {
		return
	}
	asked := pdp.Request{Subject: authzen.Entity{Type: "user", ID: q.subject.ID()}, Action: action, Resource: resource, Context: standing}
	rule, ok := q.may(asked)
	again := func() bool {
		_, ok := q.may(asked)
		return ok
	}
	ok = ok && (q.by == nil || q.givenBy(q.subject, q.by, again))
	if q.err != nil {
		return
	}
	row := uint16(0)
	if ok {
		row = 1 + q.idOf(kindOfRow{action: action.Name, over: over, rule: rule, changes: !q.reviewer.Policy().ReadOnly(action.Name)})
	}
	if q.checks == nil {
		q.answered = append(q.answered, row)
	} else if row != expected {
		q.err = tellsApart(q.subject)
	}
}

// may asks the policy, and returns the rule that allows the question.
func (q *questions) may(asked pdp.Request) (rule string, ok bool) {
	q.made++
	rule, ok, err := q.reviewer.May(q.ctx, asked)
	if err != nil {
		q.err = fmt.Errorf("%s, %s on %s %q: %w", q.subject.ID(), asked.Action.Name, asked.Resource.Type, asked.Resource.ID, err)
	}
	return rule, ok && err == nil
}
