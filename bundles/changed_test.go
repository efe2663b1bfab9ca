package bundles_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// refusal has to be what an error is.
func refusal(t *testing.T, err error, what string) *bundles.Refusal {
	t.Helper()
	var r *bundles.Refusal
	require.ErrorAs(t, err, &r, what)
	require.NotEmpty(t, r.Reason, what)
	require.NotEmpty(t, r.Error(), what)
	return r
}

// TestAByteChangedInAnyFile is refused, or means the same: tables and manifest are signed by what they say.
func TestAByteChangedInAnyFile(t *testing.T) {
	t.Parallel()
	good := signed(release(5))
	keys, err := bundles.ParsePublicKeys([]byte(publicPEM(ours)))
	require.NoError(t, err)
	open := func(p parts) (*bundles.Revision, error) {
		a := &bundles.Archive{}
		for _, e := range p.entries() {
			a.Files = append(a.Files, bundles.File{Name: e.Name, Data: []byte(e.content)})
		}
		return bundles.Open(context.Background(), bundles.Config{
			Archive: a, Entrypoint: entrypoint, Verification: &bundles.Verification{Public: keys, Required: true},
		})
	}
	first, err := open(good)
	require.NoError(t, err)
	for name, content := range good {
		spaces := 0
		for i := range content {
			for _, b := range []byte{content[i] ^ 1, ' ', '"'} {
				if name == ".signatures.json" && b != content[i]^1 {
					continue // it is long, and none of it can be changed
				}
				changed := []byte(content)
				if changed[i] = b; b == content[i] {
					continue
				}
				r, err := open(good.with(parts{name: string(changed)}))
				if err != nil {
					refusal(t, err, name)
					continue
				}
				require.Equal(t, first.ID, r.ID, "%s at %d is %q", name, i, b)
				require.Equal(t, first.Sequence, r.Sequence, name)
				spaces++
			}
		}
		if strings.HasSuffix(name, ".rego") || name == "notes.md" {
			require.Zero(t, spaces, "%s: a byte of it does not count", name)
		}
	}
}

// TestTablesAreSignedByWhatTheySay: other spaces and another order are the same release, another value is none.
func TestTablesAreSignedByWhatTheySay(t *testing.T) {
	t.Parallel()
	good := signed(release(5))
	settings := map[string]any{"key_file": keyFile(t, ours)}
	first, err := opened(t, good.packed(), settings)
	require.NoError(t, err)
	same, err := opened(t, good.with(parts{
		"app/table/data.json": "{\n\"limit\":10,\n\"actions\":[ \"read\",\"\\u0072ead5\" ]}\n\n",
		"app/words/data.yaml": "# words\nbye:\n- so\n- long\nhello: 'good day'\n",
	}).packed(), settings)
	require.NoError(t, err)
	require.Equal(t, first.ID, same.ID)
	for name, content := range map[string]string{
		"app/table/data.json": `{"actions": ["read5", "read"], "limit": 10}`,
		"app/words/data.yaml": "hello: good day\nbye: [so, long]\nmore: null\n",
		".manifest":           strings.Replace(good[".manifest"], `"sequence": 5`, `"sequence": 6`, 1),
	} {
		_, err := opened(t, good.with(parts{name: content}).packed(), settings)
		require.Equal(t, bundles.Signature, refusal(t, err, name).Reason, name)
	}
}

// TestABundleCutOffAnywhere is refused.
func TestABundleCutOffAnywhere(t *testing.T) {
	t.Parallel()
	raw := signed(release(5)).packed()
	for n := range len(raw) {
		_, err := bundles.ReadArchive(bytes.NewReader(raw[:n]), bundles.Limits{})
		require.Equal(t, bundles.Malformed, refusal(t, err, "cut off").Reason, n)
	}
	inner := tarred(signed(release(5)).entries()...)
	open := opener(t, map[string]any{"key_file": keyFile(t, ours)})
	whole, err := open(raw)
	require.NoError(t, err)
	for n := 0; n < len(inner); n += 128 {
		r, err := open(zipped(inner[:n], gzip.BestSpeed))
		if n < len(inner)-1536 {
			refusal(t, err, "cut off within")
		} else if err == nil { // padding alone is missing
			require.Equal(t, whole.ID, r.ID, n)
		}
	}
}

