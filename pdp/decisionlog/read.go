package decisionlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// Entry is a record in the log.
type Entry struct {
	Segment uint64
	Seq     uint64 // from 1, without gaps
	Time    time.Time
	Record  json.RawMessage
}

// Read returns the records in a folder, in order, compressed segments included, up to the last one that is complete. It disturbs
// no writer and holds one record at a time, and the parts that others refer to, at most 8 MiB; if one deletes segments meanwhile, there is a gap. It follows the hashes, but checks no signature: [Verify] does.
//
// Where a segment is broken, it returns a [*Fault] and, if it is continued, the records from the next segment on. After any other
// error it ends.
func Read(dir string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		all, err := segments(dir)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		var c chain
		for i, s := range all {
			if !c.readSegment(dir, s, all[i+1:], yield) {
				return
			}
		}
	}
}

var errEnough = errors.New("enough")

func (c *chain) readSegment(dir string, s segment, later []segment, yield func(Entry, error) bool) bool {
	content, err := s.open(dir)
	if errors.Is(err, fs.ErrNotExist) { // deleted since it was listed
		*c = chain{}
		return true
	}
	if err != nil {
		yield(Entry{}, err)
		return false
	}
	defer func() { _ = content.Close() }()
	return c.readContent(s, content, headAfter(dir, later), later, yield)
}

func (c *chain) readContent(s segment, content io.Reader, next *head, later []segment, yield func(Entry, error) bool) bool {
	at, err := c.scan(s, content, next, func(at extent, _ digest, l *line) error {
		if l.record == nil {
			return nil
		}
		record := bytes.Clone(l.record)
		if len(l.parts) > 0 {
			if record = decisionpart.Whole(l.record, l.parts); len(record) > maxLine || !isObject(record) {
				return &Fault{File: s.name(), Line: at.lines + 1, Seq: l.seq, Problem: "the record with its parts is not a JSON object, or is too long"}
			}
		}
		if !yield(Entry{Segment: s.number, Seq: l.seq, Time: l.time, Record: record}, nil) {
			return errEnough
		}
		return nil
	})
	var fault *Fault
	switch {
	case err == nil:
		return true
	case errors.Is(err, errEnough):
		return false
	case c.unfinished(at, s, later):
		return true
	case errors.As(err, &fault):
		*c = chain{}
		return yield(Entry{}, err)
	}
	yield(Entry{}, err)
	return false
}

// headAfter returns the head of the first of some segments, or nil.
func headAfter(dir string, later []segment) *head {
	if len(later) == 0 {
		return nil
	}
	content, err := later[0].open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = content.Close() }()
	data, err := newLineReader(content).next()
	if err != nil {
		return nil
	}
	l, err := parseLine(data)
	if err != nil {
		return nil
	}
	return l.head
}
