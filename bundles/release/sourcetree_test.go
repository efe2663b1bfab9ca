package release_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	"github.com/wardkeeper/wardkeeper/bundles/release"
)

// compiledTree reads and compiles a source tree.
func compiledTree(t *testing.T, files map[string]string) *release.SourceTree {
	t.Helper()
	tree, err := release.ReadSourceTree(release.Config{Files: bundletest.FS(files), Entrypoint: "app/decision"})
	require.NoError(t, err)
	require.NoError(t, tree.Compile(context.Background()))
	return tree
}

func packedAs(t *testing.T, a *bundles.Archive) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, a.Write(&out))
	return out.String()
}

func manifestIn(t *testing.T, a *bundles.Archive) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(a.Find(".manifest"), &m))
	return m
}

func TestBundleOfSourceTree(t *testing.T) {
	const decision = "package app\n\ndecision := true\n"
	golden := []byte(`{"decisions": []}`)
	for name, c := range map[string]struct {
		files  map[string]string
		roots  []string
		golden []byte
		wanted []any
	}{
		"a package":        {map[string]string{"app.rego": decision}, nil, nil, []any{"app"}},
		"deeper ones":      {map[string]string{"app.rego": decision, "a.rego": "package lib.deep\n", "b.rego": "package lib.other\n"}, nil, nil, []any{"app", "lib"}},
		"an odd name":      {map[string]string{"app.rego": decision, "a.rego": "package a[\"b c\"]\n"}, nil, nil, []any{"a", "app"}},
		"data":             {map[string]string{"app.rego": decision, "data.yaml": "top: 1\n", "table/data.json": `{"n": 1}`}, nil, nil, []any{"app", "table", "top"}},
		"golden decisions": {map[string]string{"app.rego": decision}, nil, golden, []any{"app", "golden"}},
		"those that are given": {map[string]string{"app.rego": decision, ".manifest": `{"roots": [""]}`}, []string{"/app/", "app", "more/of/it"}, golden,
			[]any{"app", "golden", "more/of/it"}},
		"those of the manifest":   {map[string]string{"app.rego": decision, ".manifest": `{"roots": ["app", "more"]}`}, nil, golden, []any{"app", "golden", "more"}},
		"all of data":             {map[string]string{"app.rego": decision, ".manifest": `{"roots": [""]}`}, nil, golden, []any{""}},
		"a manifest without them": {map[string]string{"app.rego": decision, ".manifest": `{}`}, nil, nil, []any{"app"}},
	} {
		t.Run(name, func(t *testing.T) {
			archive, err := compiledTree(t, c.files).Bundle(release.Metadata{Revision: "r1", Sequence: 7}, c.roots, c.golden)
			require.NoError(t, err)
			require.Equal(t, c.wanted, manifestIn(t, archive)["roots"])
			r, err := bundles.Open(context.Background(), bundles.Config{Archive: archive, Entrypoint: "app/decision"})
			require.NoError(t, err)
			require.Equal(t, "r1", r.Label)
			require.EqualValues(t, 7, r.Sequence)
			require.Equal(t, c.golden != nil, r.Golden != nil)

			again, err := compiledTree(t, c.files).Bundle(release.Metadata{Revision: "r1", Sequence: 7}, c.roots, c.golden)
			require.NoError(t, err)
			require.True(t, packedAs(t, archive) == packedAs(t, again), "made twice")
		})
	}
	for name, meta := range map[string]release.Metadata{"no revision": {Sequence: 1}, "no sequence": {Revision: "r1"}} {
		_, err := compiledTree(t, map[string]string{"app.rego": decision}).Bundle(meta, nil, nil)
		require.Error(t, err, name)
	}
}

