package follow_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// secretText must not occur in any message.
const secretText = "s3cr3t-of-the-tests"

// guard answers 401 to requests that wanted rejects.
func (s *server) guard(wanted func(r *http.Request) bool) {
	s.change(func() {
		body := s.body
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if !wanted(r) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = w.Write(body)
		}
	})
}

// service returns the settings of the service with the members of more added.
func (s *server) service(more map[string]any) map[string]any {
	all := map[string]any{"url": s.URL}
	maps.Copy(all, more)
	return map[string]any{"service": all}
}

func credentials(kind string, settings map[string]any) map[string]any {
	return map[string]any{"credentials": map[string]any{kind: settings}}
}

// openOnce opens the bundle as `serve --check` does.
func openOnce(o *follow.BundleSource) (*bundles.Revision, error) {
	return o.Open(context.Background(), bundletest.Entrypoint, bundletest.InputSchema())
}

// checkRedacts checks that nothing reported about a failed attempt contains the secret.
func (f testFollower) checkRedacts(name string) {
	f.t.Helper()
	now := f.untilOutcome(follow.Unavailable)
	require.Nil(f.t, now.Active, name)
	require.NotEmpty(f.t, now.Attempt.Err.Error(), name)
	require.NotContains(f.t, now.Attempt.Err.Error(), secretText, name)
	require.NotContains(f.t, fmt.Sprintf("%+v", now), secretText, name)
	f.untilLogged("policy not activated", 1)
	require.NotContains(f.t, f.log.String(), secretText, name)
}

func TestCredentialsAreSent(t *testing.T) {
	t.Parallel()
	authorization := func(wanted string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Header.Get("Authorization") == wanted }
	}
	path := bundletest.WriteFile(t, "token", []byte("  "+secretText+"\n"))
	for name, c := range map[string]struct {
		right, wrong map[string]any
		wanted       func(r *http.Request) bool
	}{
		"token": {
			credentials("bearer", map[string]any{"token": secretText}),
			credentials("bearer", map[string]any{"token": secretText + "x"}), authorization("Bearer " + secretText),
		},
		"scheme": {
			credentials("bearer", map[string]any{"token": secretText, "scheme": "Basic"}),
			credentials("bearer", map[string]any{"token": secretText}), authorization("Basic " + secretText),
		},
		"token_path": {
			credentials("bearer", map[string]any{"token_path": path}),
			credentials("bearer", map[string]any{"token": path}), authorization("Bearer " + secretText),
		},
		"headers": {
			map[string]any{"headers": map[string]any{"X-Key": secretText, "User-Agent": "ours"}}, map[string]any{"headers": map[string]any{"X-Key": ""}},
			func(r *http.Request) bool {
				return r.Header.Get("X-Key") == secretText && r.Header.Get("User-Agent") == "ours"
			},
		},
		"nothing": {
			nil, credentials("bearer", map[string]any{"token": secretText}),
			func(r *http.Request) bool {
				return len(r.Header.Values("Authorization")) == 0 && r.Header.Get("User-Agent") == "wardkeeper"
			},
		},
	} {
		s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
		s.guard(c.wanted)
		r, err := openOnce(s.source(t, s.service(c.right)))
		require.NoError(t, err, name)
		require.EqualValues(t, 1, r.Sequence, name)
		_, err = openOnce(s.source(t, s.service(c.wrong)))
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		require.ErrorContains(t, err, "401", name)
		f, cfg := newFollower(t, s.source(t, s.service(c.wrong)))
		f.begin(cfg).checkRedacts(name)
	}
}

func TestRotatedTokenIsUsed(t *testing.T) {
	t.Parallel()
	path := bundletest.WriteFile(t, "token", []byte("one"))
	var wanted atomic.Value
	wanted.Store("Bearer one")
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	guard := func() {
		s.guard(func(r *http.Request) bool { return r.Header.Get("Authorization") == wanted.Load() })
	}
	guard()
	f := startFollower(t, s.source(t, s.service(credentials("bearer", map[string]any{"token_path": path}))))
	f.untilSequence(1)
	wanted.Store("Bearer two")
	f.untilOutcome(follow.Unavailable)
	require.NoError(t, os.WriteFile(path, []byte("two\n"), 0o600))
	f.untilOutcome(follow.Unchanged)
	require.NoError(t, os.Remove(path))
	s.waitForRequests(t, 3)
	require.Equal(t, follow.Unchanged, f.Status().Attempt.Outcome, "the last good one is sent")
	require.True(t, f.decides("read1"))
	require.NoError(t, os.WriteFile(path, []byte("two"), 0o600))
	s.set(bundletest.Signed(bundletest.Release(2)).Pack())
	guard()
	f.untilSequence(2)
}

