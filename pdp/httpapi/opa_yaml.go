package httpapi

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// maxYAML is the most bytes of a body of YAML: its tree is a hundred times as large.
const maxYAML = 64 << 10

// yamlAsJSON writes a document of YAML as JSON, for the one parser that reads every body. It takes what YAML 1.1 and 1.2
// understand alike: plain values without anchors, aliases, merge keys and tags, whose names are strings. A word that one
// of the two takes for something else than a string has to be quoted.
func yamlAsJSON(body []byte) (_ []byte, err error) {
	defer func() {
		if recover() != nil { // a parser that a body brings down
			err = badYAML("is not well-formed", 0)
		}
	}()
	switch {
	case len(body) > maxYAML:
		return nil, invalid("The YAML is too large: send at most " + strconv.Itoa(maxYAML>>10) + " KiB, or JSON.")
	case !utf8.Valid(body):
		return nil, badYAML("is not UTF-8", 0)
	}
	var document, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(body))
	if err := in.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil || len(document.Content) != 1 {
		return nil, badYAML("is not well-formed", 0)
	}
	if err := in.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, badYAML("goes on after its document", 0)
	}
	return appendYAML(make([]byte, 0, len(body)), document.Content[0], 1)
}

func appendYAML(out []byte, n *yaml.Node, depth int) (_ []byte, err error) {
	switch {
	case depth > authzen.MaxDepth+1:
		return nil, badYAML("is too deep", n.Line)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return nil, badYAML("has an anchor or an alias", n.Line)
	case n.Style&yaml.TaggedStyle != 0:
		return nil, badYAML("has a tag", n.Line)
	case n.Kind == yaml.ScalarNode:
		return appendYAMLScalar(out, n)
	}
	object := n.Kind == yaml.MappingNode
	if object {
		out = append(out, '{')
	} else {
		out = append(out, '[')
	}
	for i, child := range n.Content {
		name := object && i%2 == 0
		switch {
		case name && (child.Kind != yaml.ScalarNode || child.ShortTag() != "!!str"):
			return nil, badYAML("has a name that is no string", child.Line)
		case object && !name:
			out = append(out, ':')
		case i > 0:
			out = append(out, ',')
		}
		if out, err = appendYAML(out, child, depth+1); err != nil {
			return nil, err
		}
	}
	if object {
		return append(out, '}'), nil
	}
	return append(out, ']'), nil
}

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+][0-9]+)?$`)
	// oddWords are those that YAML 1.1 or 1.2 might take for a boolean, a number, a time or an operator.
	oddWords = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null|=|<<|[-+]?\.(inf|nan)|[-+.]*[0-9][-+.0-9a-foxtz_: ]*)$`)
)

func appendYAMLScalar(out []byte, n *yaml.Node) ([]byte, error) {
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return authzen.AppendString(out, n.Value), nil
	}
	switch tag := n.ShortTag(); {
	case tag == "!!null":
		return append(out, "null"...), nil
	case tag == "!!bool" && strings.EqualFold(n.Value, "true"):
		return append(out, "true"...), nil
	case tag == "!!bool" && strings.EqualFold(n.Value, "false"):
		return append(out, "false"...), nil
	case jsonNumber.MatchString(n.Value):
		return append(out, n.Value...), nil
	case tag != "!!str" || oddWords.MatchString(n.Value):
		return nil, badYAML("has a word that some take for a string and some do not (put it in quotes)", n.Line)
	}
	return authzen.AppendString(out, n.Value), nil
}

func badYAML(what string, line int) error {
	where := ""
	if line > 0 {
		where = " in line " + strconv.Itoa(line)
	}
	return invalid("The YAML " + what + where + ": send one document of plain values, or JSON.")
}