func TestManifestKeepsOtherMembers(t *testing.T) {
	tree := compiledTree(t, map[string]string{
		"app.rego":  "package app\n\ndecision := true\n",
		".manifest": `{"revision": "old", "roots": ["app"], "metadata": {"sequence": 1, "team": "<a>", "number": 12345678901234567890}}`,
	})
	archive, err := tree.Bundle(release.Metadata{Revision: "r1", Sequence: 7}, nil, nil)
	require.NoError(t, err)
	const wanted = `{"metadata":{"number":12345678901234567890,"sequence":7,"team":"<a>"},"rego_version":1,"revision":"r1","roots":["app"]}` + "\n"
	require.Equal(t, wanted, string(archive.Find(".manifest")))
	again, err := release.Rerelease(archive, release.Metadata{Revision: "r2", Sequence: 8}, nil)
	require.NoError(t, err)
	require.Equal(t, strings.NewReplacer(`"r1"`, `"r2"`, ":7", ":8").Replace(wanted), string(again.Find(".manifest")))
	require.Equal(t, archive.Find("app.rego"), again.Find("app.rego"))
}

// A bundle carries what is approved, which is no part of the policy.
func TestBundleCarriesApprovals(t *testing.T) {
	tree := map[string]string{"app.rego": "package app\n\ndecision := true\n"}
	bare, err := compiledTree(t, tree).Bundle(release.Metadata{Revision: "r1", Sequence: 7}, nil, nil)
	require.NoError(t, err)
	tree[bundles.ApprovedFile] = "approved: []\n"
	archive, err := compiledTree(t, tree).Bundle(release.Metadata{Revision: "r1", Sequence: 7}, nil, nil)
	require.NoError(t, err)
	open := func(a *bundles.Archive) *bundles.Revision {
		r, err := bundles.Open(t.Context(), bundles.Config{Archive: a, Entrypoint: "app/decision"})
		require.NoError(t, err)
		require.Empty(t, r.NotLoaded)
		return r
	}
	require.Equal(t, "approved: []\n", string(open(archive).Approved))
	require.Equal(t, open(bare).ID, open(archive).ID)

	for _, approved := range []string{"", "approved: # others\n"} {
		again, err := release.Rerelease(archive, release.Metadata{Revision: "r2", Sequence: 8}, []byte(approved))
		require.NoError(t, err)
		require.Equal(t, approved, string(open(again).Approved))
	}
	again, err := release.Rerelease(archive, release.Metadata{Revision: "r2", Sequence: 8}, nil)
	require.NoError(t, err)
	require.Equal(t, "approved: []\n", string(open(again).Approved))
}