// The signing key comes from the environment.
func TestRequestsAreSignedForS3(t *testing.T) {
	var seen atomic.Pointer[http.Header]
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	s.guard(func(r *http.Request) bool {
		header := r.Header.Clone()
		seen.Store(&header)
		return true
	})
	o := s.source(t, s.service(credentials("s3_signing", map[string]any{"environment_credentials": map[string]any{}})))
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"} {
		t.Setenv(name, "")
	}
	_, err := openOnce(o)
	require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, "nothing to sign with").Reason)
	require.ErrorContains(t, err, "AWS_ACCESS_KEY_ID")
	require.Nil(t, seen.Load())
	t.Setenv("AWS_ACCESS_KEY_ID", "key-of-the-tests")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretText)
	t.Setenv("AWS_REGION", "eu-central-1")
	_, err = openOnce(o)
	require.NoError(t, err)
	authorization := seen.Load().Get("Authorization")
	require.True(t, strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=key-of-the-tests/"), authorization)
	require.Contains(t, authorization, "/eu-central-1/s3/aws4_request")
	require.NotEmpty(t, seen.Load().Get("X-Amz-Date"))
	require.NotContains(t, fmt.Sprint(*seen.Load()), secretText)
	for _, name := range []string{"User-Agent", "Authorization"} {
		require.Len(t, seen.Load().Values(name), 1, name)
	}
}

// A setting that should be a path may hold a secret.
func TestUnreadableCredentialsAreRedacted(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), secretText)
	require.NoError(t, os.Mkdir(folder, 0o700))
	none := bundletest.WriteFile(t, secretText+".pem", []byte(secretText))
	cert, key := clientCertificate(t)
	tls := func(name, value string) map[string]any {
		all := map[string]any{"cert": cert, "private_key": key}
		all[name] = value
		return credentials("client_tls", all)
	}
	for name, more := range map[string]map[string]any{
		"no token file":           credentials("bearer", map[string]any{"token_path": secretText}),
		"a folder for a token":    credentials("bearer", map[string]any{"token_path": folder}),
		"two tokens":              credentials("bearer", map[string]any{"token_path": secretText, "token": secretText}),
		"two lines of a token":    credentials("bearer", map[string]any{"token": secretText + "\r\nX: y"}),
		"no certificate":          tls("cert", secretText),
		"holds no certificate":    tls("cert", none),
		"an empty certificate":    tls("cert", ""),
		"no key":                  tls("private_key", secretText),
		"no key in it":            tls("private_key", none),
		"another key":             tls("private_key", bundletest.WriteFile(t, secretText, bundletest.Must(os.ReadFile(secondOf(clientCertificate(t)))))),
		"no authorities":          {"tls": map[string]any{"ca_cert": secretText}},
		"no authorities in it":    {"tls": map[string]any{"ca_cert": none}},
		"a profile without file":  credentials("s3_signing", map[string]any{"profile_credentials": map[string]any{"path": secretText, "aws_region": "x"}}),
		"a file without profile":  credentials("s3_signing", map[string]any{"profile_credentials": map[string]any{"path": bundletest.WriteFile(t, secretText, nil), "aws_region": "x"}}),
		"no method of them":       credentials("plugin", nil),
		"a plugin of another one": {"credentials": map[string]any{"plugin": secretText}},
		"two methods": {"credentials": map[string]any{
			"bearer": map[string]any{"token": secretText}, "s3_signing": map[string]any{"environment_credentials": map[string]any{}},
		}},
		"a token service in the clear": credentials("oauth2", map[string]any{
			"token_url": "http://127.0.0.1:1/" + secretText, "client_id": "tests", "client_secret": secretText,
		}),
		"an assertion without file": credentials("oauth2", map[string]any{
			"token_url": "https://127.0.0.1:1/" + secretText, "client_id": "tests", "client_assertion_path": secretText,
		}),
	} {
		s := serveTLS(t, bundletest.Signed(bundletest.Release(1)).Pack(), requireClientCertificate(t, cert))
		all := map[string]any{"tls": map[string]any{"ca_cert": authorityOf(t, s)}}
		maps.Copy(all, more)
		o, err := resolved(t, s.settings(t, s.service(all)))
		if err == nil {
			_, err = openOnce(o.SetPolling(fastPolling))
			require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		}
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), secretText, name)
		if o != nil {
			startFollower(t, o).checkRedacts(name)
		}
	}
}
