package bundles_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/keys"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// The ways in which FuzzBundle uses its bytes.
const (
	asArchive = iota // the .tar.gz
	asTar            // the .tar, compressed by the test
	asFile           // a file of a good bundle, chosen by the first byte
	asMore           // an additional file in a good bundle; its name ends at a zero byte
	asWays
)

// FuzzBundle checks that a good bundle altered without its key is refused with a reason, or has the same content.
func FuzzBundle(f *testing.F) {
	const secret = "the same in every process"
	good := bundletest.Signer{ID: "k1", Secret: secret, Header: map[string]any{"alg": "HS256"}}.Sign(bundletest.Release(5))
	names := slices.Sorted(maps.Keys(good))
	verification := &bundles.Verification{
		Keys: map[string]*keys.Config{"k1": {Key: secret, Algorithm: "HS256"}}, Required: true,
	}
	limits := bundles.Limits{Compressed: 1 << 16, Inflated: 1 << 18, Files: 50, Table: 1 << 14}
	cfg := bundles.Config{Source: "fuzzed", Entrypoint: bundletest.Entrypoint, Schema: bundletest.InputSchema(), Verification: verification, Limits: limits}
	open := func(raw []byte) (*bundles.Revision, error) {
		cfg := cfg
		cfg.Raw = raw
		return bundles.Open(context.Background(), cfg)
	}
	unpacked := func(raw []byte) (*bundles.Revision, error) {
		cfg := cfg
		var err error
		if cfg.Archive, err = bundles.ReadArchive(bytes.NewReader(raw), limits); err != nil {
			return nil, err
		}
		return bundles.Open(context.Background(), cfg)
	}
	first, err := open(good.Pack())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(asArchive), good.Pack())
	f.Add(byte(asTar), bundletest.Tar(good.Entries()...))
	for i, name := range names {
		f.Add(byte(asFile), append([]byte{byte(i)}, good[name]...))
		f.Add(byte(asMore), append([]byte("x"+name+"\x00"), good[name]...))
	}
	for _, bad := range slices.Concat(bundletest.BadlySigned(), bundletest.BadContent(), bundletest.BadArchives()) {
		if len(bad.Raw) < 1<<12 {
			f.Add(byte(asArchive), bad.Raw)
		}
	}
	f.Fuzz(func(t *testing.T, way byte, data []byte) {
		raw := data
		switch way % asWays {
		case asTar:
			raw = bundletest.Gzip(data, 1)
		case asFile:
			if len(data) == 0 {
				return
			}
			raw = good.With(bundletest.Files{names[int(data[0])%len(names)]: string(data[1:])}).Pack()
		case asMore:
			name, content, _ := bytes.Cut(data, []byte{0})
			if len(name) == 0 || len(name) > 90 || name[len(name)-1] == '/' || !utf8.Valid(name) {
				return // no archive writer produces such a name
			}
			raw = bundletest.Pack(append(good.Entries(), bundletest.Entry{Header: tar.Header{Name: string(name)}, Content: string(content)})...)
		}
		r, err := open(raw)
		if _, err2 := unpacked(raw); (err == nil) != (err2 == nil) {
			t.Fatalf("as it came: %v; unpacked: %v", err, err2)
		}
		if err != nil {
			if refusal, ok := errors.AsType[*bundles.Refusal](err); !ok || refusal.Reason == "" || refusal.Error() == "" {
				t.Fatalf("an error that is no refusal: %#v", err)
			}
			return
		}
		if r.ID != first.ID || r.Sequence != first.Sequence || !r.Verified || r.SignedBy != "k1" || !bytes.Equal(r.Golden, first.Golden) {
			t.Fatalf("another policy was opened: %+v", r)
		}
	})
}
