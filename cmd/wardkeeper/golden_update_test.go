package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// goldenAnswer names the members of a case that are the answer, in the order in which they are written.
var goldenAnswer = []string{"decision", "reasons", "obligations", "advice"}

// goldenOrder is how the members of a reason, an obligation or an advice are written; any others follow by name.
var goldenOrder = []string{
	"id", "type", "code", "field", "area", "rule", "locations", "message", "properties",
	"action", "cause", "subject", "organization", "channel", "to", "topic", "body",
}

// update rewrites the answers of the file.
func (g *golden) update(t *testing.T, ask door) {
	t.Helper()
	path := filepath.Join(goldenDecisions, g.path)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	text := g.rewritten(t, data, func(c goldenCase) []byte { return ask(t, c.question(t)) })
	if text != string(data) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// TestGoldenFilesAreWrittenAlike holds the files to what -update makes of them, so that it changes nothing else.
func TestGoldenFilesAreWrittenAlike(t *testing.T) {
	for _, at := range goldenPaths(t) {
		data, err := os.ReadFile(filepath.Join(goldenDecisions, at))
		require.NoError(t, err)
		text := readGolden(t, at).rewritten(t, data, func(c goldenCase) []byte { return c.answer(t) })
		require.Equal(t, string(data), text, at)
	}
}

// rewritten is the text of the file with other answers. What is right already stays as it is, with its comments.
func (g *golden) rewritten(t *testing.T, data []byte, answer func(goldenCase) []byte) string {
	t.Helper()
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(data, &document))
	cases := member(document.Content[0], "cases")
	require.NotNil(t, cases, g.path)
	for i, node := range cases.Content {
		var said struct {
			Decision bool
			Context  map[string]any
		}
		require.NoError(t, json.Unmarshal(answer(g.Cases[i]), &said))
		wanted := map[string]any{"decision": said.Decision}
		maps.Copy(wanted, said.Context)
		setAnswer(t, node, wanted)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	require.NoError(t, encoder.Encode(&document))
	return spaced(out.String())
}

// setAnswer puts the answer behind whatever else the case says.
func setAnswer(t *testing.T, node *yaml.Node, wanted map[string]any) {
	t.Helper()
	var kept []*yaml.Node
	found := map[string][]*yaml.Node{}
	for i := 0; i < len(node.Content); i += 2 {
		pair := node.Content[i : i+2]
		if name := pair[0].Value; slices.Contains(goldenAnswer, name) {
			found[name] = pair
		} else {
			kept = append(kept, pair...)
		}
	}
	for _, name := range goldenAnswer {
		value, given := wanted[name]
		if !given {
			continue
		}
		pair := found[name]
		if pair == nil {
			pair = []*yaml.Node{scalar(t, name), nil}
		}
		if pair[1] == nil || !says(pair[1], value) {
			pair[1] = written(t, value, 0)
		}
		kept = append(kept, pair...)
	}
	node.Content = kept
}

func says(node *yaml.Node, value any) bool {
	var said any
	return node.Decode(&said) == nil && reflect.DeepEqual(said, value)
}

// written is a value as YAML: a list with one element a line, and everything deeper in braces.
func written(t *testing.T, value any, depth int) *yaml.Node {
	t.Helper()
	switch v := value.(type) {
	case []any:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if depth > 0 {
			list.Style = yaml.FlowStyle
		}
		for _, element := range v {
			list.Content = append(list.Content, written(t, element, depth+1))
		}
		return list
	case map[string]any:
		members := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		names := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
		})
		for _, name := range names {
			members.Content = append(members.Content, scalar(t, name), written(t, v[name], depth+1))
		}
		return members
	}
	return scalar(t, value)
}

func rank(name string) int {
	if i := slices.Index(goldenOrder, name); i >= 0 {
		return i
	}
	return len(goldenOrder)
}

func scalar(t *testing.T, value any) *yaml.Node {
	t.Helper()
	node := &yaml.Node{}
	require.NoError(t, node.Encode(value))
	return node
}

// member finds a member of a mapping, nil where there is none.
func member(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// spaced sets the cases apart with empty lines, which the YAML library does not keep.
func spaced(text string) string {
	var out strings.Builder
	inCases, before := false, ""
	for line := range strings.Lines(text) {
		comment := strings.HasPrefix(before, "  #")
		begins := strings.HasPrefix(line, "  - ") || strings.HasPrefix(line, "  #")
		if inCases && begins && !comment && before != "cases:\n" {
			out.WriteByte('\n')
		}
		inCases = inCases || line == "cases:\n"
		out.WriteString(line)
		before = line
	}
	return out.String()
}
