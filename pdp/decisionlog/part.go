package decisionlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// reference says where a record has which part of its segment.
type reference struct{ offset, number int }

// place finds the parts of a record.
func (c *chain) place(l *line) error {
	if len(l.references) == 0 {
		return nil
	}
	l.parts = make([]decisionpart.Placed, len(l.references))
	for i, r := range l.references {
		if r.number < 0 || r.number >= len(c.parts) {
			return fmt.Errorf("the record has the part %d, which is not in the segment before it", r.number)
		}
		l.parts[i] = decisionpart.Placed{Part: c.parts[r.number], Offset: r.offset}
	}
	return decisionpart.Check(l.record, l.parts)
}

// take notes a part of the segment. The number 0 begins anew, so that whoever reads need not keep all parts of a long segment.
func (c *chain) take(l *line) error {
	if l.number == 0 {
		c.parts, c.partBytes = nil, 0
	}
	if l.number != len(c.parts) {
		return fmt.Errorf("the part has number %d instead of %d", l.number, len(c.parts))
	}
	if c.partBytes += partSize(l.value); c.partBytes > maxParts {
		return errors.New("the segment has more parts than are written")
	}
	part, err := decisionpart.New(bytes.Clone(l.value))
	if err != nil {
		return err
	}
	c.parts = append(c.parts, part)
	return nil
}

// maxParts limits the parts that records refer to at a time, by their partSize together.
const maxParts = 8 << 20

// partSize is about what it takes to keep a part.
func partSize(value []byte) int { return len(value) + 128 }

// partTable has the numbers of the parts that the segment being written has. The zero value is empty.
type partTable struct {
	numbers map[*decisionpart.Part]int
	size    int
}

// reset forgets the parts: those of the next record are written again.
func (t *partTable) reset() { *t = partTable{} }

// append appends the parts of a record that the segment lacks.
func (t *partTable) append(to []byte, prev digest, parts []decisionpart.Placed) ([]byte, digest) {
	more := 0
	for _, p := range parts {
		if _, known := t.numbers[p.Part]; !known {
			more += partSize(p.Part.Value())
		}
	}
	if more == 0 {
		return to, prev
	}
	if t.size+more > maxParts || t.numbers == nil {
		*t = partTable{numbers: map[*decisionpart.Part]int{}}
	}
	for _, p := range parts {
		if _, known := t.numbers[p.Part]; known {
			continue
		}
		start := len(to)
		to = append(strconv.AppendInt(append(to, partStart...), int64(len(t.numbers)), 10), valueMiddle...)
		to, prev = appendHash(append(to, p.Part.Value()...), start, prev)
		t.numbers[p.Part] = len(t.numbers)
		t.size += partSize(p.Part.Value())
	}
	return to, prev
}

// appendReferences appends where a record has which part.
func (t *partTable) appendReferences(to []byte, parts []decisionpart.Placed) []byte {
	if len(parts) == 0 {
		return to
	}
	to = append(to, partsMiddle...)
	for i, p := range parts {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, '[')
		to = strconv.AppendInt(to, int64(p.Offset), 10)
		to = strconv.AppendInt(append(to, ','), int64(t.numbers[p.Part]), 10)
		to = append(to, ']')
	}
	return append(to, ']')
}

func (l *line) parsePart() error {
	number, value, found := bytes.Cut(l.covered[len(partStart):], []byte(valueMiddle))
	n, err := strconv.Atoi(string(number))
	if err != nil || n < 0 || !found {
		return errors.New("the line is not a part of records")
	}
	l.number, l.value = n, value
	return nil
}

// parseReferences parses the list of a record's parts.
func parseReferences(list []byte) ([]reference, error) {
	var pairs [][2]int
	if err := json.Unmarshal(list, &pairs); err != nil {
		return nil, err
	}
	references := make([]reference, len(pairs))
	for i, pair := range pairs {
		references[i] = reference{pair[0], pair[1]}
	}
	return references, nil
}
