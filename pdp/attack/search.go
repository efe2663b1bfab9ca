package attack

import (
	"encoding/binary"
	"math"
	"slices"
)

// state is the directory after some changes: a form for each account, those made on the way last.
type state struct {
	forms  []int32
	marks  []mark
	before *state // nil at first
	last   move
}

// mark says of an account what its form does not.
type mark uint8

const (
	controlled mark = 1 << iota // by the attacker
	pending                     // it was changed, and has made no change since
	deprivable                  // it had what the goal is to take from everybody, so that it need not make any change
)

// move is a change of one account by another, both by their places in the state.
type move struct {
	subject, user int
	from          string
	of            candidate
}

// goal is what an attacker wants.
type goal interface {
	// possible reports whether the last move can have reached it, and reached how much a possible one has: 0 is nothing, and nothing is
	// more than everything. reached is called only if the policy allows the move, because it takes longer than to ask.
	possible(o *organization, next *state) (bool, error)
	reached(o *organization, next *state) (gain int, err error)
	// hopeless reports whether so many moves more cannot reach it, or only by moves of which some could be left out.
	hopeless(o *organization, next *state, left int) (bool, error)
}

// everything is the gain of a goal that is reached or not, and no more by one path than by another.
const everything = math.MaxInt

// outcome is what a search found.
type outcome struct {
	reached *state // nil: the goal was not reached
	gain    int
	states  int
	open    bool // there are states that were not looked at
}

// search looks for a shortest path to a goal, breadth first, and among those for one that gains most. Accounts of one form and mark are interchangeable, so only one of them is
// tried, and states that differ in which of them it is are one.
type search struct {
	*organization
	goal    goal
	visited map[string]bool
	scratch []uint64
	outcome
}

// find searches from a state by the accounts under control in it.
func (o *organization) find(start *state, g goal) (outcome, error) {
	s := &search{organization: o, goal: g, visited: map[string]bool{}}
	hopeless, err := g.hopeless(o, start, o.Depth)
	if err != nil || hopeless {
		return s.outcome, err
	}
	s.visited[s.key(start)] = true
	level := []*state{start}
	for left := o.Depth; left > 0 && len(level) > 0; left-- {
		var next []*state
		for _, st := range level {
			s.states++
			o.searched++
			if s.states > o.MaxStates || len(o.forms.all) > maxForms {
				s.open = true
				return s.outcome, nil
			}
			if err := s.expand(st, left-1, &next); err != nil || s.gain == everything {
				return s.outcome, err
			}
		}
		if s.outcome.reached != nil {
			break
		}
		level = next
	}
	return s.outcome, nil
}

// sort is what makes accounts interchangeable.
type sort struct {
	form int32
	mark mark
	self bool
}

// expand makes every move from a state that is not hopeless with so many moves left after it.
func (s *search) expand(st *state, left int, next *[]*state) error {
	tried := map[sort]bool{}
	for subject, n := range st.forms {
		one := sort{form: n, mark: st.marks[subject]}
		if st.marks[subject]&controlled == 0 || tried[one] {
			continue
		}
		tried[one] = true
		users := map[sort]bool{}
		for user := 0; user <= len(st.forms); user++ {
			other := sort{form: s.nobody}
			if user < len(st.forms) {
				other = sort{st.forms[user], st.marks[user], user == subject}
			}
			if users[other] {
				continue
			}
			users[other] = true
			if err := s.moves(st, subject, user, other, left, next); err != nil || s.gain == everything {
				return err
			}
		}
	}
	return nil
}

func (s *search) moves(st *state, subject, user int, other sort, left int, next *[]*state) error {
	candidates := s.candidatesOf(other.form)
	for i := range candidates {
		c := &candidates[i]
		if c.itself && !other.self || c.to == other.form && other.mark&controlled != 0 {
			continue
		}
		after := st.after(subject, user, c)
		possible, err := s.goal.possible(s.organization, after)
		if err != nil {
			return err
		}
		further := left > 0 && s.outcome.reached == nil
		if further {
			hopeless, err := s.goal.hopeless(s.organization, after, left)
			if err != nil {
				return err
			}
			further = !hopeless && !s.visited[s.key(after)]
		}
		if !possible && !further {
			continue
		}
		// Only now the policy is asked: most moves lead nowhere.
		from, ok, err := s.may(st.forms[subject], other.form, other.self, i, c)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		after.last.from = from
		gain := 0
		if possible {
			if gain, err = s.goal.reached(s.organization, after); err != nil {
				return err
			}
		}
		if gain > s.gain {
			s.outcome.reached, s.gain = after, gain
		}
		if s.gain == everything {
			return nil
		}
		if further && gain == 0 {
			s.visited[s.key(after)] = true
			*next = append(*next, after)
		}
	}
	return nil
}

// after returns the state after a move.
func (st *state) after(subject, user int, c *candidate) *state {
	next := &state{forms: slices.Clone(st.forms), marks: slices.Clone(st.marks), before: st, last: move{subject: subject, user: user, of: *c}}
	if user == len(next.forms) {
		next.forms, next.marks = append(next.forms, 0), append(next.marks, 0)
	}
	next.marks[subject] &^= pending
	next.forms[user] = c.to
	next.marks[user] |= pending
	if c.control {
		next.marks[user] |= controlled
	}
	return next
}

// key tells states apart, whichever of the interchangeable accounts is which.
func (s *search) key(st *state) string {
	s.scratch = s.scratch[:0]
	for i, n := range st.forms {
		s.scratch = append(s.scratch, uint64(n)<<8|uint64(st.marks[i]))
	}
	slices.Sort(s.scratch)
	key := make([]byte, 0, 4*len(s.scratch))
	for _, one := range s.scratch {
		key = binary.AppendUvarint(key, one)
	}
	return string(key)
}

// idle counts the accounts that were changed, are not deprivable, and have made no change since; and how many of these are not under
// control.
func (st *state) idle() (all, others int) {
	for _, m := range st.marks {
		if m&(pending|deprivable) != pending {
			continue
		}
		all++
		if m&controlled == 0 {
			others++
		}
	}
	return all, others
}

// path returns the states on the way to a state, without the first.
func (st *state) path() []*state {
	var path []*state
	for ; st.before != nil; st = st.before {
		path = append(path, st)
	}
	slices.Reverse(path)
	return path
}
