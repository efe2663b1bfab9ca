package decisionlog

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math"
	"slices"
)

// Position is a place in a log: after which record a follower goes on. The zero value is the beginning of any log.
type Position struct {
	Log     string `json:"log"` // id; of another log, the position is its beginning
	Segment uint64 `json:"segment"`
	Seq     uint64 `json:"seq"`
}

// ID returns what tells the log from others, for a [Position].
func (l *Log) ID() string { return l.id }

// Has reports whether a record of the log is or was at a position. It is not if the position is of another log, or of what this one
// had before an older copy of its folder took its place.
func (l *Log) Has(p Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.Log == l.id && (p.Segment < l.writing || p.Segment == l.writing && p.Seq <= l.status.Seq)
}

// Follow returns the records after a position, in order. It waits for more until the context ends, or until the log has been
// closed and all of it was returned. It returns only what is on disk for good, and delays no writer: if segments are deleted before
// they are read, there is a gap. It begins with the oldest record unless the log [Log.Has] the position. Errors are as with [Read]: the
// records go on after a [*Fault] alone.
func (l *Log) Follow(ctx context.Context, from Position) iter.Seq2[Entry, error] {
	if !l.Has(from) {
		from = Position{}
	}
	return func(yield func(Entry, error) bool) {
		var c chain
		for number := from.Segment; ; number++ {
			s, later, ok := l.waitForSegment(ctx, number)
			if !ok {
				return
			}
			if number = s.number; number != c.segment+1 {
				c = chain{}
			}
			if !l.followSegment(ctx, &c, s, later, func(e Entry, err error) bool {
				return err == nil && e.Segment == from.Segment && e.Seq <= from.Seq || yield(e, err)
			}) {
				return
			}
		}
	}
}

// waitForSegment returns the first segment from a number on, with those after it. It returns false if there will be none.
func (l *Log) waitForSegment(ctx context.Context, number uint64) (s segment, later []segment, ok bool) {
	for over := false; ; {
		l.mu.Lock()
		all, grew := slices.Clone(l.segments), l.grew
		if l.active > 0 {
			all = append(all, segment{number: l.writing})
		}
		l.mu.Unlock()
		if i := slices.IndexFunc(all, func(s segment) bool { return s.number >= number }); i >= 0 {
			return all[i], all[i+1:], true
		}
		if over {
			return s, nil, false
		}
		select {
		case <-grew:
		case <-l.done:
			over = true // what was written last is looked at again
		case <-ctx.Done():
			return s, nil, false
		}
	}
}

func (l *Log) followSegment(ctx context.Context, c *chain, s segment, later []segment, yield func(Entry, error) bool) bool {
	content, err := s.open(l.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) { // deleted just now
		return true
	}
	if err != nil {
		yield(Entry{}, err)
		return false
	}
	defer func() { _ = content.Close() }()
	return c.readContent(s, &durable{ctx: ctx, l: l, number: s.number, content: content}, headAfter(l.cfg.Dir, later), nil, yield)
}

// durable reads what is on disk for good of a segment, and waits for more until the segment is complete.
type durable struct {
	ctx     context.Context
	l       *Log
	number  uint64
	content io.Reader
	offset  int64
}

// Read implements [io.Reader].
func (d *durable) Read(to []byte) (int, error) {
	end, err := d.l.waitForContent(d.ctx, d.number, d.offset)
	if err != nil {
		return 0, err
	}
	if end <= d.offset {
		return 0, io.EOF
	}
	n, err := d.content.Read(to[:min(int64(len(to)), end-d.offset)])
	d.offset += int64(n)
	return n, err
}

// waitForContent returns the end of what can be read of a segment, once that is after an offset or the segment is complete.
func (l *Log) waitForContent(ctx context.Context, number uint64, offset int64) (int64, error) {
	for over := false; ; {
		l.mu.Lock()
		end, complete, grew := l.readable(number), number != l.writing || l.active == 0, l.grew
		l.mu.Unlock()
		if end > offset || complete || over {
			return end, nil
		}
		select {
		case <-grew:
		case <-l.done:
			over = true
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (l *Log) readable(number uint64) int64 {
	if number == l.writing && l.active > 0 {
		return l.active
	}
	for _, s := range l.segments {
		switch {
		case s.number != number:
		case !s.packed:
			return s.size
		case s.content > 0:
			return s.content
		}
	}
	return math.MaxInt64
}
