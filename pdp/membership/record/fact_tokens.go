package record

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// deepestFact is how far objects and lists may lie in each other.
const DeepestFact = deepest

// mostTokens is how many tokens one record may have; none of an origin's has as many, by [membership.MaxRecord].
const MostTokens = 1 << 20

var ErrTokens = errors.New("the record in Redis cannot be read")

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

func NewBinaryTokens(data []byte) Tokenizer {
	return &binaryTokens{rest: string(data)}
}

func (r *binaryTokens) Next() (Token, error) {
	if r.ended {
		if r.rest != "" {
			return Token{}, ErrTrailing
		}
		return Token{}, io.EOF
	}
	t, ok := r.read()
	if !ok || !r.place(t) {
		return Token{}, ErrTokens
	}
	r.ended = len(r.open) == 0
	return t, nil
}

// place keeps track of what is open, and says whether the token may stand here.
func (r *binaryTokens) place(t Token) bool {
	depth := len(r.open)
	if depth == 1 && !r.open[0].object {
		r.tokens = 0 // the next record of a list begins
	}
	if r.tokens++; r.tokens > MostTokens {
		return false
	}
	if t.Kind == KindEnd {
		if depth == 0 || r.open[depth-1].named {
			return false
		}
		r.open = r.open[:depth-1]
		return true
	}
	if depth > 0 {
		in := &r.open[depth-1]
		if in.object && !in.named && t.Kind != KindText {
			return false
		}
		in.named = in.object && !in.named
	}
	if t.Kind == KindObject || t.Kind == KindArray {
		r.open = append(r.open, container{object: t.Kind == KindObject})
		return depth < DeepestFact
	}
	return true
}

func (r *binaryTokens) read() (Token, bool) {
	if r.rest == "" {
		return Token{}, false
	}
	tag := r.rest[0]
	r.rest = r.rest[1:]
	switch tag {
	case TagEnd:
		return Token{Kind: KindEnd}, true
	case TagObject:
		return Token{Kind: KindObject}, true
	case TagArray:
		return Token{Kind: KindArray}, true
	case TagFalse:
		return Token{Kind: KindBoolean, Text: "false"}, true
	case TagTrue:
		return Token{Kind: KindBoolean, Text: "true"}, true
	case tagText:
		return r.text()
	case tagAgain:
		at, ok := r.uvarint()
		if !ok || at >= uint64(len(r.texts)) {
			return Token{}, false
		}
		return Token{Kind: KindText, Text: r.texts[at]}, true
	case tagInstant:
		return r.instant()
	}
	if at := int(tag) - FirstWord; at >= 0 && at < len(FactWords) {
		return Token{Kind: KindText, Text: FactWords[at]}, true
	}
	return Token{}, false
}

func (r *binaryTokens) text() (Token, bool) {
	size, ok := r.uvarint()
	if !ok || size > uint64(len(r.rest)) {
		return Token{}, false
	}
	text := r.rest[:size]
	r.rest = r.rest[size:]
	if len(text) >= worthAgain {
		r.texts = append(r.texts, text)
	}
	return Token{Kind: KindText, Text: text}, utf8.ValidString(text)
}

// instant gives a time as it is written in RFC 3339.
func (r *binaryTokens) instant() (Token, bool) {
	zigzag, ok := r.uvarint()
	nanos, ok2 := r.uvarint()
	if !ok || !ok2 || nanos >= uint64(time.Second) {
		return Token{}, false
	}
	seconds := int64(zigzag>>1) ^ -int64(zigzag&1)
	const far = 400_000_000_000 // seconds, more than 9,999 years on either side
	if seconds < -far || seconds > far {
		return Token{}, false
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
		return Token{}, false
	}
	return Token{Kind: KindText, Text: at.Format(time.RFC3339Nano)}, true
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
