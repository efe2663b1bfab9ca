package guardtest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/guard"
)

// lock is a short notation: "jane" is shared, "jane!" exclusive, and "jane!2" exclusive in state 2.
func lock(text string) guard.Lock {
	for i := range text {
		if text[i] == '!' {
			return guard.Lock{Name: text[:i], State: text[i+1:], Exclusive: true}
		}
	}
	return guard.Lock{Name: text}
}

func locks(texts ...string) []guard.Lock {
	all := make([]guard.Lock, len(texts))
	for i, text := range texts {
		all[i] = lock(text)
	}
	return all
}

// Run tests an implementation. open returns one without claims, and a second handle on the same claims, as another process has
// it.
func Run(t *testing.T, open func(t *testing.T) (one, two guard.Claims)) {
	for name, test := range map[string]func(t *testing.T, one, two guard.Claims){
		"exclusion": testExclusion, "all or nothing": testAllOrNothing, "release": testRelease, "expiry": testExpiry,
		"revocation does not starve": testWanted, "one of many": testOneOfMany,
	} {
		t.Run(name, func(t *testing.T) {
			one, two := open(t)
			test(t, one, two)
		})
	}
}

// claim claims for a minute.
func claim(t *testing.T, c guard.Claims, id string, l []guard.Lock) time.Duration {
	t.Helper()
	return claimFor(t, c, id, l, time.Minute)
}

// claimFor repeats a claim that fails, as a replica can be slow to confirm it. After an error it may be in force.
func claimFor(t *testing.T, c guard.Claims, id string, l []guard.Lock, ttl time.Duration) time.Duration {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; {
		wait, err := c.Claim(t.Context(), id, l, ttl)
		if err == nil {
			assert.GreaterOrEqual(t, wait, time.Duration(0))
			assert.LessOrEqual(t, wait, 2*time.Minute)
			return wait
		}
		if err = errors.Join(err, c.Release(t.Context(), id, l)); time.Now().After(limit) {
			assert.NoError(t, err)
			return 0
		}
	}
}

func testExclusion(t *testing.T, one, two guard.Claims) {
	for i, c := range []struct {
		held, asked string
		excluded    bool
	}{
		{"u", "u", false}, {"u!", "u", true}, {"u", "u!", true}, {"u!", "u!", true}, {"u!1", "u!1", true}, {"u!1", "u!2", false},
		{"u!1", "u", false}, {"u", "u!1", true}, {"u!", "v!", false},
	} {
		prefix := fmt.Sprint(i)
		assert.Zero(t, claim(t, one, "a"+prefix, locks(prefix+c.held)))
		assert.Equal(t, c.excluded, claim(t, two, "b"+prefix, locks(prefix+c.asked)) > 0, "%+v", c)
	}
}

func testAllOrNothing(t *testing.T, one, two guard.Claims) {
	assert.Zero(t, claim(t, one, "a", locks("ann!", "org")))
	assert.NotZero(t, claim(t, two, "b", locks("ben!", "org", "ann!")))
	assert.Zero(t, claim(t, two, "c", locks("ben!", "org")), "a claim that failed has taken nothing")
	assert.NotZero(t, claim(t, one, "d", locks("org!")), "the last of those who share holds it")

	// Two who remove each other: each needs the record that the other one takes.
	assert.Zero(t, claim(t, one, "e", locks("eva!", "fred")))
	assert.NotZero(t, claim(t, two, "f", locks("fred!", "eva")))
}

func testRelease(t *testing.T, one, two guard.Claims) {
	held := locks("ann!", "org")
	assert.Zero(t, claim(t, one, "a", held))
	assert.Zero(t, claim(t, one, "b", locks("org")))
	require.NoError(t, two.Release(t.Context(), "x", held), "of no claim")
	assert.NotZero(t, claim(t, two, "c", locks("ann!")))
	require.NoError(t, two.Release(t.Context(), "a", held))
	require.NoError(t, two.Release(t.Context(), "a", held), "again")
	assert.Zero(t, claim(t, two, "d", locks("ann!")))
	assert.NotZero(t, claim(t, two, "e", locks("org!")), "b still shares it")
	require.NoError(t, one.Release(t.Context(), "b", locks("org")))
	assert.Zero(t, claim(t, one, "f", locks("org!")))
}

func testExpiry(t *testing.T, one, two guard.Claims) {
	for id, l := range map[string][]guard.Lock{"a": locks("ann!"), "b": locks("org")} {
		claimFor(t, one, id, l, 20*time.Millisecond)
	}
	require.Eventually(t, func() bool { return claim(t, two, "c", locks("ann!", "org!")) == 0 }, time.Minute, 5*time.Millisecond)
}

// An administrator who never pauses does not keep their own record from being claimed.
func testWanted(t *testing.T, one, two guard.Claims) {
	const ttl = 50 * time.Millisecond
	n := 0
	require.Eventually(t, func() bool {
		n++
		claimFor(t, one, fmt.Sprint("work", n), locks(fmt.Sprintf("user%d!", n), "admin"), ttl)
		return claimFor(t, two, fmt.Sprint("revocation", n), locks("admin!"), ttl) == 0
	}, time.Minute, time.Millisecond)
}

func testOneOfMany(t *testing.T, one, two guard.Claims) {
	var taken atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		c := one
		if i%2 == 1 {
			c = two
		}
		all.Go(func() {
			if claim(t, c, fmt.Sprint("c", i), locks("jane!7", fmt.Sprint("admin", i), "org")) == 0 {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, taken.Load())
}
