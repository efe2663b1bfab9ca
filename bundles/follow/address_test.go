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

// TestAddresses are what --bundle takes. What is no address is not told again, since it may have a secret in it.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, c := range map[string]struct{ name, resource string }{
		"https://bundles.example.org/authz.tar.gz":                {"https://bundles.example.org/authz.tar.gz", "authz.tar.gz"},
		"http://127.0.0.1:8080/a/b.tar.gz":                        {"http://127.0.0.1:8080/a/b.tar.gz", "a/b.tar.gz"},
		"https://[::1]:8443/authz.tar.gz":                         {"https://[::1]:8443/authz.tar.gz", "authz.tar.gz"},
		"https://bundles.example.org/a%20b.tar.gz":                {"https://bundles.example.org/a%20b.tar.gz", "a%20b.tar.gz"},
		"https://bundles.example.org/authz.tar.gz?sig=" + hush:    {"", "authz.tar.gz?sig=" + hush},
		"oci://registry.example.org/policies/authz:prod":          {"oci://registry.example.org/policies/authz:prod", "registry.example.org/policies/authz:prod"},
		"oci+http://localhost:5000/authz":                         {"oci://localhost:5000/authz", "localhost:5000/authz"},
		"oci://r.example.org/a@sha256:" + strings.Repeat("0", 64): {"oci://r.example.org/a@sha256:" + strings.Repeat("0", 64), "r.example.org/a@sha256:" + strings.Repeat("0", 64)},
	} {
		o := follow.Settings{StateDir: t.TempDir(), AllowUnsigned: true}
		require.NoError(t, o.SetAddress(address), address)
		require.Equal(t, c.resource, o.Resource, address)
		require.Empty(t, o.Path, address)
		f, err := o.Resolve()
		require.NoError(t, err, address)
		require.NotContains(t, f.Name(), hush)
		if c.name != "" {
			require.Equal(t, c.name, f.Name())
		}
	}
	for _, address := range []string{
		"https://" + hush, "https:///" + hush, "https://host/?sig=" + hush, "https://host//?sig=" + hush, "https://host?sig=" + hush,
		"https://user:" + hush + "@host/authz.tar.gz", "https://" + hush + "@host/authz.tar.gz", "https://host/authz.tar.gz#" + hush,
		"https://host/%zz?sig=" + hush, "https://host/\x00?sig=" + hush, "https://host:" + hush + "/authz.tar.gz", "https://[host/authz.tar.gz?sig=" + hush,
		"ftp://host/authz.tar.gz?sig=" + hush, "HTTPS://host/authz.tar.gz?sig=" + hush, "s3://bucket/authz.tar.gz?sig=" + hush,
		"://host/authz.tar.gz?sig=" + hush, hush + "://host/authz.tar.gz",
		"oci://", "oci:///authz?sig=" + hush, "oci://host", "oci://host/", "oci://host/authz?sig=" + hush, "oci://host/authz:prod?sig=" + hush,
		"oci://user:" + hush + "@host/authz:prod", "oci://host/authz:prod#" + hush, "oci://host/UPPER/" + hush, "oci+https://host/authz?sig=" + hush,
	} {
		o := follow.Settings{StateDir: t.TempDir(), AllowUnsigned: true}
		err := o.SetAddress(address)
		if err == nil {
			_, err = o.Resolve()
		}
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), hush, address)
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

// TestAResourceThatIsNoPath is told when it is asked for, and not told again.
func TestAResourceThatIsNoPath(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	for _, resource := range []string{"%zz?sig=" + hush, "a\n?sig=" + hush, "a?sig=" + hush + "\x7f", "a%?sig=" + hush} {
		o, err := resolved(t, s.settings(t, map[string]any{"resource": resource}))
		require.NoError(t, err)
		_, err = openOnce(o.SetPolling(hurried))
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, resource).Reason, resource)
		require.NotContains(t, err.Error(), hush, resource)
	}
	require.Zero(t, s.requests.Load())
}

// TestAQueryTellsTwoSourcesApart: the bundle of the one does not serve for the other, and neither query is told.
func TestAQueryTellsTwoSourcesApart(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	settings := once(t, s, map[string]any{"resource": "app.tar.gz?tenant=one&sig=" + hush})
	s.change(func() { s.answer = http.NotFound })
	same := startFollower(t, origin(t, settings))
	require.True(t, same.Status().FromDisk, "the same one")
	require.NotContains(t, same.Status().Active.Source, hush)
	require.True(t, strings.HasPrefix(same.Status().Active.Source, s.URL+"/app.tar.gz?"), same.Status().Active.Source)
	require.NotContains(t, same.Status().Active.Source, "tenant")
	same.Close()
	for _, resource := range []string{"app.tar.gz?tenant=two&sig=" + hush, "app.tar.gz"} {
		other := startFollower(t, origin(t, with(settings, "resource", resource)))
		require.Nil(t, other.untilOutcome(follow.Unavailable).Active, resource)
		other.Close()
	}
	s.change(func() { s.answer = nil })
	other := startFollower(t, origin(t, with(settings, "resource", "app.tar.gz?tenant=two")))
	other.untilSequence(1)
	other.Close()
	s.change(func() { s.answer = http.NotFound })
	require.Nil(t, startFollower(t, origin(t, settings)).untilOutcome(follow.Unavailable).Active, "the other one has taken its place")
}
