package directory

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// yamlBlocks reads YAML directories with the usual layout a few records at a time: two lists of records, each record
// with a dash in the same column. The parser's nodes of a whole document take about forty times the size of the file: a
// directory of 200,000 users, 47 MB, loads within 0.5 GB in blocks and within 1.8 GB as a whole.
//
// Cutting before a dash is safe. In that column only a quoted text or a value in brackets can continue. If one is cut, the
// block is not valid YAML, and the document is read as a whole instead (errNotInBlocks).
type yamlBlocks struct {
	sections []yamlSection
	began    bool
	rows     *yamlTokens // of the current block
	pending  []record.Token
}

type yamlSection struct {
	name   string
	column int
	blocks [][]byte
}

const blockSize = 256 << 10

var errNotInBlocks = errors.New("the document cannot be read in blocks")

// splitYAML cuts data into blocks of about the given size. It returns nil for any other layout.
func splitYAML(data []byte, size int) []yamlSection {
	var sections []yamlSection
	start := -1 // of the current block
	cut := func(end int) {
		if start >= 0 {
			last := &sections[len(sections)-1]
			last.blocks = append(last.blocks, data[start:end])
		}
		start = -1
	}
	for pos := 0; pos < len(data); {
		begin, line := pos, data[pos:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		pos += len(line) + 1
		line = bytes.TrimRight(line, " \r")
		content := bytes.TrimLeft(line, " ")
		column := len(line) - len(content)
		dash := bytes.HasPrefix(content, []byte("- ")) || string(content) == "-"
		switch {
		case len(content) == 0 || content[0] == '#':
		case len(sections) == 0 && string(line) == "---":
		case column == 0 && !dash:
			name, found := bytes.CutSuffix(line, []byte(":"))
			if !found || string(name) != record.LocationList.String() && string(name) != record.UserList.String() {
				return nil
			}
			cut(begin)
			sections = append(sections, yamlSection{name: string(name), column: -1})
		case len(sections) == 0:
			return nil
		default:
			section := &sections[len(sections)-1]
			if section.column < 0 && dash {
				section.column = column
			}
			if column < section.column || column == section.column && !dash || section.column < 0 {
				return nil
			}
			if column > section.column {
				continue
			}
			if start >= 0 && begin-start >= size {
				cut(begin)
			}
			if start < 0 {
				start = begin
			}
		}
	}
	cut(len(data))
	for _, s := range sections {
		if len(s.blocks) == 0 {
			return nil
		}
	}
	return sections
}

func (y *yamlBlocks) Next() (record.Token, error) {
	for {
		switch {
		case !y.began:
			y.began = true
			return record.Token{Kind: record.KindObject}, nil
		case len(y.pending) > 0:
			t := y.pending[0]
			y.pending = y.pending[1:]
			return t, nil
		case y.rows != nil && !y.rows.done():
			return y.rows.Next()
		case len(y.sections) == 0:
			return record.Token{}, io.EOF
		}
		if err := y.advance(); err != nil {
			return record.Token{}, err
		}
	}
}

// advance moves to the next block, section or end.
func (y *yamlBlocks) advance() error {
	section := &y.sections[0]
	if y.rows == nil {
		y.pending = append(y.pending, record.Token{Kind: record.KindText, Text: section.name}, record.Token{Kind: record.KindArray})
	}
	if len(section.blocks) == 0 {
		y.rows = nil
		y.sections = y.sections[1:]
		y.pending = append(y.pending, record.Token{Kind: record.KindEnd})
		if len(y.sections) == 0 {
			y.pending = append(y.pending, record.Token{Kind: record.KindEnd})
		}
		return nil
	}
	root, err := wholeYAML(section.blocks[0])
	if err != nil || root.Kind != yaml.SequenceNode || root.Anchor != "" || root.Style != 0 {
		return errNotInBlocks
	}
	section.blocks = section.blocks[1:]
	y.rows = &yamlTokens{stack: []yamlFrame{{node: root}}}
	return nil
}
