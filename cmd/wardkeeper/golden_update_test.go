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

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// answerMembers are the members of a case that make up the answer, in the order in which they are written.
var answerMembers = []string{"decision", "reasons", "obligations", "advice"}

// memberOrder is the order in which the members of a reason, an obligation or an advice are written; others follow by name.
var memberOrder = []string{
	"id", "type", "code", "field", "area", "rule", "locations", "message", "properties",
	"action", "cause", "subject", "organization", "channel", "to", "topic", "body",
}

// updateGolden rewrites the answers of a file.
func updateGolden(t *testing.T, file *golden.File, ask askFunc) {
	t.Helper()
	path := filepath.Join(goldenDecisions, file.Path)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	text := rewriteGolden(t, file, data, func(c golden.Case) []byte { return ask(t, goldenQuestion(t, c)) })
	if text != string(data) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// The files are formatted as -update formats them, so that it changes nothing else.
func TestGoldenFilesAreFormatted(t *testing.T) {
	for _, at := range goldenPaths(t) {
		data, err := os.ReadFile(filepath.Join(goldenDecisions, at))
		require.NoError(t, err)
		text := rewriteGolden(t, readGolden(t, at), data, func(c golden.Case) []byte { return goldenAnswer(t, c) })
		require.Equal(t, string(data), text, at)
	}
}

// rewriteGolden returns the text of a file with other answers. Correct answers keep their format and comments.
func rewriteGolden(t *testing.T, file *golden.File, data []byte, answer func(golden.Case) []byte) string {
	t.Helper()
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(data, &document))
	cases := member(document.Content[0], "cases")
	require.NotNil(t, cases, file.Path)
	for i, node := range cases.Content {
		var got struct {
			Decision bool
			Context  map[string]any
		}
		require.NoError(t, json.Unmarshal(answer(file.Cases[i]), &got))
		wanted := map[string]any{"decision": got.Decision}
		maps.Copy(wanted, got.Context)
		setAnswer(t, node, wanted)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	require.NoError(t, encoder.Encode(&document))
	return blankLinesBetween(out.String())
}

// setAnswer puts the answer after the other members of a case.
func setAnswer(t *testing.T, node *yaml.Node, wanted map[string]any) {
	t.Helper()
	var kept []*yaml.Node
	found := map[string][]*yaml.Node{}
	for i := 0; i < len(node.Content); i += 2 {
		pair := node.Content[i : i+2]
		if name := pair[0].Value; slices.Contains(answerMembers, name) {
			found[name] = pair
		} else {
			kept = append(kept, pair...)
		}
	}
	for _, name := range answerMembers {
		value, given := wanted[name]
		if !given {
			continue
		}
		pair := found[name]
		if pair == nil {
			pair = []*yaml.Node{scalar(t, name), nil}
		}
		if pair[1] == nil || !equals(pair[1], value) {
			pair[1] = toYAML(t, value, 0)
		}
		kept = append(kept, pair...)
	}
	node.Content = kept
}

func equals(node *yaml.Node, value any) bool {
	var decoded any
	return node.Decode(&decoded) == nil && reflect.DeepEqual(decoded, value)
}

// toYAML converts a value to YAML: a list has one element per line, and everything deeper is in braces.
func toYAML(t *testing.T, value any, depth int) *yaml.Node {
	t.Helper()
	switch v := value.(type) {
	case []any:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if depth > 0 {
			list.Style = yaml.FlowStyle
		}
		for _, element := range v {
			list.Content = append(list.Content, toYAML(t, element, depth+1))
		}
		return list
	case map[string]any:
		members := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		names := slices.SortedFunc(maps.Keys(v), func(a, b string) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
		})
		for _, name := range names {
			members.Content = append(members.Content, scalar(t, name), toYAML(t, v[name], depth+1))
		}
		return members
	}
	return scalar(t, value)
}

func rank(name string) int {
	if i := slices.Index(memberOrder, name); i >= 0 {
		return i
	}
	return len(memberOrder)
}

func scalar(t *testing.T, value any) *yaml.Node {
	t.Helper()
	node := &yaml.Node{}
	require.NoError(t, node.Encode(value))
	return node
}

// member returns a member of a mapping, or nil.
func member(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// blankLinesBetween separates the cases with empty lines, which the YAML library does not keep.
func blankLinesBetween(text string) string {
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
