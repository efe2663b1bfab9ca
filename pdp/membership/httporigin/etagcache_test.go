package httporigin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

func TestNotModifiedReturnsTheCachedAnswer(t *testing.T) {
	a, url := startApplication(t)
	var conditional atomic.Int64
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-None-Match") != "" {
			conditional.Add(1)
		}
		return false
	})
	h, _ := openTestOrigin(t, url, nil)
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
	assert.EqualValues(t, 6, conditional.Load())
	a.Replace(strings.Replace(fixture.WithUsers(fixture.Everyone), `"status": "deactivated"`, `"status": "active"`, 1))
	assert.Equal(t, "active", status("ghi"))
	a.Replace(fixture.WithUsers(""))
	s, err := h.User(context.Background(), "ghi")
	require.NoError(t, err)
	assert.Nil(t, s)

	// A 304 with an ETag other than that of the request is a fault of the server.
	a.Replace(fixture.WithUsers(fixture.Everyone))
	require.Equal(t, "active", status("anna"))
	a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		respond(304, http.Header{"Etag": {`"another"`}}, "")(w, r)
		return true
	})
	_, err = h.User(context.Background(), "anna")
	assert.ErrorContains(t, err, "304 with another ETag")
	a.Intercept(nil)
	assert.Equal(t, "active", status("anna"))
}

func TestETagCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	c := newETagCache(9_000)
	put := func(uri, etag string, size int) { c.put(&etagEntry{uri: uri, etag: etag, body: make([]byte, size)}) }
	put("a", "1", 3000)
	put("b", "1", 3000)
	require.NotNil(t, c.get("a"))
	put("c", "1", 3000)
	assert.Nil(t, c.get("b"), "the least recently used")
	assert.NotNil(t, c.get("a"))
	put("a", "2", 100)
	assert.Equal(t, "2", c.get("a").etag)
	put("a", "", 100)
	assert.Nil(t, c.get("a"), "an answer without an ETag removes the entry")
	put("d", "1", 20_000)
	assert.Nil(t, c.get("d"))
	put("e", strings.Repeat("x", maxETag+1), 10)
	assert.Nil(t, c.get("e"))
	c.remove("c")
	c.remove("c")
	assert.Zero(t, c.bytes)
	assert.Zero(t, c.lru.Len())
}

// BenchmarkOrganization fetches an organization of 3,000 locations over loopback, in full and by ETag.
func BenchmarkOrganization(b *testing.B) {
	locations := []string{`{"id": "metro", "kind": "region", "model": "regional", "name": "Metropolitan Region"}`}
	for i := range 2999 {
		locations = append(locations, fmt.Sprintf(`{"id": "facility-%04d", "kind": "facility", "parent": "metro", "name": "Facility number %d of the region"}`, i, i))
	}
	body := `{"locations": [` + strings.Join(locations, ", ") + `], "version": 1}`
	for name, etag := range map[string]string{"full": "", "304": `"1"`} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if etag != "" {
					w.Header().Set("ETag", etag)
					if r.Header.Get("If-None-Match") == etag {
						w.WriteHeader(http.StatusNotModified)
						return
					}
				}
				_, _ = w.Write([]byte(body))
			}))
			b.Cleanup(s.Close)
			o, err := Open(Config{URL: s.URL})
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, o.Close()) })
			_, err = o.Organization(b.Context(), "metro")
			require.NoError(b, err)
			for b.Loop() {
				if _, err := o.Organization(b.Context(), "metro"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(body)), "body-bytes")
		})
	}
}
