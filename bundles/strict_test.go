package bundles_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	release "github.com/wardkeeper/wardkeeper/bundles/release"
)

// Data that can be read in two ways, or that parsing changes, is refused wherever it comes from.
func TestAmbiguousDataIsRefused(t *testing.T) {
	t.Parallel()
	const bom = "\xef\xbb\xbf"
	for name, c := range map[string]struct{ file, content, fault string }{
		"a row twice":                    {"app/data.yaml", "t:\n  read: 1\n  read: 2\n", `line 3: mapping key "read" already defined at line 2`},
		"a row twice, in JSON":           {"app/data.json", "{\"t\": {\"read\": 1,\n\"read\": 2}}", `line 2: name "read" already defined`},
		"JSON by the name of YAML":       {"app/data.yaml", `{"t": {"read": 1, "read": 2}}`, `name "read" already defined`},
		"in other letters of JSON":       {"app/data.json", `{"read": 1, "\u0072ead": 2}`, `name "read" already defined`},
		"in brackets":                    {"app/data.yml", "t: {read: 1, read: 2}\n", `mapping key "read" already defined`},
		"quoted and plain":               {"app/data.yaml", "t: {read: 1, \"read\": 2}\n", `mapping key "read" already defined`},
		"a number and a text":            {"app/data.yaml", "t: {1: a, \"1\": b}\n", `mapping key "1" already defined`},
		"a boolean and a text":           {"app/data.yaml", "t: {true: a, 'true': b}\n", `mapping key "true" already defined`},
		"by an alias":                    {"app/data.yaml", "a: &n read\nt: {read: 1, *n : 2}\n", `mapping key "read" already defined`},
		"two merges":                     {"app/data.yaml", "a: &a {x: 1}\nb: &b {x: 2}\nt: {<<: *a, <<: *b}\n", `mapping key "<<" already defined`},
		"within a list":                  {"app/data.yaml", "t:\n- {a: 1}\n- {a: 1, a: 2}\n", `line 3: mapping key "a"`},
		"a name of another form":         {"app/data.yaml", "t: {0x1F: a}\n", `the name "0x1F" is not a string`},
		"a name that is rounded":         {"app/data.yaml", "t: {1.50: a}\n", `the name "1.50" is not a string`},
		"another word for true":          {"app/data.yaml", "t: {True: a}\n", `the name "True" is not a string`},
		"no name":                        {"app/data.yaml", "t: {~: a}\n", `the name "~" is not a string`},
		"a list for a name":              {"app/data.yaml", "t:\n  ? [a, b]\n  : c\n", "cannot be a name"},
		"not a number":                   {"app/data.yaml", "t: .nan\n", `number ".nan"`},
		"without end":                    {"app/data.yaml", "t: -.inf\n", `number "-.inf"`},
		"octal":                          {"app/data.yaml", "t: 0777\n", `number "0777"`},
		"hexadecimal":                    {"app/data.yaml", "t: 0xff\n", `number "0xff"`},
		"with underscores":               {"app/data.yaml", "t: 1_000\n", `number "1_000"`},
		"more digits than are kept":      {"app/data.yaml", "t: 123456789012345678901234567890\n", "number"},
		"more decimals than are kept":    {"app/data.yaml", "t: 0.12345678901234567890123\n", "number"},
		"beyond numbers":                 {"app/data.yaml", "t: 1e400\n", "number"},
		"beyond numbers, in JSON":        {"app/data.json", `{"t": 1e400}`, "number 1e400 is out of range"},
		"next to nothing, in JSON":       {"app/data.json", `{"t": 1e-4000}`, "out of range"},
		"a tag":                          {"app/data.yaml", "t: !secret x\n", `tag "!secret"`},
		"bytes":                          {"app/data.yaml", "t: !!binary aGVsbG8=\n", `tag`},
		"several documents":              {"app/data.yaml", "t: 1\n---\nt: 2\n", "cannot be read"},
		"another document, and no value": {"app/data.yaml", "t: 1\n---\n", "cannot be read"},
		"JSON behind JSON":               {"app/data.json", `{"t": 1} {"t": 2}`, ""},
		"a mark before JSON":             {"app/data.json", bom + `{"t": 1}`, "byte order mark"},
		"UTF-16":                         {"app/data.yaml", "\xff\xfet\x00:\x00 \x001\x00\n\x00", "not UTF-8"},
		"no UTF-8":                       {"app/data.json", "{\"t\": \"\xff\"}", "not UTF-8"},
		"half of a letter, in JSON":      {"app/data.json", `{"t": "\ud800"}`, "cannot be read"},
		"YAML by the name of JSON":       {"app/data.json", "t: 1\n", "is not JSON"},
		"an alias of itself":             {"app/data.yaml", "t: &a [*a]\n", "cannot be read"},
		"a colon left out":               {"app/data.yaml", "t:\n  a: 1\n  b 2\n  c: 3\n", "it is no YAML near line 3: look above and below it, too"},
		"no alias of anything":           {"app/data.yaml", "t: *a\n", "cannot be read"},
	} {
		tree := bundletest.Files{"app/app.rego": "package app\n\ndefault decision := false\n", c.file: c.content}
		dir := t.TempDir()
		bundletest.Unpack(t, dir, tree)
		faults := map[string]error{}
		_, faults["directory"] = openPath(t, dir)
		_, faults["archive"] = openRaw(tree.Pack())
		_, faults["signed"] = openRaw(bundletest.Signed(tree).Pack(), bundletest.TrustedKey)
		_, faults["embedded"] = bundles.Open(context.Background(), bundles.Config{Files: os.DirFS(dir), Entrypoint: bundletest.Entrypoint})
		_, faults["inspected"] = inspectPath(t, dir)
		draft, err := release.ReadSourceTree(release.Config{Files: os.DirFS(dir), Entrypoint: bundletest.Entrypoint})
		require.NoError(t, err)
		faults["built"] = draft.Compile(context.Background())
		for way, err := range faults {
			require.Error(t, err, "%s, %s", name, way)
			if way != "signed" || bundletest.RefusalOf(t, err, name).Reason == bundles.Malformed {
				require.ErrorContains(t, err, c.fault, "%s, %s", name, way)
			}
			require.Contains(t, []bundles.Reason{bundles.Malformed, bundles.Signature}, bundletest.RefusalOf(t, err, name).Reason, "%s, %s", name, way)
		}
	}
}

func TestUnambiguousDataIsAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, content string }{
		"aliases":               {"app/data.yaml", "a: &a {x: 1}\nb: *a\nc: [*a, *a]\n"},
		"a merge":               {"app/data.yaml", "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n"},
		"numbers":               {"app/data.yaml", "a: [0, -1, 1.5, 0.1, 0.10, 1e3, 1.5e-7, 9223372036854775807, 18446744073709551615]\n"},
		"numbers in JSON":       {"app/data.json", `{"a": [0, -0, 1E3, 3.14159265358979323846, 123456789012345678901234567890]}`},
		"names":                 {"app/data.yaml", "1: a\ntrue: b\n2026-01-01: c\non: d\n\"0x1F\": e\n"},
		"times":                 {"app/data.yaml", "a: 2026-01-01\nb: 2026-01-01T10:00:00Z\n"},
		"tags of JSON's values": {"app/data.yaml", "a: !!str 1\nb: !!map {}\nc: !!null ''\n"},
		"a mark before YAML":    {"app/data.yaml", "\xef\xbb\xbfa: 1\n"},
		"lines of Windows":      {"app/data.yaml", "a:\r\n- 1\r\n- 2\r\n"},
		"comments alone":        {"app/words/data.yaml", "# later\n"},
		"JSON, with a line":     {"app/data.json", "\n{\"a\": 1}\n\n"},
		"texts":                 {"app/data.yaml", "a: |\n  read: 1\n  read: 2\nb: 'it''s'\n"},
		"one document":          {"app/data.yaml", "%YAML 1.1\n---\na: 1\n...\n"},
	} {
		tree := bundletest.Files{"app/app.rego": "package app\n\ndefault decision := false\n", c.file: c.content}
		r, err := openRaw(bundletest.Signed(tree).Pack(), bundletest.TrustedKey)
		require.NoError(t, err, name)
		require.True(t, r.Verified, name)
		dir := t.TempDir()
		bundletest.Unpack(t, dir, tree)
		_, err = openPath(t, dir)
		require.NoError(t, err, name)
	}
}

