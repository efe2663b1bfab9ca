package bundles_test

import (
	"context"
	"crypto/ecdsa"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	release "github.com/wardkeeper/wardkeeper/bundles/release"
)

// openRaw opens an archive. If there are keys, one of them must verify its signature.
func openRaw(raw []byte, keys ...*ecdsa.PrivateKey) (*bundles.Revision, error) {
	return openRawWithin(bundles.Limits{}, raw, keys...)
}

func openRawWithin(limits bundles.Limits, raw []byte, keys ...*ecdsa.PrivateKey) (*bundles.Revision, error) {
	cfg := bundles.Config{Raw: raw, Source: "here", Entrypoint: bundletest.Entrypoint, Schema: bundletest.InputSchema(), Limits: limits}
	if len(keys) > 0 {
		cfg.Verification = &bundles.Verification{Public: bundletest.Must(bundles.ParsePublicKeys([]byte(bundletest.PublicPEM(keys...)))), Required: true}
	}
	return bundles.Open(context.Background(), cfg)
}

// openPath opens a directory as `serve --check` does.
func openPath(t *testing.T, dir string) (*bundles.Revision, error) {
	t.Helper()
	source, err := follow.Settings{Path: dir}.Resolve()
	require.NoError(t, err)
	return source.Open(context.Background(), bundletest.Entrypoint, bundletest.InputSchema())
}

// inspectPath inspects a directory as `bundle inspect` does.
func inspectPath(t *testing.T, dir string) (*release.Contents, error) {
	t.Helper()
	source, err := follow.Settings{Path: dir}.Resolve()
	require.NoError(t, err)
	a, verified, err := source.Fetch(context.Background())
	if err != nil {
		return nil, err
	}
	return release.Inspect(a, verified)
}
