package membership_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

func TestRecordTwiceInOneListIsRefused(t *testing.T) {
	openWithDuplicate := func(path string) *cache.Cache {
		a := origintest.NewApplication(t, fixture.WithUsers(``))
		a.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			one := `{"user": {"id": "jane", "username": "jane"}, "version": 1}`
			more := `, "more": false`
			if path == "/users/by-username" {
				more = ""
			}
			_, _ = w.Write([]byte(`{"users": [` + one + `, ` + one + `]` + more + `}`))
			return true
		})
		server := httptest.NewServer(http.StripPrefix("/membership", a))
		t.Cleanup(server.Close)
		c, err := cache.Open(cache.Config{Origin: httpOrigin(t, a, server.URL), Vocabulary: fixture.Vocabulary(), FetchTimeout: fixture.Timeout})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	_, err := origintest.ViewOf(t, openWithDuplicate("/users")).Users(context.Background(), facts.UserQuery{})
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.ErrorContains(t, err, `user "jane": the origin delivered a record twice in one list`)
	_, err = origintest.ViewOf(t, openWithDuplicate("/users/by-username")).UserByUsername(context.Background(), "JANE")
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	assert.ErrorContains(t, err, "twice in one list")
}