// Otherwise an attacker who replaced a file could write to the log.
func TestUnverifiedContentIsNotQuoted(t *testing.T) {
	t.Parallel()
	const planted = "planted by a stranger"
	good := bundletest.Signed(bundletest.Release(5))
	for name, changes := range map[string]bundletest.Files{
		"a value":          {"app/words/data.yaml": "hello: " + planted + "\n"},
		"a name twice":     {"app/words/data.yaml": planted + ": 1\n" + planted + ": 2\n"},
		"in JSON":          {"app/table/data.json": `{"` + planted + `": 1, "` + planted + `": 2}`},
		"a tag":            {"app/words/data.yaml": "hello: !" + strings.ReplaceAll(planted, " ", "-") + " 1\n"},
		"no YAML":          {"app/words/data.yaml": "\"" + planted + "\n\t: ["},
		"a manifest":       {".manifest": `{"revision": "` + planted + `"}`},
		"no manifest":      {".manifest": planted},
		"rules":            {"app/app.rego": "package app\n\n" + planted},
		"signatures":       {".signatures.json": `{"signatures": ["` + planted + `"]}`},
		"other signatures": {".signatures.json": `{"` + planted + `": 1}`},
		"no signatures":    {".signatures.json": planted},
	} {
		_, err := openRaw(good.With(changes).Pack(), bundletest.TrustedKey)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), planted, name)
		require.NotContains(t, err.Error(), strings.ReplaceAll(planted, " ", "-"), name)
	}
	for name, changes := range map[string]bundletest.Files{
		"a plugin": {".signatures.json": `{"signatures": ["a.b.c"], "plugin": "x\n\u001b[31mtime=now"}`},
		"a key id": bundletest.Signer{Key: bundletest.OtherKey, ID: "x\n\u001b[31mtime=now"}.Sign(bundletest.Release(5)),
		"a name":   {"app/x\u202e.rego": "package x\n"},
	} {
		_, err := openRaw(good.With(changes).Pack(), bundletest.TrustedKey)
		require.Equal(t, bundles.Signature, bundletest.RefusalOf(t, err, name).Reason, name)
		require.NotContains(t, err.Error(), "\n", name)
		require.NotContains(t, err.Error(), "\x1b", name)
		require.NotContains(t, err.Error(), "\u202e", name)
	}
}

// Whoever mistypes a table is sent to the line of the fault, or to the beginning of the list or mapping in which it is.
func TestFaultsOfYAMLAreNamedByLine(t *testing.T) {
	t.Parallel()
	const table = "first:\n  a: {x: 1, y: {z: 2}}\n  b: {x: 1, y: {z: 2}}\n  c: [1, 2]\n"
	for name, c := range map[string]struct{ from, to, says string }{
		"a brace is missing":     {"  b: {x: 1, y: {z: 2}}", "  b: {x: 1, y: {z: 2}", "near line 3"},
		"a bracket is missing":   {"[1, 2]", "[1, 2", "near line 4"},
		"a brace in line 1":      {"first:", "f: {\nfirst:", "near line 3"},
		"a brace too much":       {"  b: {x: 1, y: {z: 2}}", "  b: {x: 1, y: {z: 2}}}", "near line 2"},
		"an indentation is less": {"  b:", " b:", "near line 3"},
		"an opening is missing":  {"  b: {", "  b: ", "near line 3"},
		"a tab":                  {"  c:", "\tc:", "near line 4"},
	} {
		require.Contains(t, table, c.from)
		tree := bundletest.Files{"app/app.rego": "package app\n\ndefault decision := false\n", "app/words/data.yaml": strings.Replace(table, c.from, c.to, 1)}
		dir := t.TempDir()
		bundletest.Unpack(t, dir, tree)
		_, err := openPath(t, dir)
		require.ErrorContains(t, err, `"app/words/data.yaml" cannot be read: it is no YAML `+c.says+": look above and below it, too", name)
	}
}
