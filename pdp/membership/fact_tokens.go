package membership

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// deepestFact is how far objects and lists may lie in each other.
const deepestFact = deepest

// mostTokens is how many tokens one record may have; none of an origin's has as many, by [MaxRecord].
const mostTokens = 1 << 20

var errTokens = errors.New("the record in Redis cannot be read")

// binaryTokens reads what a factEncoder wrote. Texts that it gives lie in one copy of the data.
type binaryTokens struct {
	rest   string
	texts  []string // those that can come again
	open   []container
	tokens int // of this record
	ended  bool
}

// container is an object or list that has not ended.
type container struct {
	object bool
	named  bool // of an object: its next token is a value
}

func newBinaryTokens(data []byte) tokenizer {
	return &binaryTokens{rest: string(data)}
}

func (r *binaryTokens) next() (token, error) {
	if r.ended {
		if r.rest != "" {
			return token{}, errTrailing
		}
		return token{}, io.EOF
	}
	t, ok := r.read()
	if !ok || !r.place(t) {
		return token{}, errTokens
	}
	r.ended = len(r.open) == 0
	return t, nil
}

// place keeps track of what is open, and says whether the token may stand here.
func (r *binaryTokens) place(t token) bool {
	depth := len(r.open)
	if depth == 1 && !r.open[0].object {
		r.tokens = 0 // the next record of a list begins
	}
	if r.tokens++; r.tokens > mostTokens {
		return false
	}
	if t.kind == kindEnd {
		if depth == 0 || r.open[depth-1].named {
			return false
		}
		r.open = r.open[:depth-1]
		return true
	}
	if depth > 0 {
		in := &r.open[depth-1]
		if in.object && !in.named && t.kind != kindText {
			return false
		}
		in.named = in.object && !in.named
	}
	if t.kind == kindObject || t.kind == kindArray {
		r.open = append(r.open, container{object: t.kind == kindObject})
		return depth < deepestFact
	}
	return true
}

func (r *binaryTokens) read() (token, bool) {
	if r.rest == "" {
		return token{}, false
	}
	tag := r.rest[0]
	r.rest = r.rest[1:]
	switch tag {
	case tagEnd:
		return token{kind: kindEnd}, true
	case tagObject:
		return token{kind: kindObject}, true
	case tagArray:
		return token{kind: kindArray}, true
	case tagFalse:
		return token{kind: kindBoolean, text: "false"}, true
	case tagTrue:
		return token{kind: kindBoolean, text: "true"}, true
	case tagText:
		return r.text()
	case tagAgain:
		at, ok := r.uvarint()
		if !ok || at >= uint64(len(r.texts)) {
			return token{}, false
		}
		return token{kind: kindText, text: r.texts[at]}, true
	case tagInstant:
		return r.instant()
	}
	if at := int(tag) - firstWord; at >= 0 && at < len(factWords) {
		return token{kind: kindText, text: factWords[at]}, true
	}
	return token{}, false
}

func (r *binaryTokens) text() (token, bool) {
	size, ok := r.uvarint()
	if !ok || size > uint64(len(r.rest)) {
		return token{}, false
	}
	text := r.rest[:size]
	r.rest = r.rest[size:]
	if len(text) >= worthAgain {
		r.texts = append(r.texts, text)
	}
	return token{kind: kindText, text: text}, utf8.ValidString(text)
}

// instant gives a time as it is written in RFC 3339.
func (r *binaryTokens) instant() (token, bool) {
	zigzag, ok := r.uvarint()
	nanos, ok2 := r.uvarint()
	if !ok || !ok2 || nanos >= uint64(time.Second) {
		return token{}, false
	}
	seconds := int64(zigzag>>1) ^ -int64(zigzag&1)
	const far = 400_000_000_000 // seconds, more than 9,999 years on either side
	if seconds < -far || seconds > far {
		return token{}, false
	}
	at := time.Unix(seconds, int64(nanos)).UTC()
	// A time of the first or last day that RFC 3339 has can lie outside in UTC.
	const widest = 23*3600 + 59*60
	switch {
	case at.Year() < 0:
		at = at.In(time.FixedZone("", widest))
	case at.Year() > 9999:
		at = at.In(time.FixedZone("", -widest))
	}
	if at.Year() < 0 || at.Year() > 9999 {
		return token{}, false
	}
	return token{kind: kindText, text: at.Format(time.RFC3339Nano)}, true
}

// uvarint reads a number in as few bytes as it needs; longer ways of writing it are refused.
func (r *binaryTokens) uvarint() (uint64, bool) {
	var buffer [binary.MaxVarintLen64]byte
	n := copy(buffer[:], r.rest)
	v, size := binary.Uvarint(buffer[:n])
	if size <= 0 || size > 1 && buffer[size-1] == 0 {
		return 0, false
	}
	r.rest = r.rest[size:]
	return v, true
}
