package decisionlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// chain is a place in the chain of hashes.
type chain struct {
	log     string // "" at the start, which may be at any segment
	segment uint64
	seq     uint64 // of the last record
	hash    digest // of the last line
	oldest  uint64 // segment, as last stated
	ended   bool   // the segment is complete

	parts     []*decisionpart.Part // that records of the segment refer to
	partBytes int                  // of them, by partSize
}

// extent is how far a segment is as it was written.
type extent struct {
	lines  int
	offset int64 // of what follows the last of them, in the content
	torn   int64 // bytes of a last line without an end
	empty  bool  // there is nothing at all
}

// unfinished reports whether a fault at the end of a segment is what a writer leaves that was killed, or that is writing.
func (c *chain) unfinished(at extent, s segment, later []segment) bool {
	return (at.torn > 0 || at.empty) && len(later) == 0 && !s.packed && !c.ended
}

// visitor is called for each line that follows the chain, with the hash before it.
type visitor func(at extent, prev digest, l *line) error

// scan follows the chain through the segment s, whose content r gives. It returns how far the segment is unbroken, with a
// [*Fault] if it is broken there, an error of visit, or one of r. next is the head of the segment after it, nil if there is none.
func (c *chain) scan(s segment, r io.Reader, next *head, visit visitor) (extent, error) {
	lines := newLineReader(r)
	at := extent{}
	c.ended = false
	for {
		if next != nil && next.Leaves == leavesUnsynced && at.lines > 0 && next.Prev == c.hash.String() {
			return at, nil
		}
		data, err := lines.next()
		fault := func(problem string) error {
			return &Fault{File: s.name(), Line: at.lines + 1, Seq: c.seq + 1, Problem: problem}
		}
		var damaged corruption
		switch {
		case err == io.EOF && at.lines == 0:
			at.empty = true
			return at, fault("the file is empty")
		case err == io.EOF:
			return at, nil
		case errors.Is(err, errTorn):
			at.torn = int64(lines.size)
			return at, fault(err.Error())
		case errors.Is(err, errLong), errors.As(err, &damaged):
			return at, fault(err.Error())
		case err != nil:
			return at, err
		}
		l, err := parseLine(data)
		if err != nil {
			return at, fault(err.Error())
		}
		before := *c
		if err := c.follow(s, at.lines == 0, &l); err != nil {
			*c = before
			return at, fault(err.Error())
		}
		if visit != nil {
			if err := visit(at, before.prev(&l), &l); err != nil {
				*c = before
				return at, err
			}
		}
		at.lines++
		at.offset += int64(lines.size)
	}
}

// prev is the hash that the line l follows.
func (c *chain) prev(l *line) digest {
	if c.log == "" && l.head != nil {
		p, _ := parseDigest(l.head.Prev)
		return p
	}
	return c.hash
}

// follow goes one line on, or says why the line is not the next one.
func (c *chain) follow(s segment, first bool, l *line) error {
	switch {
	case first && l.head == nil:
		return errors.New("the segment does not begin with a head")
	case !first && l.head != nil:
		return errors.New("a segment has one head, at its beginning")
	case c.ended:
		return errors.New("the segment goes on after its end")
	}
	if l.head != nil {
		if err := c.followHead(s, l.head); err != nil {
			return err
		}
	}
	hash := hashOf(c.hash, l.covered)
	if !bytes.Equal(hex.AppendEncode(nil, hash[:]), l.hash) {
		return errors.New("the hash is not that of the line and of the one before: the line was changed, or one before it was changed, inserted, moved or removed")
	}
	switch {
	case l.checkpoint != nil:
		if l.checkpoint.Seq != c.seq || l.checkpoint.Segment != c.segment || l.checkpoint.Oldest < c.oldest {
			return errors.New("the checkpoint belongs to another place")
		}
		c.oldest, c.ended = l.checkpoint.Oldest, l.checkpoint.End
	case l.value != nil:
		if err := c.take(l); err != nil {
			return err
		}
	case l.head == nil:
		if l.seq != c.seq+1 {
			return fmt.Errorf("the record has number %d instead of %d", l.seq, c.seq+1)
		}
		if err := c.place(l); err != nil {
			return err
		}
		c.seq = l.seq
	}
	c.hash = hash
	return nil
}

func (c *chain) followHead(s segment, h *head) error {
	prev, err := parseDigest(h.Prev)
	switch {
	case err != nil:
		return err
	case h.Format < firstFormat || h.Format > format:
		return fmt.Errorf("the segment has format %d, which this version does not know", h.Format)
	case h.Segment != s.number:
		return fmt.Errorf("the file holds segment %d", h.Segment)
	case h.Log == "":
		return errors.New("the head does not name its log")
	case h.Oldest < 1 || h.Oldest > h.Segment:
		return errors.New("the head names an impossible oldest segment")
	case h.Segment == 1 && (h.Seq != 0 || prev != digest{}):
		return errors.New("the first segment does not begin the log")
	case c.log == "":
		c.log, c.seq, c.hash = h.Log, h.Seq, prev
	case h.Log != c.log:
		return errors.New("the segment is of another log")
	case h.Segment != c.segment+1:
		return fmt.Errorf("segment %d is missing", c.segment+1)
	case h.Seq != c.seq || prev != c.hash:
		return errors.New("the segment does not follow the one before: lines at its end were removed, or one of the two was replaced")
	case h.Oldest < c.oldest:
		return errors.New("the head names an older segment than a checkpoint before")
	}
	c.segment, c.oldest, c.parts, c.partBytes = h.Segment, h.Oldest, nil, 0
	return nil
}

func parseDigest(text string) (d digest, err error) {
	if len(text) != hex.EncodedLen(len(d)) {
		return d, errors.New("a hash has another length")
	}
	if _, err = hex.Decode(d[:], []byte(text)); err == nil && d.String() != text {
		err = errors.New("a hash is not written as it should be")
	}
	return d, err
}
