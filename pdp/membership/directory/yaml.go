package directory

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/wardkeeper/wardkeeper/pdp"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// readYAML reads a directory in blocks if its layout allows that.
func readYAML(data []byte, v pdp.Vocabulary, faults *record.Faults) (*record.Document, error) {
	if sections := splitYAML(data, blockSize); sections != nil {
		if d, err := record.ReadDocument(&yamlBlocks{sections: sections}, v, faults); err == nil {
			return d, nil
		}
		*faults = record.Faults{}
	}
	whole, err := newYAMLTokens(data)
	if err != nil {
		return nil, err
	}
	return record.ReadDocument(whole, v, faults)
}

var errAliases = errors.New("anchors and aliases are not accepted")

// yamlTokens reads one YAML 1.2 document of plain values: no anchors, aliases, merge keys or tags.
type yamlTokens struct {
	root  *yaml.Node
	stack []yamlFrame
}

type yamlFrame struct {
	node *yaml.Node
	next int
}

func newYAMLTokens(data []byte) (*yamlTokens, error) {
	root, err := wholeYAML(data)
	if err != nil {
		return nil, err
	}
	return &yamlTokens{root: root}, nil
}

// wholeYAML reads the only document in data.
func wholeYAML(data []byte) (*yaml.Node, error) {
	if !utf8.Valid(data) { // the parser accepts UTF-16 too
		return nil, errors.New("the document is not UTF-8")
	}
	in := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := decodeYAML(in)
	switch {
	case err == io.EOF || err == nil && len(doc.Content) == 0:
		return nil, record.ErrEmpty
	case err != nil:
		return nil, err
	}
	switch _, err := decodeYAML(in); {
	case err == nil:
		return nil, record.ErrTrailing
	case err != io.EOF:
		return nil, err
	}
	return doc.Content[0], nil
}

// decodeYAML turns a panic of the parser into an error, so that no file can stop the sidecar.
func decodeYAML(in *yaml.Decoder) (doc yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the document cannot be read as YAML")
		}
	}()
	if err := in.Decode(&doc); err == io.EOF {
		return doc, io.EOF
	} else if err != nil {
		return doc, yamlError(err)
	}
	return doc, nil
}

var yamlPhrases = []string{
	"did not find expected '-' indicator", "did not find expected ',' or ']'", "did not find expected ',' or '}'",
	"could not find expected ':'", "could not find expected directive name",
	"did not find expected alphabetic or numeric character", "did not find expected comment or line break",
	"did not find expected <document start>", "did not find expected hexdecimal number",
	"did not find expected key", "did not find expected node content",
	"did not find expected whitespace or line break", "did not find expected whitespace", "did not find expected tag URI",
	"did not find expected", "found character that cannot start any token",
	"found a tab character that violates indentation", "found a tab character where an indentation space is expected",
	"found an indentation indicator equal to 0", "found invalid Unicode character escape code",
	"found undefined tag handle", "found unexpected document indicator", "found unexpected end of stream",
	"found unknown escape character", "found unknown directive name", "found incompatible YAML document",
	"found duplicate", "block sequence entries are not allowed in this context",
	"mapping keys are not allowed in this context", "mapping values are not allowed in this context",
	"control characters are not allowed", "exceeded max depth",
}

var yamlLine = regexp.MustCompile(`^yaml: (line [0-9]+: )?`)

// yamlError returns an error with the position where a document cannot be read. It does not quote the document.
func yamlError(err error) error {
	where := yamlLine.FindString(err.Error())
	message := err.Error()[len(where):]
	if strings.Contains(message, "unknown anchor") || strings.HasPrefix(message, "anchor") {
		return errAliases
	}
	return errors.New(cmp.Or(where, "yaml: ") + record.SafePhrase(message, yamlPhrases, "not well-formed YAML"))
}

func (y *yamlTokens) Next() (record.Token, error) {
	if y.root != nil {
		n := y.root
		y.root = nil
		return y.enter(n), nil
	}
	if len(y.stack) == 0 {
		return record.Token{}, io.EOF
	}
	top := &y.stack[len(y.stack)-1]
	if top.next == len(top.node.Content) {
		y.stack = y.stack[:len(y.stack)-1]
		return record.Token{Kind: record.KindEnd}, nil
	}
	n := top.node.Content[top.next]
	top.node.Content[top.next] = nil // frees the node tree while the records are read
	top.next++
	return y.enter(n), nil
}

// done reports whether only the end of the outermost list is left.
func (y *yamlTokens) done() bool {
	return len(y.stack) == 1 && y.stack[0].next == len(y.stack[0].node.Content)
}

func (y *yamlTokens) enter(n *yaml.Node) record.Token {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return record.Token{Kind: record.KindRefused, Text: "an anchor or alias"}
	case n.Style&yaml.TaggedStyle != 0:
		return record.Token{Kind: record.KindRefused, Text: "a tag"}
	case n.Kind == yaml.MappingNode:
		y.stack = append(y.stack, yamlFrame{node: n})
		return record.Token{Kind: record.KindObject}
	case n.Kind == yaml.SequenceNode:
		y.stack = append(y.stack, yamlFrame{node: n})
		return record.Token{Kind: record.KindArray}
	}
	switch n.Tag {
	case "!!str":
		return record.Token{Kind: record.KindText, Text: n.Value}
	case "!!timestamp":
		return record.Token{Kind: record.KindTimestamp, Text: n.Value}
	case "!!null":
		return record.Token{Kind: record.KindNull}
	case "!!bool":
		return record.Token{Kind: record.KindBoolean, Text: n.Value}
	case "!!int", "!!float":
		return record.Token{Kind: record.KindNumber, Text: n.Value}
	case "!!merge":
		return record.Token{Kind: record.KindRefused, Text: "a merge key"}
	}
	return record.Token{Kind: record.KindRefused, Text: "a tag"}
}
