package bundles_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	"github.com/wardkeeper/wardkeeper/policies"
)

func open(files fs.FS, entrypoint string) (*bundles.Revision, error) {
	return bundles.Open(context.Background(), bundles.Config{Files: files, Source: "here", Entrypoint: entrypoint})
}

// value evaluates a rule without input.
func value(t *testing.T, r *bundles.Revision, path string) *ast.Term {
	t.Helper()
	query, err := r.Prepare(path)
	require.NoError(t, err)
	term, err := query.Eval(context.Background(), input.New())
	require.NoError(t, err)
	return term
}

func TestBuiltInPolicyOpens(t *testing.T) {
	revision, err := open(policies.Files(), "authz/decision")
	require.NoError(t, err)
	assert.Len(t, revision.ID, 12)
	assert.Equal(t, "here", revision.Source)
	assert.Equal(t, "authz/decision", revision.Entrypoint)
	for _, path := range []string{"authz/decision", "/authz/allow/", "authz/possible", "authz/scope", "authz/catalogue", "authz/vocabulary"} {
		assert.True(t, revision.Defines(path), path)
	}
	for _, path := range []string{"authz/nonsense", "authz/decision/allow", "", "authz/deci sion"} {
		assert.False(t, revision.Defines(path), path)
	}
}

// Data may be JSON or YAML.
func TestDataIsReadAtItsFolder(t *testing.T) {
	revision, err := open(bundletest.FS(map[string]string{
		"app/app.rego":         "package app\n\ndecision := [data.app.table.n, data.app.deep.list, data.top]\n",
		"app/data.yaml":        "table: {n: 7}\n",
		"app/deep/data.json":   `{"list": [1, "two", null]}`,
		"data.json":            `{"top": true}`,
		"app/notes.txt":        "not policy",
		"app/other.json":       `{"table": {"n": 8}}`,
		"app/schemas/one.json": `not JSON at all`,
	}), "app/decision")
	require.NoError(t, err)
	assert.Equal(t, `[7, [1, "two", null], true]`, value(t, revision, "app/decision").String())
}

func TestOpenErrors(t *testing.T) {
	const fine = "package app\n\ndecision := true\n"
	for name, c := range map[string]struct {
		files  map[string]string
		wanted []string
	}{
		"nothing":             {map[string]string{}, []string{"no *.rego files"}},
		"no policy":           {map[string]string{"readme.txt": "hello"}, []string{"no *.rego files"}},
		"data alone":          {map[string]string{"data.yaml": "app: {decision: true}"}, nil},
		"tests alone":         {map[string]string{"app_test.rego": fine}, []string{"no *.rego files"}},
		"a syntax error":      {map[string]string{"app/app.rego": "package app\n\ndecision := {\n"}, []string{"app/app.rego:4"}},
		"old syntax":          {map[string]string{"app.rego": "package app\n\ndecision { true }\n"}, []string{"app.rego:3"}},
		"a compile error":     {map[string]string{"app/app.rego": "package app\n\ndecision := nobody\n"}, []string{"app/app.rego:3", "nobody"}},
		"a type error":        {map[string]string{"app.rego": "package app\n\ndecision := count(1)\n"}, []string{"app.rego:3"}},
		"recursion":           {map[string]string{"app.rego": "package app\n\ndecision if decision\n"}, []string{"app.rego:3", "recursive"}},
		"a conflict":          {map[string]string{"app.rego": "package app\n\ndecision := true\n\ndecision contains 1\n"}, []string{"app.rego:"}},
		"several errors":      {map[string]string{"a.rego": "package app\n\ndecision := one\n", "b.rego": "package app\n\nother := two\n"}, []string{"a.rego:3", "b.rego:3"}},
		"no entrypoint":       {map[string]string{"app.rego": "package app\n\nother := true\n"}, []string{"data.app.decision"}},
		"another package":     {map[string]string{"app.rego": "package other\n\ndecision := true\n"}, []string{"data.app.decision"}},
		"an entry of data":    {map[string]string{"app.rego": "package app\n\nother := true\n", "app/data.yaml": "decision: true\n"}, []string{"data.app.decision"}},
		"a package":           {map[string]string{"app.rego": "package app.decision\n\nallow := true\n"}, []string{"data.app.decision"}},
		"an unused import":    {map[string]string{"app.rego": "package app\n\nimport data.lib\n\ndecision := true\n"}, []string{"app.rego:3", "unused"}},
		"an unused variable":  {map[string]string{"app.rego": "package app\n\ndecision if {\n\tx := 1\n}\n"}, []string{"app.rego:4", "unused"}},
		"a shadowed name":     {map[string]string{"app.rego": "package app\n\ndecision if {\n\tinput := 1\n\tinput > 0\n}\n"}, []string{"app.rego:4"}},
		"data over a rule":    {map[string]string{"app.rego": fine, "data.yaml": "app: {decision: false}\n"}, []string{"app.rego:3", "conflict"}},
		"data over a packag":  {map[string]string{"app.rego": fine, "data.yaml": "app: 1\n"}, []string{"conflict"}},
		"twice the same key":  {map[string]string{"app.rego": fine, "data.yaml": "lib: {a: 1}\n", "lib/data.yaml": "a: 2\n"}, nil},
		"broken YAML":         {map[string]string{"app.rego": fine, "app/data.yaml": "a: [\n"}, []string{"data.yaml"}},
		"broken JSON":         {map[string]string{"app.rego": fine, "app/data.json": "{"}, []string{"data.json"}},
		"data that is a list": {map[string]string{"app.rego": fine, "data.json": "[]"}, nil},
	} {
		revision, err := open(bundletest.FS(c.files), "app/decision")
		assert.Nil(t, revision, name)
		for _, wanted := range append(c.wanted, "policy here") {
			assert.ErrorContains(t, err, wanted, name)
		}
	}
}

