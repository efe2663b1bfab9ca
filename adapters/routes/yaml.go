package routes

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The tags of resolved scalars that a route file uses.
const (
	textTag  = "!!str"
	boolTag  = "!!bool"
	intTag   = "!!int"
	floatTag = "!!float"
)

// document parses a file, which must be a single YAML document, and returns its content.
func document(data []byte) (*yaml.Node, error) {
	if len(data) > MaxFile {
		return nil, Faults{{Line: 1, Column: 1, Message: "the file is larger than 1 MiB: remove what is not needed"}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, Faults{{Line: 1, Column: 1, Message: "the file is empty: begin it with version: 1"}}
	case err != nil:
		return nil, syntaxFault(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, Faults{{Line: max(second.Line, 1), Column: max(second.Column, 1), Message: "a second document begins: remove it"}}
	case !errors.Is(err, io.EOF):
		return nil, syntaxFault(err)
	}
	return first.Content[0], nil
}

// entry is a key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// mapping returns the entries of a mapping by key. Unknown and duplicate keys are faults. ok is false if the node is not a
// mapping.
func (p *parser) mapping(n *yaml.Node, what string, known ...string) (entries map[string]entry, ok bool) {
	pairs, ok := p.pairs(n, what)
	if !ok {
		return nil, false
	}
	entries = make(map[string]entry, len(pairs))
	for _, pair := range pairs {
		if !slices.Contains(known, pair.key.Value) {
			p.faults.add(pair.key, "%q is not a key of %s: use %s", pair.key.Value, what, strings.Join(known, ", "))
			continue
		}
		entries[pair.key.Value] = pair
	}
	return entries, true
}

// pairs returns the entries of a mapping in order. A duplicate key is a fault.
func (p *parser) pairs(n *yaml.Node, what string) ([]entry, bool) {
	switch n.Kind {
	case yaml.MappingNode:
	case yaml.AliasNode:
		p.faults.add(n, "%s is an alias: write the value itself", what)
		return nil, false
	default:
		p.faults.add(n, "%s is not a mapping: write it as keys with values", what)
		return nil, false
	}
	lines := make(map[string]int, len(n.Content)/2)
	var entries []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != textTag:
			p.faults.add(key, "a key of %s is not a text: put it in quotes if it is meant", what)
		case lines[key.Value] > 0:
			p.faults.add(key, "%q is there twice, first in line %d: remove one of them", key.Value, lines[key.Value])
		default:
			lines[key.Value] = key.Line
			entries = append(entries, entry{key, value})
		}
	}
	return entries, true
}

// list returns the elements of a sequence.
func (p *parser) list(n *yaml.Node, what string) ([]*yaml.Node, bool) {
	switch n.Kind {
	case yaml.SequenceNode:
		return n.Content, true
	case yaml.AliasNode:
		p.faults.add(n, "%s is an alias: write the value itself", what)
	default:
		p.faults.add(n, "%s is not a list: write it as [A, B] or as lines that begin with a hyphen", what)
	}
	return nil, false
}

// text returns a text, which must not be empty or have control characters.
func (p *parser) text(n *yaml.Node, what string) (string, bool) {
	switch {
	case n.Kind == yaml.AliasNode:
		p.faults.add(n, "%s is an alias: write the value itself", what)
	case n.Kind != yaml.ScalarNode:
		p.faults.add(n, "%s is not a text: write one value", what)
	case n.ShortTag() != textTag:
		p.faults.add(n, "%s is not a text: put it in quotes if it is meant", what)
	case n.Value == "":
		p.faults.add(n, "%s is empty: write a value, or remove the key", what)
	case hasControl(n.Value):
		p.faults.add(n, "%s has a control character or is not UTF-8: remove it", what)
	default:
		return n.Value, true
	}
	return "", false
}

func (p *parser) boolean(n *yaml.Node, what string) (value, ok bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == boolTag {
		return strings.EqualFold(n.Value, "true"), true
	}
	p.faults.add(n, "%s is neither true nor false: write one of them", what)
	return false, false
}

// scalar returns a literal: a text, number or boolean.
func (p *parser) scalar(n *yaml.Node, what string) (any, bool) {
	if n.Kind != yaml.ScalarNode {
		return p.text(n, what) // reports the fault
	}
	switch n.ShortTag() {
	case boolTag:
		return p.boolean(n, what)
	case intTag, floatTag:
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), true
		}
		p.faults.add(n, "%s is a number that JSON does not have: write it in decimal, or put it in quotes", what)
		return nil, false
	}
	return p.text(n, what)
}
