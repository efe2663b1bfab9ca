package bundles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/bundle"
	"go.yaml.in/yaml/v3"
)

const (
	// maxDepth is how deep the values of a data file may be nested.
	maxDepth = 100
	// maxNames is how many names one mapping of YAML may have: its reader compares each with every other one.
	maxNames = 10_000
)

// byteOrderMark is what some editors write in front of a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// document is a data file or a manifest before anything is built of it.
type document struct {
	name   string
	data   []byte
	marked bool       // by a byte order mark, which is not in data
	json   bool       // or else YAML
	root   *yaml.Node // of YAML; nil where it is empty
}

// readDocument bounds what a file makes when it is read. Bytes are no measure of that: a list of empty objects takes a
// hundred times its size. nodes is how many values and names are left for the whole bundle.
//
// The file need not be authentic yet, so the errors tell nothing of what is in it.
func readDocument(f File, nodes *int) (*document, error) {
	d := &document{name: f.Name}
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

func (d *document) tooMany() error {
	return Refusef(TooLarge, "there are too many values in its data, up to %q: keep less in it, or raise size_limit_bytes", short(d.name))
}

func (d *document) tooDeep() error {
	return Refusef(TooLarge, "%q is nested deeper than %d", short(d.name), maxDepth)
}

func (d *document) measureJSON(limit int) (used int, err error) {
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

func (d *document) unreadable() error {
	return Refusef(Malformed, "%q cannot be read: it is neither JSON nor YAML", short(d.name))
}

// measureYAML keeps the tree of nodes, which is bounded by the signs that begin one.
func (d *document) measureYAML(limit int) (used int, err error) {
	if indicators(d.data) > 2*limit {
		return 0, d.tooMany()
	}
	if d.root, err = parseYAML(d.data); err != nil {
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

// indicators counts the signs of which one stands before every node of a document but the first: no more than two nodes
// come with each. Those in texts and comments count too, so that nobody has to tell them apart.
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

// parseYAML reads the first document of a stream; nil where it is empty.
func parseYAML(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil { // whatever the file says, the parser must not bring the process down
			root, err = nil, errors.New("no YAML")
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

// measure counts nodes as they come out where aliases are followed.
type measure struct {
	limit int
	known map[*yaml.Node]extent // of what has an anchor; without nodes while it is being counted
}

type extent struct{ nodes, height int }

var (
	errDeep   = errors.New("nested too deep")
	errWide   = errors.New("too many names")
	errItself = errors.New("an alias of what it is in")
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
		return e, errItself
	case level+e.height-1 > maxDepth:
		return e, errDeep
	}
	return e, nil
}

// strict refuses what can be read in more than one way, or comes out otherwise than it was written. The file has to be
// authentic: its errors quote it.
func (d *document) strict() error {
	inJSON := !bundle.IsYAMLDataFile(d.name)
	switch {
	case inJSON && d.marked:
		return Refusef(Malformed, "%s begins with a byte order mark: save it without one", short(d.name))
	case inJSON && !d.json:
		return Refusef(Malformed, "%s is no JSON: write it as such", short(d.name))
	case d.json:
		return d.strictJSON()
	case d.root == nil:
		return nil
	}
	s := strictYAML{name: d.name}
	s.node(d.root)
	return errors.Join(s.faults...)
}

func (d *document) strictJSON() error {
	in := jsontext.NewDecoder(bytes.NewReader(d.data))
	line := func(offset int64) int { return 1 + bytes.Count(d.data[:min(offset, int64(len(d.data)))], []byte("\n")) }
	for {
		token, err := in.ReadToken()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, jsontext.ErrDuplicateName):
			e, _ := errors.AsType[*jsontext.SyntacticError](err)
			return Refusef(Malformed, "%s: line %d: name %q already defined", short(d.name), line(e.ByteOffset), short(e.JSONPointer.LastToken()))
		case err != nil:
			return d.unreadable()
		case token.Kind() == '0' && !finite(token.String()):
			return Refusef(Malformed, "%s: line %d: the number %s is out of range: write it as a text, in quotes", short(d.name), line(in.InputOffset()), short(token.String()))
		}
	}
}

// finite says whether a number is one that every reader of JSON can hold, be it rounded.
func finite(text string) bool {
	value, err := strconv.ParseFloat(text, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	return err == nil && len(text) <= 100 && (value != 0 || !strings.ContainsAny(mantissa, "123456789"))
}

// strictYAML collects the faults of a YAML document.
type strictYAML struct {
	name   string
	faults []error
}

func (s *strictYAML) fault(n *yaml.Node, format string, args ...any) {
	if len(s.faults) < maxFaults {
		s.faults = append(s.faults, Refusef(Malformed, "%s: line %d: %s", short(s.name), n.Line, fmt.Sprintf(format, args...)))
	}
}

// coreTags are those of the values that JSON has.
var coreTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"}

func (s *strictYAML) node(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		return // what it stands for is judged where it is written
	case n.Style&yaml.TaggedStyle != 0 && !slices.Contains(coreTags, n.ShortTag()):
		s.fault(n, "the tag %q is not known: write the value without one", short(n.Tag))
		return
	case n.Kind == yaml.ScalarNode && isNumber(n) && !kept(n.Value):
		s.fault(n, "the number %q would not come out as it is written: write it in decimal digits that fit, or as a text, in quotes", short(n.Value))
	case n.Kind == yaml.MappingNode:
		s.names(n)
	}
	for _, child := range n.Content {
		s.node(child)
	}
}

// names refuses a name that comes twice, be it as a text or as a number, or whose text is another one than was written.
func (s *strictYAML) names(n *yaml.Node) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			s.fault(n.Content[i], "a list or a mapping is no name")
			continue
		}
		if tag := key.ShortTag(); !plainName(key.Value, tag) {
			s.fault(n.Content[i], "the name %q is no text: write it in quotes", short(key.Value))
			continue
		}
		if before, twice := lines[key.Value]; twice {
			s.fault(n.Content[i], "mapping key %q already defined at line %d", short(key.Value), before)
			continue
		}
		lines[key.Value] = n.Content[i].Line
	}
}

// plainName says whether a name comes out as it is written: text does, and whole numbers and booleans in their one form.
func plainName(text, tag string) bool {
	switch tag {
	case "!!str", "!!merge", "!!timestamp":
		return true
	case "!!bool":
		return text == "true" || text == "false"
	case "!!int":
		n, err := strconv.ParseInt(text, 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == text
	}
	return false
}

// decimal is a number as JSON writes it.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// isNumber says whether a value is a number, or one that YAML takes for a text since it is out of range.
func isNumber(n *yaml.Node) bool {
	tag := n.ShortTag()
	return tag == "!!int" || tag == "!!float" || tag == "!!str" && n.Style == 0 && decimal.MatchString(n.Value)
}

// kept says whether YAML gives a number as it was written: not in hexadecimal, and not rounded.
func kept(text string) bool {
	if len(text) > 100 || !decimal.MatchString(text) {
		return false
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return true
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return true
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value == 0 || !finite(text) {
		return err == nil && finite(text)
	}
	written, ok := new(big.Rat).SetString(text)
	read, ok2 := new(big.Rat).SetString(strconv.FormatFloat(value, 'g', -1, 64))
	return ok && ok2 && written.Cmp(read) == 0
}
