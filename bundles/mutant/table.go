package mutant

import (
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// ofTable returns the mutants of a file of data, which is YAML or JSON: each cell has another value, and each entry is left out.
func ofTable(f bundles.File) ([]Mutant, error) {
	root, err := document(f.Data)
	if err != nil || root == nil {
		return nil, err
	}
	t := table{File: f, seen: columns{}}
	t.walk(root, nil, "", "", func(n *yaml.Node, _ []int, _ string, in column) {
		if n.Tag == "!!str" {
			t.seen.add(in, n.Value)
		}
	}, nil)
	t.walk(root, nil, "", "", t.cell, t.entry)
	return t.found, nil
}

// document returns the value of a document; nil if it has none.
func document(data []byte) (*yaml.Node, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if root.Kind != yaml.DocumentNode {
		return nil, nil
	}
	return root.Content[0], nil
}

type table struct {
	bundles.File
	seen  columns
	found []Mutant
}

// walk visits the scalars and the entries below a node. A position leads to a node by the places in Content.
func (t *table) walk(n *yaml.Node, at []int, name string, in column, scalar func(*yaml.Node, []int, string, column), entry func(n *yaml.Node, at []int, name string, width int)) {
	switch n.Kind {
	case yaml.ScalarNode:
		scalar(n, at, name, in)
	case yaml.SequenceNode:
		for i, element := range n.Content {
			position, named := append(slices.Clip(at), i), name+"["+strconv.Itoa(i)+"]"
			if entry != nil {
				entry(element, position, named, 1)
			}
			t.walk(element, position, named, in, scalar, entry)
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			position, named := append(slices.Clip(at), i), strings.TrimPrefix(name+"."+key.Value, ".")
			if entry != nil {
				entry(key, position, named, 2)
			}
			t.walk(n.Content[i+1], append(slices.Clip(at), i+1), named, column(key.Value), scalar, entry)
		}
	}
}

// entry adds the mutant without an entry of a list, or of an object.
func (t *table) entry(n *yaml.Node, at []int, name string, width int) {
	t.add(n, at, name, "left out: "+quote(name), func(parent *yaml.Node, i int) {
		parent.Content = slices.Delete(parent.Content, i, i+width)
	})
}

// cell adds the mutant with another value in a cell.
func (t *table) cell(n *yaml.Node, at []int, name string, in column) {
	if len(at) == 0 {
		return // the whole document
	}
	is := *n
	switch n.Tag {
	case "!!bool":
		is.Value = strconv.FormatBool(n.Value != "true")
	case "!!int":
		number, err := strconv.Atoi(n.Value)
		if err != nil {
			return
		}
		is.Value = strconv.Itoa(number + 1)
	case "!!str":
		is.Value, is.Style = t.seen.other(in, n.Value), yaml.DoubleQuotedStyle
	default:
		return
	}
	t.add(n, at, name, quote(n.Value)+" becomes "+quote(is.Value), func(parent *yaml.Node, i int) {
		changed := is
		parent.Content[i] = &changed
	})
}

// add adds a mutant that changes the parent of the node at a position.
func (t *table) add(n *yaml.Node, at []int, name, change string, edit func(parent *yaml.Node, i int)) {
	source := t.Data
	t.found = append(t.found, Mutant{Name: t.Name, Line: n.Line, At: name, Change: change, apply: func() ([]byte, error) {
		root, err := document(source)
		if err != nil {
			return nil, err
		}
		parent := root
		for _, i := range at[:len(at)-1] {
			parent = parent.Content[i]
		}
		edit(parent, at[len(at)-1])
		if path.Ext(t.Name) != ".json" {
			return yaml.Marshal(root)
		}
		var value any
		if err := root.Decode(&value); err != nil {
			return nil, err
		}
		return json.Marshal(value)
	}})
}
