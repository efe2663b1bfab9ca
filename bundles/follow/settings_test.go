package follow_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// The error must not quote an invalid address: it may hold a secret.
func TestSetAddress(t *testing.T) {
	t.Parallel()
	for address, c := range map[string]struct{ name, resource string }{
		"https://bundles.example.org/authz.tar.gz":                   {"https://bundles.example.org/authz.tar.gz", "authz.tar.gz"},
		"http://127.0.0.1:8080/a/b.tar.gz":                           {"http://127.0.0.1:8080/a/b.tar.gz", "a/b.tar.gz"},
		"https://[::1]:8443/authz.tar.gz":                            {"https://[::1]:8443/authz.tar.gz", "authz.tar.gz"},
		"https://bundles.example.org/a%20b.tar.gz":                   {"https://bundles.example.org/a%20b.tar.gz", "a%20b.tar.gz"},
		"https://bundles.example.org/authz.tar.gz?sig=" + secretText: {"", "authz.tar.gz?sig=" + secretText},
		"oci://registry.example.org/policies/authz:prod":             {"oci://registry.example.org/policies/authz:prod", "registry.example.org/policies/authz:prod"},
		"oci+http://localhost:5000/authz":                            {"oci://localhost:5000/authz", "localhost:5000/authz"},
		"oci://r.example.org/a@sha256:" + strings.Repeat("0", 64):    {"oci://r.example.org/a@sha256:" + strings.Repeat("0", 64), "r.example.org/a@sha256:" + strings.Repeat("0", 64)},
	} {
		o := follow.Settings{StateDir: t.TempDir(), AllowUnsigned: true}
		require.NoError(t, o.SetAddress(address), address)
		require.Equal(t, c.resource, o.Resource, address)
		require.Empty(t, o.Path, address)
		f, err := o.Resolve()
		require.NoError(t, err, address)
		require.NotContains(t, f.Name(), secretText)
		if c.name != "" {
			require.Equal(t, c.name, f.Name())
		}
	}
	for _, address := range []string{
		"https://" + secretText, "https:///" + secretText, "https://host/?sig=" + secretText, "https://host//?sig=" + secretText, "https://host?sig=" + secretText,
		"https://user:" + secretText + "@host/authz.tar.gz", "https://" + secretText + "@host/authz.tar.gz", "https://host/authz.tar.gz#" + secretText,
		"https://host/%zz?sig=" + secretText, "https://host/\x00?sig=" + secretText, "https://host:" + secretText + "/authz.tar.gz", "https://[host/authz.tar.gz?sig=" + secretText,
		"ftp://host/authz.tar.gz?sig=" + secretText, "HTTPS://host/authz.tar.gz?sig=" + secretText, "s3://bucket/authz.tar.gz?sig=" + secretText,
		"://host/authz.tar.gz?sig=" + secretText, secretText + "://host/authz.tar.gz",
		"oci://", "oci:///authz?sig=" + secretText, "oci://host", "oci://host/", "oci://host/authz?sig=" + secretText, "oci://host/authz:prod?sig=" + secretText,
		"oci://user:" + secretText + "@host/authz:prod", "oci://host/authz:prod#" + secretText, "oci://host/UPPER/" + secretText, "oci+https://host/authz?sig=" + secretText,
	} {
		o := follow.Settings{StateDir: t.TempDir(), AllowUnsigned: true}
		err := o.SetAddress(address)
		if err == nil {
			_, err = o.Resolve()
		}
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), secretText, address)
	}
	for _, address := range []string{"https://user@host/authz.tar.gz", "https://host/authz.tar.gz#part"} {
		require.ErrorContains(t, new(follow.Settings).SetAddress(address), "neither user nor fragment", address)
	}
	for _, path := range []string{"authz.tar.gz", "./policies", "/srv/policies", "http:authz", "c:/policies"} {
		var o follow.Settings
		require.NoError(t, o.SetAddress(path))
		require.Equal(t, path, o.Path)
		require.Empty(t, o.Service)
	}
}

func TestInvalidResourceIsNotQuoted(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	for _, resource := range []string{"%zz?sig=" + secretText, "a\n?sig=" + secretText, "a?sig=" + secretText + "\x7f", "a%?sig=" + secretText} {
		o, err := resolved(t, s.settings(t, map[string]any{"resource": resource}))
		require.NoError(t, err)
		_, err = openOnce(o.SetPolling(fastPolling))
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, resource).Reason, resource)
		require.NotContains(t, err.Error(), secretText, resource)
	}
	require.Zero(t, s.requests.Load())
}

// The bundle of one source must not serve for the other, and neither query may be logged.
func TestQueryDistinguishesSources(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	settings := once(t, s, map[string]any{"resource": "app.tar.gz?tenant=one&sig=" + secretText})
	s.change(func() { s.answer = http.NotFound })
	same := startFollower(t, source(t, settings))
	require.True(t, same.Status().FromDisk, "the same one")
	require.NotContains(t, same.Status().Active.Source, secretText)
	require.True(t, strings.HasPrefix(same.Status().Active.Source, s.URL+"/app.tar.gz?"), same.Status().Active.Source)
	require.NotContains(t, same.Status().Active.Source, "tenant")
	same.Close()
	for _, resource := range []string{"app.tar.gz?tenant=two&sig=" + secretText, "app.tar.gz"} {
		other := startFollower(t, source(t, with(settings, "resource", resource)))
		require.Nil(t, other.untilOutcome(follow.Unavailable).Active, resource)
		other.Close()
	}
	s.change(func() { s.answer = nil })
	other := startFollower(t, source(t, with(settings, "resource", "app.tar.gz?tenant=two")))
	other.untilSequence(1)
	other.Close()
	s.change(func() { s.answer = http.NotFound })
	require.Nil(t, startFollower(t, source(t, settings)).untilOutcome(follow.Unavailable).Active, "the other one has taken its place")
}
