package decisionlog

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Checkpoint is a place in a log that somebody has a copy of, from the logger or from an earlier [Report].
type Checkpoint struct {
	Seq  uint64 // of the last record before
	Hash string // in hexadecimal
}

// Report says what [Verify] has found intact.
type Report struct {
	Log      string // id
	Segments int
	Records  uint64
	First    uint64    // number of the first record
	Last     uint64    // of the last one
	From, To time.Time // of these records

	Signatures int        // of heads and checkpoints, that were checked
	Checkpoint Checkpoint // the last signed line
	Unsigned   uint64     // records after it, which anybody could have changed
	Lost       uint64     // records that could not be written, as the checkpoints say
	Deleted    uint64     // segments that were deleted by size or age, as the checkpoints say
	Torn       int64      // bytes of an incomplete line at the end, as a killed process leaves, or one that is writing
	Closed     bool       // the writer ended in order
	Passed     int        // known checkpoints that precede what has been kept
}

// Verify follows the hashes through all segments of a folder and checks each signature, which must be by one of the keys. Without
// keys, it checks no signature: whoever can write to the folder could have made all of it. Each known checkpoint must be in the log;
// without one, [Verify] cannot notice that the end was removed.
//
// The error is a [*Fault] if the log is broken; the report then covers what precedes. A writer may be running.
func Verify(dir string, keys []ed25519.PublicKey, known ...Checkpoint) (Report, error) {
	all, err := segments(dir)
	if err != nil {
		return Report{}, err
	}
	if len(all) == 0 {
		return Report{}, fmt.Errorf("%s holds no segment of a decision log", dir)
	}
	v := verifier{keys: map[string]ed25519.PublicKey{}, known: map[Checkpoint]bool{}}
	for _, key := range keys {
		v.keys[KeyID(key)] = key
	}
	for _, k := range known {
		v.known[k] = false
	}
	for i, s := range all {
		if err := v.verifySegment(dir, s, all[i+1:]); err != nil {
			return v.report, err
		}
	}
	return v.report, v.conclude()
}

type verifier struct {
	chain
	keys   map[string]ed25519.PublicKey
	known  map[Checkpoint]bool // whether they were found
	report Report

	first     segment
	firstHead head
	last      segment
	lastLine  int
}

func (v *verifier) verifySegment(dir string, s segment, later []segment) error {
	content, err := s.open(dir)
	if errors.Is(err, fs.ErrNotExist) { // deleted since it was listed, with all before it, or a checkpoint does not say so
		v.chain, v.report = chain{}, Report{}
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	if v.log == "" {
		v.first = s
	}
	at, err := v.scan(s, content, headAfter(dir, later), func(at extent, prev digest, l *line) error {
		if problem := v.visit(prev, l); problem != nil {
			return &Fault{File: s.name(), Line: at.lines + 1, Seq: v.seq + 1, Problem: problem.Error()} // records have no such problem
		}
		return nil
	})
	if at.lines > 0 {
		v.report.Segments++
	}
	v.last, v.lastLine = s, at.lines
	if err != nil && v.unfinished(at, s, later) {
		v.report.Torn = at.torn
		return nil
	}
	return err
}

// visit takes note of a line.
func (v *verifier) visit(prev digest, l *line) error {
	r := &v.report
	if l.record != nil {
		if r.Records == 0 {
			r.First, r.From = l.seq, l.time
		}
		r.Records++
		r.Unsigned++
		r.Last, r.To = l.seq, l.time
		r.Closed = false
		return nil
	}
	if l.value != nil {
		return nil
	}
	v.meet()
	if err := v.checkSignature(prev, l); err != nil {
		return err
	}
	if l.head != nil {
		if r.Log == "" {
			r.Log, v.firstHead, r.Deleted, r.Last = v.log, *l.head, l.head.Segment-1, l.head.Seq
		}
		r.Closed = false
		return nil
	}
	r.Lost += l.checkpoint.Lost
	r.Closed = l.checkpoint.End
	return nil
}

// meet strikes the place off the list of known checkpoints.
func (v *verifier) meet() {
	place := Checkpoint{v.seq, v.hash.String()}
	if _, known := v.known[place]; known {
		v.known[place] = true
	}
}

func (v *verifier) checkSignature(prev digest, l *line) error {
	if len(v.keys) == 0 {
		return nil
	}
	key, found := v.keys[l.key]
	switch {
	case l.key == "":
		return errors.New("it is not signed")
	case !found:
		return fmt.Errorf("it is signed by the unknown key %s", l.key)
	case !ed25519.Verify(key, signedMessage(prev, l.signed), l.signature):
		return errors.New("the signature is not valid")
	}
	v.report.Signatures++
	v.report.Unsigned = 0
	v.report.Checkpoint = Checkpoint{v.seq, v.hash.String()}
	return nil
}

// conclude checks what only the whole log tells.
func (v *verifier) conclude() error {
	if v.log == "" { // it was killed before it had begun, or all was deleted meanwhile
		return errors.New("the log holds no whole line")
	}
	if v.first.number > max(v.oldest, 1) {
		return &Fault{File: v.first.name(), Line: 1, Seq: v.firstHead.Seq + 1,
			Problem: fmt.Sprintf("segments before %d are missing, and no checkpoint says that they were deleted by size or age", v.first.number)}
	}
	for place, found := range v.known {
		switch {
		case found:
		case v.first.number > 1 && place.Seq <= v.firstHead.Seq:
			v.report.Passed++
		default:
			return &Fault{File: v.last.name(), Line: v.lastLine + 1, Seq: place.Seq,
				Problem: fmt.Sprintf("the checkpoint %d:%s is not in the log: its end was removed, or it is another log", place.Seq, place.Hash)}
		}
	}
	return nil
}
