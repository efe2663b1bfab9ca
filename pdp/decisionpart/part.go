package decisionpart

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxSize is the highest number of bytes of a part.
const MaxSize = 1 << 20

// Part is a JSON value that many records share, such as a location. It never changes; parts are the same if their pointers are.
type Part struct{ value []byte }

// New returns a part with a value, which is JSON in UTF-8 on one line, of at most [MaxSize] bytes. It keeps the slice.
func New(value []byte) (*Part, error) {
	if len(value) > MaxSize || !jsontext.Value(value).IsValid(jsontext.AllowDuplicateNames(true)) || bytes.ContainsAny(value, "\n\r") {
		return nil, errors.New("a part of records is not JSON on one line, or is too long")
	}
	return &Part{value}, nil
}

// Value returns the part as JSON, which must not be changed.
func (p *Part) Value() []byte { return p.value }

// Placed is a part of a record. It takes the place of the null at the offset.
type Placed struct {
	Part   *Part
	Offset int
}

// Null stands in a record where a part belongs.
const Null = "null"

// Record is the record of a decision: a JSON object in UTF-8 on one line, with a [Null] for each of its parts, which come in the
// order of their places. It refers to the slices that it was made of.
type Record struct {
	JSON  []byte
	Parts []Placed
}

// NewRecord returns a record, made of JSON that may be anything. Without an error it is a new slice if the JSON had line ends.
func NewRecord(text []byte, parts ...Placed) (Record, error) {
	if len(text) == 0 || text[0] != '{' || !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return Record{}, errors.New("a record is not a JSON object")
	}
	if err := Check(text, parts); err != nil {
		return Record{}, err
	}
	if !bytes.ContainsAny(text, "\n\r") { // between its tokens: a string has none
		return Record{text, parts}, nil
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, Whole(text, parts))
	return Record{JSON: compact.Bytes()}, err
}

// Check returns an error unless a record has a [Null] for each part, one after the other.
func Check(record []byte, parts []Placed) error {
	from := 0
	for _, p := range parts {
		if p.Part == nil || p.Offset < from || p.Offset > len(record) || !bytes.HasPrefix(record[p.Offset:], []byte(Null)) {
			return errors.New("a record has no place for a part of it")
		}
		from = p.Offset + len(Null)
	}
	return nil
}

// Whole returns a record with its parts, which [Check] found right, in their places.
func Whole(record []byte, parts []Placed) []byte {
	if len(parts) == 0 {
		return record
	}
	size := len(record)
	for _, p := range parts {
		size += len(p.Part.value) - len(Null)
	}
	whole, from := make([]byte, 0, size), 0
	for _, p := range parts {
		whole = append(append(whole, record[from:p.Offset]...), p.Part.value...)
		from = p.Offset + len(Null)
	}
	return append(whole, record[from:]...)
}
