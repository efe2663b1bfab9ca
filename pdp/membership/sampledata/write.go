package sampledata

import (
	"bufio"
	"bytes"
	"io"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// recordWriter writes the document of a directory, one record per line. In YAML too, a record is written as JSON. After an
// error it writes nothing.
type recordWriter struct {
	out   *bufio.Writer // keeps its first error
	yaml  bool
	line  []byte
	begun bool // the current list has records
}

func newRecordWriter(w io.Writer, f record.Format) *recordWriter {
	return &recordWriter{out: bufio.NewWriterSize(w, 64<<10), yaml: f == record.YAML}
}

// open starts a list of records. The locations must come first.
func (w *recordWriter) open(list string, empty bool) {
	w.begun = false
	switch {
	case w.yaml && empty:
		w.write(list, ": []\n")
	case w.yaml:
		w.write(list, ":\n")
	case list == record.LocationList.String():
		w.write(`{"`, list, `":[`)
	default:
		w.write(`,"`, list, `":[`)
	}
}

// close ends a list and flushes the output. After the last list it also ends the document.
func (w *recordWriter) close(last bool) error {
	if !w.yaml {
		w.write("\n]")
	}
	if last && !w.yaml {
		w.write("}\n")
	}
	return w.out.Flush()
}

// err returns the first error.
func (w *recordWriter) err() error {
	_, err := w.out.Write(nil)
	return err
}

func (w *recordWriter) write(parts ...string) {
	for _, part := range parts {
		_, _ = w.out.WriteString(part)
	}
}

// record writes the record that encode appends.
func (w *recordWriter) record(encode func([]byte) []byte) {
	switch {
	case w.yaml:
		w.write("  - ")
	case w.begun:
		w.write(",\n")
	default:
		w.write("\n")
	}
	w.begun = true
	w.line = encode(w.line[:0])
	_, _ = w.out.Write(w.line)
	if w.yaml {
		w.write("\n")
	}
}

func (w *recordWriter) location(l *facts.LocationRecord) {
	w.record(func(b []byte) []byte {
		return bytes.Trim(record.EncodeLocations(b, []record.Location{{LocationRecord: *l}}), "[]")
	})
}

func (w *recordWriter) user(u *facts.UserRecord) {
	w.record(func(b []byte) []byte {
		b = record.EncodeUser(b, &record.User{UserRecord: *u})
		if len(u.Assignments) == 0 {
			b = append(b[:len(b)-1], `,"assignments":[]}`...)
		}
		return b
	})
}
