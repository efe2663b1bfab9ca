package redisstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/guard"
	"github.com/wardkeeper/wardkeeper/pdp/guard/guardtest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) (url string, clear func()){
		"single": func(t *testing.T) (string, func()) {
			r := servertest.StartRedis(t)
			return r.URL(), r.FlushAll
		},
		"cluster": func(t *testing.T) (string, func()) {
			c := servertest.StartRedisCluster(t)
			return c.URL(), c.MasterOf(NewKeys("wk1", false).claims).FlushAll
		},
		"sentinel": func(t *testing.T) (string, func()) { // with a replica
			p := servertest.StartSentinel(t)
			return p.URL(), p.Master().FlushAll
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, clear := url(t)
			guardtest.Run(t, func(t *testing.T) (one, two guard.Claims) {
				clear()
				return openStore(t, Config{URL: url, Lease: time.Minute}), openStore(t, Config{URL: url, Lease: time.Minute})
			})
		})
	}
}

// A claim that Redis does not confirm is an error, and never a claim.
func TestClaimFailsWithoutRedis(t *testing.T) {
	t.Parallel()
	r := servertest.StartRedis(t)
	s := openStore(t, Config{URL: r.URL()})
	locks := []guard.Lock{{Name: "jane", Exclusive: true}}
	_, err := s.Claim(t.Context(), "a", locks, time.Minute)
	require.NoError(t, err)
	keys, err := r.Client().Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	assert.Equal(t, []string{"wk1:{claims}:held:jane"}, keys)
	r.Stop()
	_, err = s.Claim(t.Context(), "b", locks, time.Minute)
	require.Error(t, err)
	require.Error(t, s.Release(t.Context(), "a", locks))
}
