package httpapi

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// only gives fixed tokens; "" is none.
func only(all ...string) func() []string {
	all = slices.DeleteFunc(all, func(token string) bool { return token == "" })
	return func() []string { return all }
}

// TestTokensChangeWhileServing: what is valid is asked for at each request, and several may be.
func TestTokensChangeWhileServing(t *testing.T) {
	var asking, announcing atomic.Pointer[[]string]
	asking.Store(&[]string{"s3cret-one", "s3cret-two"})
	announcing.Store(&[]string{"s3cret-three", "s3cret-four"})
	h := start(t, Config{
		Decider: allow(), Changes: announced("1", nil),
		Tokens:        func() []string { return *asking.Load() },
		ChangesTokens: func() []string { return *announcing.Load() },
	})
	status := func(path, body, token string) int {
		return h.post(path, body, "Authorization", "Bearer "+token).status
	}
	for token, wanted := range map[string]int{"s3cret-one": 200, "s3cret-two": 200, "s3cret-three": 401, "s3cret-one s3cret-two": 401, "": 401} {
		assert.Equal(t, wanted, status("/access/v1/evaluation", question, token), token)
	}
	for token, wanted := range map[string]int{"s3cret-three": 200, "s3cret-four": 200, "s3cret-two": 401, "": 401} {
		assert.Equal(t, wanted, status("/v1/membership/changes", janeChanged, token), token)
	}
	asking.Store(&[]string{"s3cret-two"})
	announcing.Store(&[]string{})
	assert.Equal(t, 401, status("/access/v1/evaluation", question, "s3cret-one"))
	assert.Equal(t, 200, status("/access/v1/evaluation", question, "s3cret-two"))
	assert.Equal(t, 401, status("/v1/membership/changes", janeChanged, "s3cret-three"))
	asking.Store(&[]string{})
	assert.Equal(t, 401, status("/access/v1/evaluation", question, "s3cret-two"), "no token is not no need of one")
	assert.Equal(t, 401, status("/access/v1/evaluation", question, ""))
	assert.NotContains(t, h.log.String(), "s3cret")
}
