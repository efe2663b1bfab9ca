package attack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Accounts whose records differ in nothing that the policy can read are one: they have the same form. What is allowed on a user
// depends on the forms of the subject and the user, and so is asked once for each pair.

// form is a record without what tells people apart.
type form struct {
	rec    facts.UserRecord // with the ids of [form.named], or those of the first account of this form
	named  bool             // the policy knows the account by its id or username
	active bool             // the account
	asks   *facts.User      // as the one who asks; nil until needed
	asked  *facts.User      // as the one asked about; nil until needed

	candidates []candidate // changes of this record; nil until needed
	holds      []int32     // that are in effect here; nil until needed
	judged     bool        // whether it is known if the account is stranded
	why        string      // it is stranded; "" if it is not
}

// The names of accounts that the policy does not know.
const (
	nameOfSubject = "subject"
	nameOfUser    = "user"
	nameOfNew     = "new"
)

// forms are the forms that were met, by number.
type forms struct {
	all    []*form
	number map[string]int32
	names  map[string]bool // that the policy knows
	locate Locate

	subject, user, fresh string // names of accounts that the policy does not know
}

func newForms(names map[string]bool, locate Locate) *forms {
	f := &forms{number: map[string]int32{}, names: names, locate: locate, subject: nameOfSubject, user: nameOfUser, fresh: nameOfNew}
	for _, name := range []*string{&f.subject, &f.user, &f.fresh} {
		for names[*name] || names[address(*name)] {
			*name += "-"
		}
	}
	return f
}

func address(name string) string { return name + "@example.org" }

// of returns the number of a record's form.
func (f *forms) of(rec facts.UserRecord) int32 {
	key := f.key(&rec)
	if n, known := f.number[key]; known {
		return n
	}
	n := int32(len(f.all))
	f.all = append(f.all, &form{rec: rec, named: f.isNamed(&rec), active: rec.Status != facts.StatusDeactivated})
	f.number[key] = n
	return n
}

func (f *forms) isNamed(rec *facts.UserRecord) bool {
	return f.names[rec.ID] || rec.Username != "" && f.names[rec.Username]
}

// subjectOf returns an account of a form that asks.
func (f *forms) subjectOf(n int32) *facts.User {
	one := f.all[n]
	if one.asks == nil {
		one.asks = f.join(one, f.subject)
	}
	return one.asks
}

// userOf returns an account of a form that is asked about.
func (f *forms) userOf(n int32) *facts.User {
	one := f.all[n]
	if one.asked == nil {
		one.asked = f.join(one, f.user)
	}
	return one.asked
}

// forget forgets the accounts of a form, which are joined again if they are needed.
func (f *forms) forget(n int32) { f.all[n].asks, f.all[n].asked = nil, nil }

func (f *forms) join(one *form, name string) *facts.User {
	rec := one.rec
	if !one.named {
		rec.ID = name
		if rec.Username != "" {
			rec.Username = address(name)
		}
	}
	u, err := facts.NewUser(rec, 0, f.locate)
	if err != nil {
		panic(err) // a change names locations of the directory alone
	}
	return u
}

func (f *forms) key(rec *facts.UserRecord) string {
	var b strings.Builder
	if f.isNamed(rec) {
		fmt.Fprintf(&b, "%q %q ", rec.ID, rec.Username)
	}
	fmt.Fprintf(&b, "%s %t %q", rec.Status, rec.Username != "", rec.DefaultLocation)
	sorted := slices.SortedFunc(slices.Values(rec.Assignments), func(a, b facts.AssignmentRecord) int { return strings.Compare(a.Location, b.Location) })
	for i := range sorted {
		a := &sorted[i]
		fmt.Fprintf(&b, " %q %s %s", a.Location, a.Role, statusOf(a))
		writeAccess(&b, a.Access)
	}
	return b.String()
}

func writeAccess(b *strings.Builder, access *facts.Access) {
	if access == nil {
		return
	}
	fmt.Fprintf(b, " %q", access.Level)
	for _, area := range slices.Sorted(maps.Keys(access.Areas)) {
		fmt.Fprintf(b, " %s=%t", area, access.Areas[area])
	}
}

func statusOf(a *facts.AssignmentRecord) string {
	if a.Status == "" {
		return facts.StatusActive
	}
	return a.Status
}
