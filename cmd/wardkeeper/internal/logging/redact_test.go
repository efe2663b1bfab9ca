package logging

import (
	"bytes"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		`parse "http://a:b@c": no`: `parse "http://...@c": no`, "postgres://a@b/c?sslpassword=x&y=z": "postgres://...@b/c?sslpassword=...&y=z",
		"http://a/b": "http://a/b", `Post "http://a:80/b": x`: `Post "http://a:80/b": x`, "see http://a:80: no": "see http://a:80: no",
		"http://[::1]:8181: no": "http://[::1]:8181: no", "is http://jane:pass1, no": "is http://... no", "alice": "alice", "dial tcp 127.0.0.1:80: refused": "dial tcp 127.0.0.1:80: refused",
		"no user alice@example.org": "no user alice@example.org", "x=1": "x=1", "cannot open a:b@c now": "cannot open ...@c now",
	} {
		assert.Equal(t, want, Redact(text))
	}
	var log bytes.Buffer
	u, err := url.Parse("http://jane:s3cret@host/?token=s3cret")
	require.NoError(t, err)
	for _, json := range []bool{false, true} {
		New(&log, Config{JSON: json}).With("with", u.String()).Info("asking "+u.String(),
			"error", errors.New("cannot ask "+u.String()), "url", u, slog.Group("group", "url", u.String()))
	}
	assert.NotContains(t, log.String(), "s3cret")
	assert.Equal(t, 10, strings.Count(log.String(), "http://...@host/?token=..."), log.String())
}

func TestHidePeople(t *testing.T) {
	for text, want := range map[string]string{
		`user "jane": role`:                          `user "~JANE": role`,
		`username of user "jane", user "a \"b\"": x`: `username of user "~JANE", user "~A \"B\"": x`,
		`organization "jane", superuser "jane"`:      `organization "jane", superuser "jane"`,
	} {
		require.Equal(t, want, HidePeople(text, func(id string) string { return "~" + strings.ToUpper(id) }))
	}
}
