package membership

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	keptFaults    = 10_000 // more are counted alone, so that a garbage file cannot fill the memory
	printedFaults = 100
	quotedBytes   = 64 // of an id or name, in a fault
)

// Faults is everything that is wrong with a directory. A text says what is wrong with which member, and never what the
// member holds: records are named by id, or by index where they have none.
type Faults struct {
	found []fault
	count int
}

type fault struct {
	about subject
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
func (f *Faults) Count() int { return f.count }

// Error lists the first 100 faults and says how many more there are.
func (f *Faults) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "directory refused, faults: %d", f.count)
	printed := min(len(f.found), printedFaults)
	for _, one := range f.found[:printed] {
		b.WriteString("\n  ")
		b.WriteString(one.about.String())
		b.WriteString(one.text)
	}
	if rest := f.count - printed; rest > 0 {
		fmt.Fprintf(&b, "\n  and %d more", rest)
	}
	return b.String()
}

func (f *Faults) add(about subject, format string, args ...any) {
	f.count++
	if len(f.found) < keptFaults {
		f.found = append(f.found, fault{about: about, text: fmt.Sprintf(format, args...)})
	}
}

// err gives the faults in order, or nil where there are none.
func (f *Faults) err() error {
	if f.count == 0 {
		return nil
	}
	slices.SortStableFunc(f.found, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.about.list, b.about.list), cmp.Compare(a.about.index, b.about.index))
	})
	return f
}

// The two lists of a directory, in the order in which faults are told.
type list uint8

const (
	document list = iota // neither: the document itself
	locations
	users
)

var listNames = [...]string{locations: "locations", users: "users"}
var recordNames = [...]string{locations: "location", users: "user"}

// subject is the record that a fault is about.
type subject struct {
	list       list
	index      int    // in the list
	id         string // empty where the record has none that can be read
	assignment int    // of a user, 1-based; 0 means the user
	location   string // of the assignment; empty where it cannot be read
}

// String ends in ": ", except for the document's empty one.
func (s subject) String() string {
	if s.list == document {
		return ""
	}
	switch {
	case s.assignment > 0 && s.location == "":
		return fmt.Sprintf("%s: assignments[%d]: ", s.record(), s.assignment-1)
	case s.assignment > 0:
		return fmt.Sprintf("%s: assignment at %s: ", s.record(), quote(s.location))
	}
	return s.record() + ": "
}

// record names the record alone.
func (s subject) record() string {
	if s.id == "" {
		return fmt.Sprintf("%s[%d]", listNames[s.list], s.index)
	}
	return recordNames[s.list] + " " + quote(s.id)
}

// quote keeps a fault to one short line, whatever the file says.
func quote(s string) string {
	if len(s) > quotedBytes {
		return strconv.Quote(strings.ToValidUTF8(s[:quotedBytes], "")) + "..."
	}
	return strconv.Quote(s)
}

// label names a member. A name that the file made up is quoted.
func label(name string) string {
	plain := func(c rune) bool { return c == '_' || c == '.' || 'a' <= c && c <= 'z' }
	if len(name) <= quotedBytes && strings.IndexFunc(name, func(c rune) bool { return !plain(c) }) < 0 {
		return name
	}
	return madeUp(name)
}

// madeUp names a member that the file made up. A name that is no word, such as an address, might be somebody's and is not
// told.
func madeUp(name string) string {
	word := func(c rune) bool {
		return c == '_' || c == '.' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	if len(name) > quotedBytes || strings.IndexFunc(name, func(c rune) bool { return !word(c) }) >= 0 {
		return "(whose name is no word)"
	}
	return strconv.Quote(name)
}

// phrase gives those of a parser's words that hold for any document. The rest of its message may be somebody's name.
func phrase(message string, known []string, otherwise string) string {
	for _, p := range known {
		if strings.HasPrefix(message, p) {
			return p
		}
	}
	return otherwise
}
