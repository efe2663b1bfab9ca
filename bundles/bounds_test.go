package bundles_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// allocated is how much memory a call takes, in bytes, garbage included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// manyValues are n values in few bytes.
func manyValues(format string, n int) string {
	return "a: [" + strings.Repeat(format, n) + "]\n"
}

// TestNothingOfAForeignBundleIsRead: without a good signature no file of it is parsed, or even kept, whatever it would make.
// The bounds are far above what it takes, and far below what reading it would.
func TestNothingOfAForeignBundleIsRead(t *testing.T) {
	// Not parallel: what others allocate would count.
	const most = 64 << 20
	many := parts{"app/data.yaml": manyValues("{},", 5_000_000)}
	list := strings.Repeat(`{},`, 3_000_000) + `{}`
	token := func(payload string) string {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k1"}`))
		return string(must(json.Marshal(map[string]any{"signatures": []string{
			header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln",
		}})))
	}
	good := signed(release(6))
	for name, c := range map[string]struct {
		content parts
		reason  bundles.Reason
	}{
		"unsigned":                     {release(6).with(many), bundles.Unsigned},
		"signed by nobody":             {release(6).with(many).with(parts{".signatures.json": `{"signatures": ["a.b.c"]}`}), bundles.Signature},
		"a file added":                 {good.with(many), bundles.Signature},
		"a file of many values":        {good.with(parts{"app/words/data.yaml": many["app/data.yaml"]}), bundles.TooLarge},
		"of many values, in JSON":      {good.with(parts{"app/table/data.json": `{"a": [` + list + `]}`}), bundles.TooLarge},
		"a manifest of many values":    {good.with(parts{".manifest": `{"metadata": {"a": [` + list + `]}}`}), bundles.TooLarge},
		"a signature of many values":   {good.with(parts{".signatures.json": `{"signatures": [` + list + `]}`}), bundles.TooLarge},
		"a signature of many files":    {good.with(parts{".signatures.json": token(`{"files": [` + list + `]}`)}), bundles.TooLarge},
		"a signature with a long head": {good.with(parts{".signatures.json": `{"signatures": ["` + strings.Repeat("A", 1<<20) + `.b.c"]}`}), bundles.TooLarge},
	} {
		raw := zipped(tarred(c.content.entries()...), gzip.BestSpeed)
		open := opener(t, map[string]any{"key_file": keyFile(t, ours)})
		var err error
		used := allocated(func() { _, err = open(raw) })
		require.Equal(t, c.reason, refusal(t, err, name).Reason, "%s: %v", name, err)
		require.Less(t, used, uint64(most+3*16<<20), name)
	}
}

// TestValuesAreBounded wherever policy is read, also where it need not be signed.
func TestValuesAreBounded(t *testing.T) {
	t.Parallel()
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + "1" + strings.Repeat(shut, n) }
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	for name, files := range map[string]parts{
		"a list in YAML":            {"app/data.yaml": manyValues("{},", 300_000)},
		"a list of lines":           {"app/data.yml": "a:\n" + strings.Repeat("-\n", 300_000)},
		"names without values":      {"app/data.yaml": "a: {" + names(11_000, "n%d,") + "}\n"},
		"a list in JSON":            {"app/data.json": `{"a": [` + strings.Repeat("1,", 300_000) + `1]}`},
		"JSON by the name of YAML":  {"app/data.yaml": `{"a": [` + strings.Repeat("1,", 300_000) + `1]}`},
		"in several files together": {"a/data.json": "[" + strings.Repeat("1,", 150_000) + "1]", "b/data.yaml": manyValues("1,", 150_000)},
		"golden decisions":          {"golden/data.json": `{"decisions": [` + strings.Repeat("1,", 300_000) + `1]}`},
		"aliases of aliases":        {"app/data.yaml": bomb},
		"deep lists":                {"app/data.json": `{"a": ` + deep("[", "]", 100) + `}`},
		"deep lists in YAML":        {"app/data.yaml": "a: " + deep("[", "]", 5_000) + "\n"},
		"deep mappings":             {"app/data.yaml": "a: " + deep("{a: ", "}", 200) + "\n"},
		"deep by aliases":           {"app/data.yaml": "a: &a " + deep("[", "]", 60) + "\nb: " + strings.Replace(deep("[", "]", 60), "1", "*a", 1) + "\n"},
	} {
		tree := release(1).with(files)
		tree = tree.with(parts{".manifest": ""})
		dir := t.TempDir()
		unpack(t, dir, tree)
		faults := map[string]error{}
		_, faults["directory"] = openOnce(origin(t, map[string]any{"path": dir}))
		_, faults["archive"] = opened(t, tree.packed(), nil)
		_, faults["signed"] = opened(t, signed(tree).packed(), map[string]any{"key_file": keyFile(t, ours)})
		_, faults["embedded"] = bundles.Open(context.Background(), bundles.Config{Files: os.DirFS(dir), Entrypoint: entrypoint})
		_, faults["inspected"] = origin(t, map[string]any{"path": dir}).Inspect(context.Background())
		draft, err := bundles.ReadDraft(bundles.DraftConfig{Files: os.DirFS(dir), Entrypoint: entrypoint})
		require.NoError(t, err)
		faults["built"] = draft.Compile(context.Background())
		a, err := bundles.ReadArchive(bytes.NewReader(tree.packed()), bundles.Limits{})
		require.NoError(t, err)
		key, err := bundles.ParseSigningKey(privatePEM(t, ours), "", "k1")
		require.NoError(t, err)
		_, faults["signing"] = key.Sign(a)
		for way, err := range faults {
			require.Equal(t, bundles.TooLarge, refusal(t, err, name+", "+way).Reason, "%s, %s: %v", name, way, err)
		}
	}
	large := release(1).with(parts{"app/more/data.json": "[" + strings.Repeat("1,", 200_000) + "1]", "app/long/data.yaml": "text: >\n" + strings.Repeat("  a-b, c: d?\n", 50_000)})
	_, err := opened(t, signed(large).packed(), map[string]any{"key_file": keyFile(t, ours)})
	require.NoError(t, err)
	_, err = opened(t, signed(large).packed(), map[string]any{"key_file": keyFile(t, ours), "size_limit_bytes": 4 << 20})
	require.Equal(t, bundles.TooLarge, refusal(t, err, "in half of the size").Reason)
}

func names(n int, format string) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, format, i)
	}
	return all.String()
}

func privatePEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