// TestHoweverItIsPacked, the same content is the same revision.
func TestHoweverItIsPacked(t *testing.T) {
	t.Parallel()
	good := signed(release(5))
	settings := map[string]any{"key_file": keyFile(t, ours)}
	first, err := opened(t, good.packed(), settings)
	require.NoError(t, err)
	backwards := good.entries()
	slices.Reverse(backwards)
	each := func(change func(e *entry)) []byte {
		all := good.entries()
		for i := range all {
			change(&all[i])
		}
		return packed(all...)
	}
	resigned := signer{key: ours, id: "another"}.sign(release(5))
	for name, raw := range map[string][]byte{
		"another order":   packed(backwards...),
		"not smaller":     zipped(tarred(good.entries()...), gzip.NoCompression),
		"as small as can": zipped(tarred(good.entries()...), gzip.BestCompression),
		"a slash first":   each(func(e *entry) { e.Name = "/" + e.Name }),
		"a dot first":     each(func(e *entry) { e.Name = "./" + e.Name }),
		"other headers": each(func(e *entry) {
			e.ModTime, e.Uname, e.Uid, e.Format = time.Unix(1e9, 0), "somebody", 7, tar.FormatGNU
		}),
		"headers of PAX": each(func(e *entry) { e.Format, e.PAXRecords = tar.FormatPAX, map[string]string{"W.note": "x"} }),
		"folders too":    packed(append([]entry{{tar.Header{Name: "app/", Typeflag: tar.TypeDir}, ""}}, good.entries()...)...),
		"in two parts":   append(zipped(tarred(good.entries()...)[:700], 1), zipped(tarred(good.entries()...)[700:], 1)...),
		"padded":         append(good.packed(), zipped(make([]byte, 10240), 1)...),
		"signed anew":    resigned.packed(),
		"written by us":  rewritten(t, good.packed()),
	} {
		r, err := opened(t, raw, settings)
		require.NoError(t, err, name)
		require.Equal(t, first.ID, r.ID, name)
		require.Equal(t, first.Golden, r.Golden, name)
	}
	ids := map[string]string{first.ID: "the first"}
	for name, changes := range map[string]parts{
		"the manifest": {".manifest": `{"metadata": {"sequence": 6}}`}, "rules": {"app/app.rego": release(5)["app/app.rego"] + "\n"},
		"tables": {"app/table/data.json": `{"actions": []}`}, "YAML": {"app/words/data.yaml": "hello: good night\n"},
		"golden decisions": {"golden/data.json": `{"decisions": []}`}, "more": {"app/more/data.json": `{}`}, "less": {"app/words/data.yaml": ""},
	} {
		r, err := opened(t, signed(release(5).with(changes)).packed(), settings)
		require.NoError(t, err, name)
		require.NotContains(t, ids, r.ID, "%s has the id of %s", name, ids[r.ID])
		ids[r.ID] = name
	}
}

func rewritten(t *testing.T, raw []byte) []byte {
	t.Helper()
	a, err := bundles.ReadArchive(bytes.NewReader(raw), bundles.Limits{})
	require.NoError(t, err)
	var out, again bytes.Buffer
	require.NoError(t, a.Write(&out))
	require.NoError(t, a.Write(&again))
	require.Equal(t, out.Bytes(), again.Bytes())
	return out.Bytes()
}

// TestTablesAreBounded before it is known who signed them: read, they take many times as much.
func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x/data.json", "x/data.yaml", "x/data.yml", ".manifest", ".signatures.json"} {
		large := signed(release(5)).with(parts{name: `{"a": "` + strings.Repeat("a", 3000) + `"}`})
		a, err := bundles.ReadArchive(bytes.NewReader(large.packed()), bundles.Limits{})
		require.NoError(t, err)
		_, err = bundles.Open(context.Background(), bundles.Config{
			Archive: a, Entrypoint: entrypoint, Limits: bundles.Limits{Table: 3000}, Verification: &bundles.Verification{Required: true},
		})
		require.Equal(t, bundles.TooLarge, refusal(t, err, name).Reason, name)
	}
}

// TestArchivesAreBounded in whatever can be large.
func TestArchivesAreBounded(t *testing.T) {
	t.Parallel()
	raw := signed(release(5)).packed()
	folders := make([]entry, 20)
	for i := range folders {
		folders[i] = entry{tar.Header{Name: "f/", Typeflag: tar.TypeDir}, ""}
	}
	for name, c := range map[string]struct {
		raw    []byte
		limits bundles.Limits
	}{
		"files":   {raw, bundles.Limits{Files: 6}},
		"folders": {packed(folders...), bundles.Limits{Files: 19}},
		"as sent": {raw, bundles.Limits{Compressed: int64(len(raw)) - 1}},
		"in all":  {raw, bundles.Limits{Inflated: 1000}},
	} {
		_, err := bundles.ReadArchive(bytes.NewReader(c.raw), c.limits)
		require.Equal(t, bundles.TooLarge, refusal(t, err, name).Reason, name)
	}
	_, err := bundles.ReadArchive(bytes.NewReader(raw), bundles.Limits{Files: 7, Compressed: int64(len(raw))})
	require.NoError(t, err)
	dir := t.TempDir()
	unpack(t, dir, release(5))
	for name, limits := range map[string]bundles.Limits{"files": {Files: 4}, "in all": {Inflated: 100}} {
		_, err := bundles.ReadTree(os.DirFS(dir), limits)
		require.Equal(t, bundles.TooLarge, refusal(t, err, name).Reason, name)
	}
}

// TestCompileErrorsAreBounded: a bundle with a great many says how many more there are.
func TestCompileErrorsAreBounded(t *testing.T) {
	t.Parallel()
	rules := "package app\n\ndecision := true\n" + strings.Repeat("\nx contains nobody\n", 500)
	_, err := opened(t, parts{"app.rego": rules}.packed(), nil)
	require.Equal(t, bundles.Compile, refusal(t, err, "errors").Reason)
	require.ErrorContains(t, err, "more")
	require.Less(t, len(err.Error()), 10_000)
}
