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
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// A change may also have no effect, because data and manifest are signed by their values.
func TestChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(5))
	keys, err := bundles.ParsePublicKeys([]byte(bundletest.PublicPEM(bundletest.TrustedKey)))
	require.NoError(t, err)
	open := func(p bundletest.Files) (*bundles.Revision, error) {
		a := &bundles.Archive{}
		for _, e := range p.Entries() {
			a.Files = append(a.Files, bundles.File{Name: e.Name, Data: []byte(e.Content)})
		}
		return bundles.Open(context.Background(), bundles.Config{
			Archive: a, Entrypoint: bundletest.Entrypoint, Verification: &bundles.Verification{Public: keys, Required: true},
		})
	}
	first, err := open(good)
	require.NoError(t, err)
	for name, content := range good {
		spaces := 0
		for i := range content {
			for _, b := range []byte{content[i] ^ 1, ' ', '"'} {
				if name == ".signatures.json" && b != content[i]^1 {
					continue // it is long; one change per byte suffices
				}
				changed := []byte(content)
				if changed[i] = b; b == content[i] {
					continue
				}
				r, err := open(good.With(bundletest.Files{name: string(changed)}))
				if err != nil {
					bundletest.RefusalOf(t, err, name)
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

// White space and order do not matter; values do.
func TestDataIsSignedByItsValues(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(5))
	first, err := openRaw(good.Pack(), bundletest.TrustedKey)
	require.NoError(t, err)
	same, err := openRaw(good.With(bundletest.Files{
		"app/table/data.json": "{\n\"limit\":10,\n\"actions\":[ \"read\",\"\\u0072ead5\" ]}\n\n",
		"app/words/data.yaml": "# words\nbye:\n- so\n- long\nhello: 'good day'\n",
	}).Pack(), bundletest.TrustedKey)
	require.NoError(t, err)
	require.Equal(t, first.ID, same.ID)
	for name, content := range map[string]string{
		"app/table/data.json": `{"actions": ["read5", "read"], "limit": 10}`,
		"app/words/data.yaml": "hello: good day\nbye: [so, long]\nmore: null\n",
		".manifest":           strings.Replace(good[".manifest"], `"sequence": 5`, `"sequence": 6`, 1),
	} {
		_, err := openRaw(good.With(bundletest.Files{name: content}).Pack(), bundletest.TrustedKey)
		require.Equal(t, bundles.Signature, bundletest.RefusalOf(t, err, name).Reason, name)
	}
}

func TestTruncatedBundleIsRefused(t *testing.T) {
	t.Parallel()
	raw := bundletest.Signed(bundletest.Release(5)).Pack()
	for n := range len(raw) {
		_, err := bundles.ReadArchive(bytes.NewReader(raw[:n]), bundles.Limits{})
		require.Equal(t, bundles.Malformed, bundletest.RefusalOf(t, err, "cut off").Reason, n)
	}
	inner := bundletest.Tar(bundletest.Signed(bundletest.Release(5)).Entries()...)
	open := func(raw []byte) (*bundles.Revision, error) { return openRaw(raw, bundletest.TrustedKey) }
	whole, err := open(raw)
	require.NoError(t, err)
	for n := 0; n < len(inner); n += 128 {
		r, err := open(bundletest.Gzip(inner[:n], gzip.BestSpeed))
		if n < len(inner)-1536 {
			bundletest.RefusalOf(t, err, "cut off within")
		} else if err == nil { // only padding is missing
			require.Equal(t, whole.ID, r.ID, n)
		}
	}
}

// The ID does not depend on how the content is packed and signed.
func TestIDIsOfTheContent(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(5))
	first, err := openRaw(good.Pack(), bundletest.TrustedKey)
	require.NoError(t, err)
	backwards := good.Entries()
	slices.Reverse(backwards)
	each := func(change func(e *bundletest.Entry)) []byte {
		all := good.Entries()
		for i := range all {
			change(&all[i])
		}
		return bundletest.Pack(all...)
	}
	resigned := bundletest.Signer{Key: bundletest.TrustedKey, ID: "another"}.Sign(bundletest.Release(5))
	for name, raw := range map[string][]byte{
		"another order":   bundletest.Pack(backwards...),
		"not smaller":     bundletest.Gzip(bundletest.Tar(good.Entries()...), gzip.NoCompression),
		"as small as can": bundletest.Gzip(bundletest.Tar(good.Entries()...), gzip.BestCompression),
		"a slash first":   each(func(e *bundletest.Entry) { e.Name = "/" + e.Name }),
		"a dot first":     each(func(e *bundletest.Entry) { e.Name = "./" + e.Name }),
		"other headers": each(func(e *bundletest.Entry) {
			e.ModTime, e.Uname, e.Uid, e.Format = time.Unix(1e9, 0), "somebody", 7, tar.FormatGNU
		}),
		"headers of PAX": each(func(e *bundletest.Entry) { e.Format, e.PAXRecords = tar.FormatPAX, map[string]string{"W.note": "x"} }),
		"folders too":    bundletest.Pack(append([]bundletest.Entry{{Header: tar.Header{Name: "app/", Typeflag: tar.TypeDir}}}, good.Entries()...)...),
		"in two parts":   append(bundletest.Gzip(bundletest.Tar(good.Entries()...)[:700], 1), bundletest.Gzip(bundletest.Tar(good.Entries()...)[700:], 1)...),
		"padded":         append(good.Pack(), bundletest.Gzip(make([]byte, 10240), 1)...),
		"signed anew":    resigned.Pack(),
		"written by us":  repacked(t, good.Pack()),
	} {
		r, err := openRaw(raw, bundletest.TrustedKey)
		require.NoError(t, err, name)
		require.Equal(t, first.ID, r.ID, name)
		require.Equal(t, first.Golden, r.Golden, name)
	}
	ids := map[string]string{first.ID: "the first"}
	for name, changes := range map[string]bundletest.Files{
		"the manifest": {".manifest": `{"metadata": {"sequence": 6}}`}, "rules": {"app/app.rego": bundletest.Release(5)["app/app.rego"] + "\n"},
		"tables": {"app/table/data.json": `{"actions": []}`}, "YAML": {"app/words/data.yaml": "hello: good night\n"},
		"golden decisions": {"golden/data.json": `{"decisions": []}`}, "more": {"app/more/data.json": `{}`}, "less": {"app/words/data.yaml": ""},
	} {
		r, err := openRaw(bundletest.Signed(bundletest.Release(5).With(changes)).Pack(), bundletest.TrustedKey)
		require.NoError(t, err, name)
		require.NotContains(t, ids, r.ID, "%s has the id of %s", name, ids[r.ID])
		ids[r.ID] = name
	}
}

func repacked(t *testing.T, raw []byte) []byte {
	t.Helper()
	a, err := bundles.ReadArchive(bytes.NewReader(raw), bundles.Limits{})
	require.NoError(t, err)
	var out, again bytes.Buffer
	require.NoError(t, a.Write(&out))
	require.NoError(t, a.Write(&again))
	require.Equal(t, out.Bytes(), again.Bytes())
	return out.Bytes()
}

// Tables are bounded before the signature is verified: parsing one takes many times its size.
func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x/data.json", "x/data.yaml", "x/data.yml", ".manifest", ".signatures.json"} {
		large := bundletest.Signed(bundletest.Release(5)).With(bundletest.Files{name: `{"a": "` + strings.Repeat("a", 3000) + `"}`})
		a, err := bundles.ReadArchive(bytes.NewReader(large.Pack()), bundles.Limits{})
		require.NoError(t, err)
		_, err = bundles.Open(context.Background(), bundles.Config{
			Archive: a, Entrypoint: bundletest.Entrypoint, Limits: bundles.Limits{Table: 3000}, Verification: &bundles.Verification{Required: true},
		})
		require.Equal(t, bundles.TooLarge, bundletest.RefusalOf(t, err, name).Reason, name)
	}
}