// A policy is impure if its decisions would depend on the network, the clock, chance or the process.
func TestImpurePolicyIsRefused(t *testing.T) {
	for _, call := range []string{
		`http.send({"method": "get", "url": "http://localhost"})`,
		`crypto.x509.parse_and_verify_certificates(input.certs)`,
		`time.now_ns()`,
		`rand.intn("x", 10)`,
		`uuid.rfc4122("x")`,
		`opa.runtime()`,
		`net.lookup_ip_addr("localhost")`,
		`io.jwt.decode_verify("x", {"secret": "y"})`,
	} {
		revision, err := open(bundletest.FS(map[string]string{
			"app.rego": fmt.Sprintf("package app\n\ndecision if {\n\tx := %s\n\tx != 1\n}\n", call),
		}), "app/decision")
		require.Error(t, err, call)
		require.Nil(t, revision, call)
		require.ErrorContains(t, err, "app.rego:4", call)
	}
	names := map[string]bool{}
	for _, builtin := range bundles.Capabilities().Builtins {
		names[builtin.Name] = true
		assert.False(t, builtin.IsNondeterministic(), builtin.Name)
	}
	for _, pure := range []string{"plus", "count", "sprintf", "time.parse_rfc3339_ns", "net.cidr_contains", "io.jwt.decode"} {
		assert.True(t, names[pure], pure)
	}
	assert.Empty(t, bundles.Capabilities().AllowNet)
	assert.NotNil(t, bundles.Capabilities().AllowNet, "no list would allow every host")
}

// Tests are part of neither the policy nor its id, even if they are broken.
func TestTestsAreLeftOut(t *testing.T) {
	files := map[string]string{"app.rego": "package app\n\ndecision := true\n"}
	without, err := open(bundletest.FS(files), "app/decision")
	require.NoError(t, err)
	files["app_test.rego"] = "package app\n\ndecision := false\n\nbroken {"
	files["deep/more_test.rego"] = "package app_test\n\ntest_it if http.send({})\n"
	with, err := open(bundletest.FS(files), "app/decision")
	require.NoError(t, err)
	assert.Equal(t, without.ID, with.ID)
	assert.Equal(t, "true", value(t, with, "app/decision").String())
	assert.False(t, with.Defines("app_test/test_it"))
}

// Another byte or another name gives another id.
func TestSameFilesHaveTheSameID(t *testing.T) {
	files := map[string]string{
		"app.rego": "package app\n\ndecision := true\n", "lib/lib.rego": "package lib\n\none := 1\n", "data.yaml": "table: {n: 7}\n",
	}
	id := func(files map[string]string) string {
		revision, err := open(bundletest.FS(files), "app/decision")
		require.NoError(t, err)
		return revision.ID
	}
	first := id(files)
	require.Equal(t, first, id(maps.Clone(files)))
	ids := map[string]string{first: "the first"}
	for name, change := range map[string]func(files map[string]string){
		"a blank more":       func(f map[string]string) { f["app.rego"] += "\n" },
		"a comment":          func(f map[string]string) { f["lib/lib.rego"] += "# x\n" },
		"data":               func(f map[string]string) { f["data.yaml"] = "table: {n: 8}\n" },
		"another name":       func(f map[string]string) { f["lib/lab.rego"] = f["lib/lib.rego"]; delete(f, "lib/lib.rego") },
		"a file more":        func(f map[string]string) { f["more.rego"] = "package more\n" },
		"a file less":        func(f map[string]string) { delete(f, "data.yaml") },
		"contents exchanged": func(f map[string]string) { f["app.rego"], f["lib/lib.rego"] = f["lib/lib.rego"], f["app.rego"] },
	} {
		changed := maps.Clone(files)
		change(changed)
		other := id(changed)
		require.NotContains(t, ids, other, "%s has the id of %s", name, ids[other])
		ids[other] = name
	}
	files["notes.txt"] = "what is no policy does not count"
	require.Equal(t, first, id(files))
}
