package opawire

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

// maxYAML is the maximum size of a YAML body in bytes. The parsed tree takes about a hundred times as much memory.
const maxYAML = 64 << 10

// yamlToJSON converts a YAML document to JSON, so that one parser reads every body. It accepts only what means the same
// in YAML 1.1 and 1.2: no anchors, aliases, merge keys or tags, no line breaks that only 1.1 has, and only strings as names. A plain
// scalar that either version could take for anything but a string must be quoted.
func yamlToJSON(body []byte) (_ []byte, err error) {
	defer func() {
		if recover() != nil { // the YAML parser panicked
			err = yamlError("is not well-formed", 0)
		}
	}()
	switch {
	case len(body) > maxYAML:
		return nil, invalid("The YAML is too large: send at most " + strconv.Itoa(maxYAML>>10) + " KiB, or JSON.")
	case !utf8.Valid(body):
		return nil, yamlError("is not UTF-8", 0)
	case bytes.ContainsAny(body, "\u0085\u2028\u2029"):
		return nil, yamlError("has a character that only YAML 1.1 takes for a line break (escape it in double quotes)", 0)
	}
	var document, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(body))
	if err := in.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil || len(document.Content) != 1 {
		return nil, yamlError("is not well-formed", 0)
	}
	if err := in.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, yamlError("has data after its document", 0)
	}
	return linesOf(body).append(make([]byte, 0, len(body)), document.Content[0], 1)
}

// yamlLines has the characters of a document by lines, because the parser drops the tag !, which makes any scalar a string. It is nil
// for one without tags.
type yamlLines [][]rune

func linesOf(body []byte) (lines yamlLines) {
	if bytes.IndexByte(body, '!') < 0 {
		return nil
	}
	text := strings.TrimPrefix(string(body), "\ufeff") // which the parser does not count
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		lines = append(lines, []rune(line))
	}
	return lines
}

// hasTag reports whether a node begins with a tag.
func (lines yamlLines) hasTag(n *yaml.Node) bool {
	if n.Style&yaml.TaggedStyle != 0 {
		return true
	}
	line, column := n.Line-1, n.Column-1
	return line < len(lines) && column < len(lines[line]) && lines[line][column] == '!'
}

func (lines yamlLines) append(out []byte, n *yaml.Node, depth int) (_ []byte, err error) {
	switch {
	case depth > authzen.MaxDepth+1:
		return nil, yamlError("is nested too deeply", n.Line)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return nil, yamlError("has an anchor or an alias", n.Line)
	case lines.hasTag(n):
		return nil, yamlError("has a tag", n.Line)
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
		case object && !name:
			out = append(out, ':')
		case i > 0:
			out = append(out, ',')
		}
		start := len(out)
		if out, err = lines.append(out, child, depth+1); err != nil {
			return nil, err
		}
		if name && out[start] != '"' {
			return nil, yamlError("has a name that is not a string", child.Line)
		}
	}
	if object {
		return append(out, '}'), nil
	}
	return append(out, ']'), nil
}

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+][0-9]+)?$`)
	// ambiguousScalar matches plain scalars that YAML 1.1 or 1.2 might take for a boolean, a number, a time or an operator.
	ambiguousScalar = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null|=|<<|[-+]?\.(inf|nan)|[-+.]*[0-9][-+.0-9a-foxtz_: ]*)$`)
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
	case tag != "!!str" || ambiguousScalar.MatchString(n.Value):
		return nil, yamlError("has an ambiguous scalar that may or may not be a string (put it in quotes)", n.Line)
	}
	return authzen.AppendString(out, n.Value), nil
}

func yamlError(problem string, line int) error {
	where := ""
	if line > 0 {
		where = " in line " + strconv.Itoa(line)
	}
	return invalid("The YAML " + problem + where + ": send one document of plain values, or JSON.")
}
