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
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	release "github.com/wardkeeper/wardkeeper/bundles/release"
)

// allocated returns the bytes that a call allocates, including garbage.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// manyValues returns n values in few bytes.
func manyValues(format string, n int) string {
	return "a: [" + strings.Repeat(format, n) + "]\n"
}

// Without a valid signature no file is parsed or kept, whatever it would expand to. The bounds are far above what verifying
// takes, and far below what parsing would take.
func TestUnverifiedBundleTakesLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("packs tens of megabytes")
	}
	// Not parallel: allocations of other tests would count.
	const most = 64 << 20
	many := bundletest.Files{"app/data.yaml": manyValues("{},", 5_000_000)}
	list := strings.Repeat(`{},`, 3_000_000) + `{}`
	token := func(payload string) string {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"k1"}`))
		return string(bundletest.Must(json.Marshal(map[string]any{"signatures": []string{
			header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln",
		}})))
	}
	good := bundletest.Signed(bundletest.Release(6))
	for name, c := range map[string]struct {
		content bundletest.Files
		reason  bundles.Reason
	}{
		"unsigned":                     {bundletest.Release(6).With(many), bundles.Unsigned},
		"signed by nobody":             {bundletest.Release(6).With(many).With(bundletest.Files{".signatures.json": `{"signatures": ["a.b.c"]}`}), bundles.Signature},
		"a file added":                 {good.With(many), bundles.Signature},
		"a file of many values":        {good.With(bundletest.Files{"app/words/data.yaml": many["app/data.yaml"]}), bundles.TooLarge},
		"of many values, in JSON":      {good.With(bundletest.Files{"app/table/data.json": `{"a": [` + list + `]}`}), bundles.TooLarge},
		"a manifest of many values":    {good.With(bundletest.Files{".manifest": `{"metadata": {"a": [` + list + `]}}`}), bundles.TooLarge},
		"a signature of many values":   {good.With(bundletest.Files{".signatures.json": `{"signatures": [` + list + `]}`}), bundles.TooLarge},
		"a signature of many files":    {good.With(bundletest.Files{".signatures.json": token(`{"files": [` + list + `]}`)}), bundles.TooLarge},
		"a signature with a long head": {good.With(bundletest.Files{".signatures.json": `{"signatures": ["` + strings.Repeat("A", 1<<20) + `.b.c"]}`}), bundles.TooLarge},
	} {
		raw := bundletest.Gzip(bundletest.Tar(c.content.Entries()...), gzip.BestSpeed)
		open := func(raw []byte) (*bundles.Revision, error) { return openRaw(raw, bundletest.TrustedKey) }
		var err error
		used := allocated(func() { _, err = open(raw) })
		require.Equal(t, c.reason, bundletest.RefusalOf(t, err, name).Reason, "%s: %v", name, err)
		require.Less(t, used, uint64(most+3*16<<20), name)
	}
}

// Values are bounded wherever policy is read, even if it need not be signed.
func TestValuesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a dozen large files seven times")
	}
	t.Parallel()
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + "1" + strings.Repeat(shut, n) }
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	all := map[string]bundletest.Files{
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
	}
	if raceDetector { // one goroutine reads them all
		maps.DeleteFunc(all, func(name string, _ bundletest.Files) bool { return !strings.HasPrefix(name, "deep") })
	}
	for name, files := range all {
		tree := bundletest.Release(1).With(files)
		tree = tree.With(bundletest.Files{".manifest": ""})
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
		a, err := bundles.ReadArchive(bytes.NewReader(tree.Pack()), bundles.Limits{})
		require.NoError(t, err)
		key, err := release.ParseSigningKey(privatePEM(t, bundletest.TrustedKey), "", "k1")
		require.NoError(t, err)
		_, faults["signing"] = key.Sign(a)
		for way, err := range faults {
			require.Equal(t, bundles.TooLarge, bundletest.RefusalOf(t, err, name+", "+way).Reason, "%s, %s: %v", name, way, err)
		}
	}
	large := bundletest.Release(1).With(bundletest.Files{"app/more/data.json": "[" + strings.Repeat("1,", 200_000) + "1]", "app/long/data.yaml": "text: >\n" + strings.Repeat("  a-b, c: d?\n", 50_000)})
	_, err := openRaw(bundletest.Signed(large).Pack(), bundletest.TrustedKey)
	require.NoError(t, err)
	_, err = openRawWithin(bundles.Limits{Compressed: 4 << 20, Inflated: 32 << 20}, bundletest.Signed(large).Pack(), bundletest.TrustedKey)
	require.Equal(t, bundles.TooLarge, bundletest.RefusalOf(t, err, "in half of the size").Reason)
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