func TestNext(t *testing.T) {
	now := time.Unix(1795691474, 0)
	for name, c := range map[string]struct {
		manifest string
		sequence int64
		wanted   release.Metadata
		before   int64
	}{
		"the first":         {`{"revision": "a1", "metadata": {"sequence": 7}}`, 0, release.Metadata{Revision: "a1+1795691474", Sequence: 1795691474}, 7},
		"of the future":     {`{"revision": "a1", "metadata": {"sequence": 1795691500}}`, 0, release.Metadata{Revision: "a1+1795691501", Sequence: 1795691501}, 1795691500},
		"the second":        {`{"revision": "a1+1795691400", "metadata": {"sequence": 1795691400}}`, 0, release.Metadata{Revision: "a1+1795691474", Sequence: 1795691474}, 1795691400},
		"named with a plus": {`{"revision": "1.0+linux", "metadata": {"sequence": 7}}`, 0, release.Metadata{Revision: "1.0+linux+1795691474", Sequence: 1795691474}, 7},
		"as given":          {`{"revision": "a1", "metadata": {"sequence": 7}}`, 8, release.Metadata{Revision: "a1+8", Sequence: 8}, 7},
	} {
		archive, err := bundles.ReadTree(bundletest.FS(map[string]string{"app.rego": "package app\n\ndecision := true\n", ".manifest": c.manifest}), bundles.Limits{})
		require.NoError(t, err, name)
		next, before, err := release.Next(archive, now, c.sequence)
		require.NoError(t, err, name)
		require.Equal(t, c.wanted, next, name)
		require.Equal(t, c.before, before, name)
	}
	archive, err := bundles.ReadTree(bundletest.FS(map[string]string{"app.rego": "package app\n\ndecision := true\n"}), bundles.Limits{})
	require.NoError(t, err)
	next, before, err := release.Next(archive, now, 0)
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{12}\+1795691474$`, next.Revision, "what has no revision is called by its content")
	require.Zero(t, before)
}

// Neither the lines of tests nor data count.
func TestCoverageCountsPolicyLines(t *testing.T) {
	tree := compiledTree(t, map[string]string{
		"app/app.rego":      "package app\n\ndecision := true\n\nother if input.x == 1\n",
		"app/data.yaml":     "n: 7\n",
		"app/app_test.rego": "package app_test\n\ntest_data if data.app.n == 7\n\ntest_it if {\n\tdata.app.decision\n\ttrue\n\ttrue\n}\n",
	})
	report, err := tree.Test(context.Background())
	require.NoError(t, err)
	require.Equal(t, 2, report.Ran)
	require.Empty(t, report.Failed)
	require.InDelta(t, 50, report.Coverage, 0.01)
	require.Equal(t, []string{"app/app.rego: no test reaches line 5"}, report.Uncovered)
}

func TestTablesOfData(t *testing.T) {
	for name, c := range map[string]struct {
		data   string
		wanted []string
	}{
		"rows alike":           {`t: {r2: {a: 1, b: 2}, r1: {a: 3, b: 4}}`, []string{"t a b: r2=1,2 r1=3,4"}},
		"a cell missing":       {`t: {r1: {a: 1}, r2: {a: 3, b: 4}}`, []string{"t a b: r1=1,null r2=3,4"}},
		"a row of its own":     {`t: {r1: {a: 1, b: 2}}`, []string{"t a b: r1=1,2"}},
		"lists and objects":    {`t: {r1: {a: [1], b: {c: 2}}, r2: {a: [], b: {}}}`, []string{`t a b: r1=[1],{"c":2} r2=[],{}`}},
		"nothing in common":    {`t: {r1: {a: 1}, r2: {b: 1}}`, []string{"t.r1 value: a=1", "t.r2 value: b=1"}},
		"little in common":     {`t: {r1: {a: 1, b: 1, c: 1}, r2: {a: 1, d: 1, e: 1}, r3: {a: 1, f: 1, g: 1}}`, []string{"t.r1 value: a=1 b=1 c=1", "t.r2 value: a=1 d=1 e=1", "t.r3 value: a=1 f=1 g=1"}},
		"too deep":             {`t: {r1: {a: {b: {c: 1}}}}`, []string{"t.r1.a c: b=1"}},
		"plain values":         {`t: {b: 1, a: [2]}`, []string{"t value: b=1 a=[2]"}},
		"values beside tables": {`{x: 1, t: {r1: {a: 1}}}`, []string{" value: x=1", "t a: r1=1"}},
		"nothing":              {`{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "app.rego"), []byte("package app\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "data.yaml"), []byte(c.data), 0o600))
			archive, err := bundles.ReadTree(os.DirFS(dir), bundles.Limits{})
			require.NoError(t, err)
			contents, err := release.Inspect(archive, false)
			require.NoError(t, err)
			var got []string
			for _, table := range contents.Tables {
				text := table.Path + " " + strings.Join(table.Columns, " ") + ":"
				for _, row := range table.Rows {
					var cells []string
					for _, cell := range row.Cells {
						data, err := json.Marshal(cell)
						require.NoError(t, err)
						cells = append(cells, string(data))
					}
					text += " " + row.Name + "=" + strings.Join(cells, ",")
				}
				got = append(got, text)
			}
			require.Equal(t, c.wanted, got)
		})
	}
}
