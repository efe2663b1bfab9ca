package httporigin

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

// An answer that has not changed is not sent again, and never mistaken for another.
func TestHTTPNotModified(t *testing.T) {
	a, url := sample(t)
	var notModified atomic.Int64
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-None-Match") != "" {
			notModified.Add(1)
		}
		return false
	})
	h, _ := quick(t, url, nil)
	status := func(id string) string {
		s, err := h.User(context.Background(), id)
		require.NoError(t, err)
		return origintest.ReadUser(t, s).Status
	}
	for range 3 {
		assert.Equal(t, "deactivated", status("ghi"))
		assert.Equal(t, "active", status("anna"))
		s, err := h.Organization(context.Background(), "ghi")
		require.NoError(t, err)
		assert.Len(t, origintest.ReadLocations(t, s), 4)
	}
	assert.EqualValues(t, 6, notModified.Load())
	a.Replace(strings.Replace(fixture.WithUsers(fixture.Everyone), `"status": "deactivated"`, `"status": "active"`, 1))
	assert.Equal(t, "active", status("ghi"))
	a.Replace(fixture.WithUsers(""))
	s, err := h.User(context.Background(), "ghi")
	require.NoError(t, err)
	assert.Nil(t, s)

	// One who says 304 to another ETag has mixed something up.
	a.Replace(fixture.WithUsers(fixture.Everyone))
	require.Equal(t, "active", status("anna"))
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		answering(304, http.Header{"Etag": {`"another"`}}, "")(w, r)
		return true
	})
	_, err = h.User(context.Background(), "anna")
	assert.ErrorContains(t, err, "304 with another ETag")
	a.Intercept(nil)
	assert.Equal(t, "active", status("anna"))
}

func TestKeptAnswersAreBounded(t *testing.T) {
	k := newKeptAnswers(9_000)
	put := func(uri, etag string, size int) { k.put(&keptAnswer{uri: uri, etag: etag, body: make([]byte, size)}) }
	put("a", "1", 3000)
	put("b", "1", 3000)
	require.NotNil(t, k.get("a"))
	put("c", "1", 3000)
	assert.Nil(t, k.get("b"), "used longest ago")
	assert.NotNil(t, k.get("a"))
	put("a", "2", 100)
	assert.Equal(t, "2", k.get("a").etag)
	put("a", "", 100)
	assert.Nil(t, k.get("a"), "what has no ETag is not kept, nor what was before")
	put("d", "1", 20_000)
	assert.Nil(t, k.get("d"))
	put("e", strings.Repeat("x", longestETag+1), 10)
	assert.Nil(t, k.get("e"))
	k.drop("c")
	k.drop("c")
	assert.Zero(t, k.bytes)
	assert.Zero(t, k.order.Len())
}
