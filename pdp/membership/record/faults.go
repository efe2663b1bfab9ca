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
	keptFaults    = 10_000 // more are counted alone, so that a garbage file cannot fill the memory
	printedFaults = 100
)

// Faults is everything that is wrong with a directory. A text says what is wrong with which member, and never what the
// member holds: records are named by id, or by index where they have none.
type Faults struct {
	found []fault
	Total int
}

type fault struct {
	about Subject
	text  string
}

// All gives the faults in the order of the document, locations before users; at most 10,000 are kept.
func (f *Faults) All() []string {
	all := make([]string, len(f.found))
	for i, one := range f.found {
		all[i] = one.about.String() + one.text
	}
	return all
}

// Count is the number of all faults.
func (f *Faults) Count() int { return f.Total }

// Error lists the first 100 faults and says how many more there are.
func (f *Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "directory refused, faults: %d", f.Total)
	printed := min(len(f.found), printedFaults)
	for _, one := range f.found[:printed] {
		b.WriteString("\n  ")
		b.WriteString(one.about.String())
		b.WriteString(one.text)
	}
	if rest := f.Total - printed; rest > 0 {
		fmt.Fprintf(&b, "\n  and %d more", rest)
	}
	return b.String()
}

func (f *Faults) Add(about Subject, format string, args ...any) {
	f.Total++
	if len(f.found) < keptFaults {
		f.found = append(f.found, fault{about: about, text: fmt.Sprintf(format, args...)})
	}
}

// Err gives the faults in order, or nil where there are none.
func (f *Faults) Err() error {
	if f.Total == 0 {
		return nil
	}
	slices.SortStableFunc(f.found, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.about.List, b.about.List), cmp.Compare(a.about.Index, b.about.Index))
	})
	return f
}

// The two lists of a directory, in the order in which faults are told.
type list uint8

const (
	NoList list = iota // neither: the document itself
	LocationList
	UserList
)

var ListNames = [...]string{LocationList: "locations", UserList: "users"}

var recordNames = [...]string{LocationList: "location", UserList: "user"}

// Subject is the record that a fault is about.
type Subject struct {
	List       list
	Index      int    // in the list
	Id         string // empty where the record has none that can be read
	assignment int    // of a user, 1-based; 0 means the user
	location   string // of the assignment; empty where it cannot be read
}

// String ends in ": ", except for the document's empty one.
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

// record names the record alone.
func (s Subject) record() string {
	if s.Id == "" {
		return fmt.Sprintf("%s[%d]", ListNames[s.List], s.Index)
	}
	return recordNames[s.List] + " " + membership.Quote(s.Id)
}

// label names a member. A name that the file made up is quoted.
func label(name string) string {
	plain := func(c rune) bool { return c == '_' || c == '.' || 'a' <= c && c <= 'z' }
	if len(name) <= membership.QuotedBytes && strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) < 0 {
		return name
	}
	return MadeUp(name)
}

// MadeUp names a member that the file made up. A name that is no word, such as an address, might be somebody's and is not
// told.
func MadeUp(name string) string {
	word := func(c rune) bool {
		return c == '_' || c == '.' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	if len(name) > membership.QuotedBytes || strings.IndexFunc(name, func(c rune) bool { return !word(c) }) >= 0 {
		return "(whose name is no word)"
	}
	return strconv.Quote(name)
}

// Phrase gives those of a parser's words that hold for any document. The rest of its message may be somebody's name.
func Phrase(message string, known []string, otherwise string) string {
	for _, p := range known {
		if strings.HasPrefix(message, p) {
			return p
		}
	}
	return otherwise
}

// Join adds faults that were found elsewhere.
func (f *Faults) Join(others *Faults) {
	for _, one := range others.found {
		f.Add(one.about, "%s", one.text)
	}
	f.Total += others.Total - len(others.found)
}
