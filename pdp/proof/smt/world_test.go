package smt_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// tables are the files of this package, in their order.
func tables(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"relations", "regional", "health_system", "practice_group", "judgment"} {
		data, err := os.ReadFile(name + ".smt2")
		require.NoError(t, err)
		all.Write(data)
	}
	return all.String()
}

// attribute returns the symbols that the tables list for the test.
func attribute(t *testing.T, tables, name string) []string {
	t.Helper()
	_, list, ok := strings.Cut(tables, "(set-info :"+name+` "`)
	require.True(t, ok)
	list, _, ok = strings.Cut(list, `")`)
	require.True(t, ok)
	var all []string
	for _, s := range regexp.MustCompile(`\|[^|]*\||[^\s|]+`).FindAllString(list, -1) {
		all = append(all, strings.Trim(s, "|"))
	}
	return all
}

// outcomes returns the reasons that the tables name, each as its code and its rule.
func outcomes(tables string) []string {
	all := regexp.MustCompile(`\|[a-z_]+ [A-Z]+-[A-Z0-9]+\|`).FindAllString(tables, -1)
	for i := range all {
		all[i] = strings.Trim(all[i], "|")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// symbol quotes a text.
func symbol(text string) string { return "|" + text + "|" }

// small is a small world as the tables know it.
type small struct {
	t         *testing.T
	part      *explore.Part
	variables map[string][]string
	locations []facts.LocationRecord
	areas     []string
	sorts     map[string][]string // the values of each sort, in the order of their numbers
	text      strings.Builder
}

func (w *small) say(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// newSmall declares what the tables expect, for the world of a part.
func newSmall(t *testing.T, part *explore.Part, tables string) *small {
	t.Helper()
	w := &small{t: t, part: part, variables: map[string][]string{}, sorts: map[string][]string{}, locations: part.Case(make([]int, len(part.Variables))).Locations}
	w.say("(set-logic QF_BV)")
	texts := append(attribute(t, tables, "texts"), action(part), "user", "subject")
	for _, v := range part.Variables {
		w.variables[v.Name] = v.Values
		texts = append(texts, v.Values...)
		if area, ok := strings.CutPrefix(v.Name, "subject "); ok && slices.Equal(v.Values, []string{"(absent)", "(true)", "(false)"}) {
			w.areas = append(w.areas, area)
		}
	}
	for _, l := range w.locations {
		texts = append(texts, l.ID, l.Kind, l.Model)
	}
	w.sort("Text", texts)
	w.sort("Outcome", append(outcomes(tables), "passes"))
	w.say("(define-sort Locations () (_ BitVec %d))", len(w.locations))
	w.say("(define-fun nowhere () Locations %s)", w.set())
	w.say("(define-fun action () Text %s)", symbol(action(part)))
	for _, v := range part.Variables {
		w.say("(declare-const %s Text)\n(assert (or%s))", symbol(v.Name), each(v.Values, func(value string) string {
			return fmt.Sprintf(" (= %s %s)", symbol(v.Name), symbol(value))
		}))
	}
	for _, name := range attribute(t, tables, "members") {
		if w.variables[name] == nil {
			w.say("(define-fun %s () Text |(absent)|)", symbol(name))
		}
	}
	w.places()
	w.people()
	w.access()
	w.list("set locations", "listed")
	w.list("patient locations", "patient")
	return w
}

// action returns the name of the action of a part.
func action(part *explore.Part) string { return cmp.Or(part.Question.Action, "other.action") }

// each joins what a function makes of each element.
func each[T any](all []T, of func(T) string) string {
	var text strings.Builder
	for _, one := range all {
		text.WriteString(of(one))
	}
	return text.String()
}

func (w *small) sort(name string, values []string) {
	slices.Sort(values)
	values = slices.Compact(values)
	require.LessOrEqual(w.t, len(values), 1<<8)
	w.sorts[name] = values
	w.say("(define-sort %s () (_ BitVec 8))", name)
	for i, v := range values {
		w.say("(define-fun %s () %s #x%02x)", symbol(v), name, i)
	}
}

// set returns a set of locations.
func (w *small) set(ids ...string) string {
	bits := []byte(strings.Repeat("0", len(w.locations)))
	for i, l := range w.locations {
		if slices.Contains(ids, l.ID) {
			bits[i] = '1'
		}
	}
	return "#b" + string(bits)
}

// above returns a location and those above it.
func (w *small) above(id string) []string {
	var all []string
	for _, l := range slices.Backward(w.locations) { // those above come before those beneath
		if l.ID == id {
			all = append(all, id)
			id = l.Parent
		}
	}
	return all
}

func (w *small) beneath(id string) []string {
	var all []string
	for _, l := range w.locations {
		if slices.Contains(w.above(l.ID), id) {
			all = append(all, l.ID)
		}
	}
	return all
}

func (w *small) model(id string) string {
	above := w.above(id)
	for _, l := range w.locations {
		if l.ID == above[len(above)-1] {
			return l.Model
		}
	}
	return ""
}

// byLocation defines a function of a location.
func (w *small) byLocation(name, sort, otherwise string, of func(facts.LocationRecord) string) {
	body := otherwise
	for _, l := range slices.Backward(w.locations) {
		body = fmt.Sprintf("(ite (= l %s) %s %s)", symbol(l.ID), of(l), body)
	}
	w.say("(define-fun %s ((l Text)) %s %s)", name, sort, body)
}

// union returns the set of the locations for which a condition holds.
func (w *small) union(condition func(facts.LocationRecord) string) string {
	return "(bvor nowhere" + each(w.locations, func(l facts.LocationRecord) string {
		return fmt.Sprintf(" (ite %s %s nowhere)", condition(l), w.set(l.ID))
	}) + ")"
}

func (w *small) places() {
	w.byLocation("kind-of", "Text", "|(none)|", func(l facts.LocationRecord) string { return symbol(l.Kind) })
	w.byLocation("model-of", "Text", "|(none)|", func(l facts.LocationRecord) string { return symbol(w.model(l.ID)) })
	w.byLocation("root-of", "Text", "|(none)|", func(l facts.LocationRecord) string {
		above := w.above(l.ID)
		return symbol(above[len(above)-1])
	})
	w.byLocation("just", "Locations", "nowhere", func(l facts.LocationRecord) string { return w.set(l.ID) })
	w.byLocation("path", "Locations", "nowhere", func(l facts.LocationRecord) string { return w.set(w.above(l.ID)...) })
	w.byLocation("covered-by", "Locations", "nowhere", func(l facts.LocationRecord) string { return w.set(w.beneath(l.ID)...) })
	in := func(l facts.LocationRecord) string { return fmt.Sprintf("(not (= (bvand s %s) nowhere))", w.set(l.ID)) }
	w.say("(define-fun covered-by-any ((s Locations)) Locations (bvor nowhere%s))", each(w.locations, func(l facts.LocationRecord) string {
		return fmt.Sprintf(" (ite %s %s nowhere)", in(l), w.set(w.beneath(l.ID)...))
	}))
	one := "|(none)|"
	for _, l := range w.locations {
		one = fmt.Sprintf("(ite %s %s %s)", in(l), symbol(l.ID), one)
	}
	w.say("(define-fun the-one ((s Locations)) Text %s)", one)
	w.say("(define-fun of-kind ((k Text)) Locations %s)", w.union(func(l facts.LocationRecord) string { return fmt.Sprintf("(= k %s)", symbol(l.Kind)) }))
}

// bound defines in which cases a question can be asked within the bound of the small worlds, where a directory has no fault.
func bound(t *testing.T, d *explore.Decision, part *explore.Part) string {
	t.Helper()
	stands, err := world.Values([]*pdp.Policy{d.Policy}, world.Question{Tree: part.Question.Tree}, "current")
	require.NoError(t, err)
	var elsewhere []string // of several locations that are alike, the subject stands at one
	for _, l := range part.Case(make([]int, len(part.Variables))).Locations {
		if !slices.Contains(stands, l.ID) {
			elsewhere = append(elsewhere, l.ID)
		}
	}
	return fmt.Sprintf(`(define-fun within-bound () Bool (and (not (is-fault subject)) (not (is-fault user))
  (not (and (= |kind| location) (or (= |place| |(absent)|) (= |place| |(null)|) (= |place| |(empty)|) (= |place| |(number)|))))
  (not (or false%s))))`, each(elsewhere, func(id string) string {
		return fmt.Sprintf(" (= %[1]s (ite (and needs-no-current-location (not (= action patient.view))) there here))", symbol(id))
	}))
}
