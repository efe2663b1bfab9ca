package record

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	keptFaults    = 10_000 // further faults are only counted, so that a garbage file cannot fill the memory
	printedFaults = 100
)

// Faults collects the faults of a directory or a record. A fault says which member is wrong and why, and never quotes
// the member's value. It names a record by its id, or by its index if it has no id.
type Faults struct {
	found []fault
	total int
}

type fault struct {
	about Subject
	text  string
}

// All returns the faults in the order of the document, locations before users. At most 10,000 are kept.
func (f *Faults) All() []string {
	all := make([]string, len(f.found))
	for i, one := range f.found {
		all[i] = one.about.String() + one.text
	}
	return all
}

// Subjects returns what the faults are about, in the order of All.
func (f *Faults) Subjects() []Subject {
	all := make([]Subject, len(f.found))
	for i, one := range f.found {
		all[i] = one.about
	}
	return all
}

// Count returns the number of all faults.
func (f *Faults) Count() int { return f.total }

// Error lists the first 100 faults and says how many more there are.
func (f *Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "faults: %d", f.total)
	printed := min(len(f.found), printedFaults)
	for _, one := range f.found[:printed] {
		b.WriteString("\n  ")
		b.WriteString(one.about.String())
		b.WriteString(one.text)
	}
	if rest := f.total - printed; rest > 0 {
		fmt.Fprintf(&b, "\n  and %d more", rest)
	}
	return b.String()
}

// Add adds a fault of a record.
func (f *Faults) Add(about Subject, format string, args ...any) {
	f.total++
	if len(f.found) < keptFaults {
		f.found = append(f.found, fault{about: about, text: fmt.Sprintf(format, args...)})
	}
}

// Err returns the faults in order, or nil if there are none.
func (f *Faults) Err() error {
	if f.total == 0 {
		return nil
	}
	slices.SortStableFunc(f.found, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.about.List, b.about.List), cmp.Compare(a.about.Index, b.about.Index))
	})
	return f
}

// List is one of the two lists of a directory, in the order in which faults are reported.
type List uint8

// The lists.
const (
	NoList List = iota // the document itself
	LocationList
	UserList
	Lists = int(iota)
)

// String returns the list's name in a document.
func (l List) String() string { return [...]string{"", "locations", "users"}[l] }

var recordNames = [...]string{LocationList: "location", UserList: "user"}

// Subject is the record that a fault is about.
type Subject struct {
	List       List
	Index      int    // position in the list
	ID         string // empty if the record has no readable id
	assignment int    // of a user, starting at 1; 0 means the user itself
	location   string // of the assignment; empty if it cannot be read
}

// String returns the beginning of a fault, which ends in ": ". It is empty for the document itself.
func (s Subject) String() string {
	if s.List == NoList {
		return ""
	}
	switch {
	case s.assignment > 0 && s.location == "":
		return fmt.Sprintf("%s: assignments[%d]: ", s.record(), s.assignment-1)
	case s.assignment > 0:
		return fmt.Sprintf("%s: assignment at %s: ", s.record(), membership.Quote(s.location))
	}
	return s.record() + ": "
}

// record returns the name of the record.
func (s Subject) record() string {
	if s.ID == "" {
		return fmt.Sprintf("%s[%d]", s.List, s.Index)
	}
	return recordNames[s.List] + " " + membership.Quote(s.ID)
}

// label returns the name of a member, quoted unless it looks like a member of a directory.
func label(name string) string {
	plain := func(c rune) bool { return c == '_' || c == '.' || 'a' <= c && c <= 'z' }
	if len(name) <= membership.QuotedBytes && strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) < 0 {
		return name
	}
	return quoteMember(name)
}

// quoteMember quotes the name of an unknown member. A name that is not a word, such as an address, may be personal, so
// it is omitted.
func quoteMember(name string) string {
	word := func(c rune) bool {
		return c == '_' || c == '.' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	if len(name) > membership.QuotedBytes || strings.IndexFunc(name, func(c rune) bool { return !word(c) }) >= 0 {
		return "(whose name is no word)"
	}
	return strconv.Quote(name)
}

// SafePhrase returns the one of known with which a parser's message begins, or otherwise if there is none. The rest of
// the message may quote the document.
func SafePhrase(message string, known []string, otherwise string) string {
	for _, p := range known {
		if strings.HasPrefix(message, p) {
			return p
		}
	}
	return otherwise
}

// Join adds all faults of others.
func (f *Faults) Join(others *Faults) {
	for _, one := range others.found {
		f.Add(one.about, "%s", one.text)
	}
	f.total += others.total - len(others.found)
}
