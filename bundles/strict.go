package bundles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/bundle"
	"go.yaml.in/yaml/v3"
)

// strict refuses a file that can be read in more than one way, or that parsing would change. The file must be
// authenticated, because the errors quote it.
func (d *dataFile) strict() error {
	inJSON := !bundle.IsYAMLDataFile(d.name)
	switch {
	case inJSON && d.marked:
		return Refusef(Malformed, "%s begins with a byte order mark: save it without one", short(d.name))
	case inJSON && !d.json:
		return Refusef(Malformed, "%s is not JSON: write it as JSON", short(d.name))
	case d.json:
		return d.strictJSON()
	case d.root == nil:
		return nil
	}
	s := strictYAML{name: d.name}
	s.node(d.root)
	return errors.Join(s.faults...)
}

func (d *dataFile) strictJSON() error {
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
			return Refusef(Malformed, "%s: line %d: the number %s is out of range: write it as a string, in quotes", short(d.name), line(in.InputOffset()), short(token.String()))
		}
	}
}

// finite reports whether every reader of JSON can represent a number, possibly rounded.
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

// coreTags are the tags of values that JSON has, too.
var coreTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"}

func (s *strictYAML) node(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		return // its target is checked where it is written
	case n.Style&yaml.TaggedStyle != 0 && !slices.Contains(coreTags, n.ShortTag()):
		s.fault(n, "the tag %q is unknown: write the value without it", short(n.Tag))
		return
	case n.Kind == yaml.ScalarNode && isNumber(n) && !exact(n.Value):
		s.fault(n, "the number %q would be changed by reading it: write it with fewer decimal digits, or as a string, in quotes", short(n.Value))
	case n.Kind == yaml.MappingNode:
		s.names(n)
	}
	for _, child := range n.Content {
		s.node(child)
	}
}

// names refuses names that occur twice, as a string or as a number, or that parsing would change.
func (s *strictYAML) names(n *yaml.Node) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			s.fault(n.Content[i], "a list or a mapping cannot be a name")
			continue
		}
		if tag := key.ShortTag(); !plainName(key.Value, tag) {
			s.fault(n.Content[i], "the name %q is not a string: write it in quotes", short(key.Value))
			continue
		}
		if before, twice := lines[key.Value]; twice {
			s.fault(n.Content[i], "mapping key %q already defined at line %d", short(key.Value), before)
			continue
		}
		lines[key.Value] = n.Content[i].Line
	}
}

// plainName reports whether parsing keeps a name as it is written: a string, or a number or boolean in canonical form.
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

// decimal matches a number as JSON writes it.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// isNumber reports whether a value is a number, including one that YAML takes for a string because it is out of range.
func isNumber(n *yaml.Node) bool {
	tag := n.ShortTag()
	return tag == "!!int" || tag == "!!float" || tag == "!!str" && n.Style == 0 && decimal.MatchString(n.Value)
}

// exact reports whether parsing YAML keeps a number as it is written: decimal and not rounded.
func exact(text string) bool {
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