func TestArchivesAreBounded(t *testing.T) {
	t.Parallel()
	raw := bundletest.Signed(bundletest.Release(5)).Pack()
	folders := make([]bundletest.Entry, 20)
	for i := range folders {
		folders[i] = bundletest.Entry{Header: tar.Header{Name: "f/", Typeflag: tar.TypeDir}}
	}
	for name, c := range map[string]struct {
		raw    []byte
		limits bundles.Limits
	}{
		"files":   {raw, bundles.Limits{Files: 6}},
		"folders": {bundletest.Pack(folders...), bundles.Limits{Files: 19}},
		"as sent": {raw, bundles.Limits{Compressed: int64(len(raw)) - 1}},
		"in all":  {raw, bundles.Limits{Inflated: 1000}},
	} {
		_, err := bundles.ReadArchive(bytes.NewReader(c.raw), c.limits)
		require.Equal(t, bundles.TooLarge, bundletest.RefusalOf(t, err, name).Reason, name)
	}
	_, err := bundles.ReadArchive(bytes.NewReader(raw), bundles.Limits{Files: 7, Compressed: int64(len(raw))})
	require.NoError(t, err)
	dir := t.TempDir()
	bundletest.Unpack(t, dir, bundletest.Release(5))
	for name, limits := range map[string]bundles.Limits{"files": {Files: 4}, "in all": {Inflated: 100}} {
		_, err := bundles.ReadTree(os.DirFS(dir), limits)
		require.Equal(t, bundles.TooLarge, bundletest.RefusalOf(t, err, name).Reason, name)
	}
}

func TestCompileErrorsAreBounded(t *testing.T) {
	t.Parallel()
	rules := "package app\n\ndecision := true\n" + strings.Repeat("\nx contains nobody\n", 500)
	_, err := openRaw(bundletest.Files{"app.rego": rules}.Pack())
	require.Equal(t, bundles.Compile, bundletest.RefusalOf(t, err, "errors").Reason)
	require.ErrorContains(t, err, "more")
	require.Less(t, len(err.Error()), 10_000)
}
