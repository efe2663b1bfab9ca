package guard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/guard"
	"github.com/wardkeeper/wardkeeper/pdp/guard/guardtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	guardtest.Run(t, func(*testing.T) (one, two guard.Claims) {
		m := &guard.Memory{}
		return m, m
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := &guard.Memory{}
	claim := func(i int, ttl time.Duration) error {
		_, err := m.Claim(t.Context(), "id", []guard.Lock{{Name: fmt.Sprint(i), Exclusive: true}}, ttl)
		return err
	}
	for i := range 50_000 {
		require.NoError(t, claim(i, time.Nanosecond))
	}
	for i := range 100_000 {
		require.NoError(t, claim(100_000+i, time.Hour), "what has expired is forgotten")
	}
	require.ErrorIs(t, claim(0, time.Hour), guard.ErrFull)
}
