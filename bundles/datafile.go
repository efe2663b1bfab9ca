package bundles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

const (
	// maxDepth bounds the nesting of values in a data file.
	maxDepth = 100
	// maxNames bounds the names in one YAML mapping: the reader compares each name with every other.
	maxNames = 10_000
)

// byteOrderMark is the mark that some editors write before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// dataFile is a data file or manifest that has been measured but not yet parsed into values.
type dataFile struct {
	name   string
	data   []byte
	marked bool       // whether a byte order mark preceded data
	json   bool       // otherwise YAML
	root   *yaml.Node // of YAML; nil if it is empty
}

// measureDataFile bounds the memory that parsing a file takes. The file's size does not bound it: a list of empty objects
// takes a hundred times as much. nodes is how many values and names the rest of the bundle may have; measureDataFile
// subtracts those it finds.
//
// The file may not be authenticated yet, so errors do not quote it.
func measureDataFile(f File, nodes *int) (*dataFile, error) {
	d := &dataFile{name: f.Name}
	d.data, d.marked = bytes.CutPrefix(f.Data, byteOrderMark)
	if !utf8.Valid(d.data) {
		return nil, Refusef(Malformed, "%q is not UTF-8", short(f.Name))
	}
	d.json = json.Valid(d.data)
	measure := d.measureYAML
	if d.json {
		measure = d.measureJSON
	}
	used, err := measure(*nodes)
	*nodes -= used
	return d, err
}

func (d *dataFile) tooMany() error {
	return Refusef(TooLarge, "its data has too many values, up to %q: reduce it, or raise size_limit_bytes", short(d.name))
}

func (d *dataFile) tooDeep() error {
	return Refusef(TooLarge, "%q is nested deeper than %d", short(d.name), maxDepth)
}

func (d *dataFile) measureJSON(limit int) (used int, err error) {
	in := jsontext.NewDecoder(bytes.NewReader(d.data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := in.ReadToken()
		switch {
		case err == io.EOF:
			return used, nil
		case err != nil:
			return used, d.unreadable()
		case token.Kind() == '}' || token.Kind() == ']':
			continue
		}
		if used++; used > limit {
			return used, d.tooMany()
		}
		if in.StackDepth() > maxDepth {
			return used, d.tooDeep()
		}
	}
}

func (d *dataFile) unreadable() error {
	return Refusef(Malformed, "%q cannot be read: it is neither JSON nor YAML", short(d.name))
}

// faultyLine finds the line in an error of YAML, which may quote the file besides, and whether its parser or its scanner found it.
var faultyLine = regexp.MustCompile(`\bline (\d+)(: did not find expected)?`)

// whereFaulty says where there is no YAML. The library's scanner names the line. Its parser names the one before the list or mapping in
// which something is missing or too much, on whichever line that is, or before what it met there.
func whereFaulty(err error) string {
	found := faultyLine.FindStringSubmatch(err.Error())
	if found == nil {
		return ""
	}
	line, _ := strconv.Atoi(found[1]) // a line that there is
	if found[2] != "" {
		line++
	}
	return fmt.Sprintf("near line %d: look above and below it, too", line)
}

// measureYAML counts the nodes of a YAML file and keeps their tree. The characters that can begin a node bound its size.
func (d *dataFile) measureYAML(limit int) (used int, err error) {
	if indicators(d.data) > 2*limit {
		return 0, d.tooMany()
	}
	if d.root, err = parseYAML(d.data); err != nil {
		if where := whereFaulty(err); where != "" {
			return 0, Refusef(Malformed, "%q cannot be read: it is no YAML %s", short(d.name), where)
		}
		return 0, d.unreadable()
	}
	if d.root == nil {
		return 0, nil
	}
	m := measure{limit: limit, known: map[*yaml.Node]extent{}}
	whole, err := m.node(d.root, 1)
	switch {
	case errors.Is(err, errDeep):
		return 0, d.tooDeep()
	case errors.Is(err, errWide):
		return 0, Refusef(TooLarge, "%q has more than %d names in one mapping: write it as data.json", short(d.name), maxNames)
	case err != nil:
		return 0, d.unreadable()
	case whole.nodes > limit:
		return limit, d.tooMany()
	}
	return whole.nodes, nil
}

// indicators counts the characters that can begin a node, including those in strings and comments. One of them precedes
// every node of a document except the first, and each begins at most two nodes.
func indicators(data []byte) (n int) {
	for _, b := range data {
		switch b {
		case ',', ':', '-', '?', '[', '{':
			n++
		}
	}
	return n
}

var errSeveral = errors.New("more than one document")

// parseYAML parses a stream of one document. It returns nil if the stream is empty, and fails if there are more.
func parseYAML(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil { // a file must not crash the process
			root, err = nil, errors.New("not YAML")
		}
	}()
	in := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := in.Decode(&document); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := in.Decode(new(yaml.Node)); err != io.EOF {
		if err == nil {
			err = errSeveral
		}
		return nil, err
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

// measure counts nodes with aliases expanded.
type measure struct {
	limit int
	known map[*yaml.Node]extent // for nodes with an anchor; zero while a node is being counted
}

type extent struct{ nodes, height int }

var (
	errDeep   = errors.New("nested too deep")
	errWide   = errors.New("too many names")
	errCyclic = errors.New("an alias within its own target")
)

func (m *measure) node(n *yaml.Node, level int) (e extent, err error) {
	if level > maxDepth {
		return e, errDeep
	}
	if n.Kind == yaml.AliasNode {
		return m.alias(n.Alias, level)
	}
	if n.Anchor != "" {
		m.known[n] = extent{}
		defer func() { m.known[n] = e }()
	}
	if n.Kind == yaml.MappingNode && len(n.Content) > 2*maxNames {
		return e, errWide
	}
	e = extent{nodes: 1, height: 1}
	for _, child := range n.Content {
		inner, err := m.node(child, level+1)
		if err != nil {
			return extent{}, err
		}
		e.nodes = min(e.nodes+inner.nodes, m.limit+1)
		e.height = max(e.height, inner.height+1)
	}
	return e, nil
}

func (m *measure) alias(target *yaml.Node, level int) (extent, error) {
	e, ok := m.known[target]
	switch {
	case !ok || e.nodes == 0:
		return e, errCyclic
	case level+e.height-1 > maxDepth:
		return e, errDeep
	}
	return e, nil
}
