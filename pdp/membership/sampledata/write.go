package sampledata

import (
	"bufio"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// recordWriter writes the document of a directory, one record per line. It omits empty members. After an error it writes
// nothing.
type recordWriter struct {
	out   *bufio.Writer
	yaml  bool
	line  []byte
	begun bool // the current list has records
	more  bool // the current object or list has members
	err   error
}

func newRecordWriter(w io.Writer, f record.Format) *recordWriter {
	return &recordWriter{out: bufio.NewWriterSize(w, 64<<10), yaml: f == record.YAML}
}

// open starts a list of records. The locations must come first.
func (w *recordWriter) open(list string, empty bool) {
	w.begun = false
	switch {
	case w.yaml && empty:
		w.line = append(append(w.line, list...), ": []\n"...)
	case w.yaml:
		w.line = append(append(w.line, list...), ":\n"...)
	default:
		start := byte('{')
		if list == record.UserList.String() {
			start = ','
		}
		w.line = append(strconv.AppendQuote(append(w.line, start), list), ":["...)
	}
}

// close ends a list and flushes the output. After the last list it also ends the document.
func (w *recordWriter) close(last bool) error {
	if !w.yaml {
		w.line = append(w.line, "\n]"...)
	}
	if last && !w.yaml {
		w.line = append(w.line, "}\n"...)
	}
	w.flushLine()
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}

func (w *recordWriter) flushLine() {
	if w.err == nil {
		_, w.err = w.out.Write(w.line)
	}
	w.line = w.line[:0]
}

// record writes one record, whose members the given function writes.
func (w *recordWriter) record(members func()) {
	switch {
	case w.yaml:
		w.line = append(w.line, "  - "...)
	case w.begun:
		w.line = append(w.line, ",\n"...)
	default:
		w.line = append(w.line, '\n')
	}
	w.begun = true
	w.object(members)
	if w.yaml {
		w.line = append(w.line, '\n')
	}
	w.flushLine()
}

func (w *recordWriter) location(l *facts.LocationRecord) {
	w.record(func() {
		w.text("id", l.ID)
		w.text("name", l.Name)
		w.text("kind", l.Kind)
		w.text("parent", l.Parent)
		w.text("model", l.Model)
		w.text("plan", l.Plan)
	})
}

func (w *recordWriter) user(u *facts.UserRecord) {
	w.record(func() {
		w.text("id", u.ID)
		w.text("username", u.Username)
		w.name("name")
		w.object(func() {
			w.text("title", u.Name.Title)
			w.text("given", u.Name.Given)
			w.text("family", u.Name.Family)
		})
		w.text("status", u.Status)
		w.text("default_location", u.DefaultLocation)
		if !u.LastLogin.IsZero() {
			w.text("last_login", u.LastLogin.Format(time.RFC3339))
		}
		w.name("assignments")
		w.nested('[', ']', func() {
			for i := range u.Assignments {
				w.separate()
				w.assignment(&u.Assignments[i])
			}
		})
	})
}

func (w *recordWriter) assignment(a *facts.AssignmentRecord) {
	w.object(func() {
		w.text("location", a.Location)
		w.text("role", a.Role)
		w.text("status", a.Status)
		if a.Access != nil {
			w.name("access")
			w.object(func() { w.access(a.Access) })
		}
		w.text("profession", a.Profession)
		w.text("registration_number", a.RegistrationNumber)
	})
}

func (w *recordWriter) access(a *facts.Access) {
	w.text("level", a.Level)
	if len(a.Areas) == 0 {
		return
	}
	w.name("areas")
	w.object(func() {
		for _, area := range slices.Sorted(maps.Keys(a.Areas)) {
			w.name(area)
			w.line = strconv.AppendBool(w.line, a.Areas[area])
		}
	})
}

func (w *recordWriter) object(members func()) { w.nested('{', '}', members) }

func (w *recordWriter) nested(start, end byte, items func()) {
	w.line = append(w.line, start)
	w.more = false
	items()
	w.line = append(w.line, end)
	w.more = true
}

// separate writes the comma before a member or item, unless it is the first.
func (w *recordWriter) separate() {
	if w.more {
		w.line = append(w.line, ',')
		if w.yaml {
			w.line = append(w.line, ' ')
		}
	}
	w.more = true
}

// name writes the name of a member.
func (w *recordWriter) name(name string) {
	w.separate()
	w.quoted(name)
	w.line = append(w.line, ':')
	if w.yaml {
		w.line = append(w.line, ' ')
	}
}

// text writes a text member unless it is empty.
func (w *recordWriter) text(name, text string) {
	if text != "" {
		w.name(name)
		w.quoted(text)
	}
}

// quoted writes a text. In YAML it omits the quotes if the text cannot be read as anything else.
func (w *recordWriter) quoted(text string) {
	if w.yaml && isPlain(text) {
		w.line = append(w.line, text...)
		return
	}
	w.line = authzen.AppendString(w.line, text)
}

// isPlain reports whether YAML 1.1 and 1.2 read a text without quotes as the same text. It must start with a letter,
// contain only letters, digits and characters that have no meaning between these, and not be a reserved word.
func isPlain(text string) bool {
	letter := func(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	if text == "" || !letter(text[0]) || text[len(text)-1] == ' ' {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !letter(c) && (c < '0' || c > '9') && strings.IndexByte("_.@- ", c) < 0 {
			return false
		}
	}
	return !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(text))
}
