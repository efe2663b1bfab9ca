package follow_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// TestNotModifiedByNothing: a server that confirms what nobody has cannot be used, and says why.
func TestNotModifiedByNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	s.change(func() {
		s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
	})
	f := startFollower(t, s.origin(t, nil))
	now := f.untilOutcome(follow.Unavailable)
	require.Nil(t, now.Active)
	require.Equal(t, bundles.Unavailable, now.Attempt.Reason)
	require.ErrorContains(t, now.Attempt.Err, "without If-None-Match")
	s.again(t, 2)
	require.True(t, f.Status().Confirmed.IsZero())
	s.set(bundletest.Signed(bundletest.Release(1)).Pack())
	f.untilSequence(1)
}

// TestAStateThatSaysNothing is not taken for none: it would let any old release in.
func TestAStateThatSaysNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(5)).Pack())
	settings := once(t, s, nil)
	for _, data := range []string{`{}`, `null`, `{"sequence": 5, "id": "x"}`, `{"sequence": 5, "source": ""}`, `{"source": null}`, ` `} {
		require.NoError(t, os.WriteFile(stateOf(t, settings, "state.json"), []byte(data), 0o600))
		_, cfg := newFollower(t, origin(t, settings))
		_, err := follow.Start(t.Context(), cfg)
		require.ErrorContains(t, err, "repair it, or remove it to accept any", data)
		_, err = openOnce(origin(t, settings))
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, data).Reason, data)
		require.ErrorContains(t, err, "repair it", data)
	}
	require.NoError(t, os.Remove(stateOf(t, settings, "state.json")))
	startFollower(t, origin(t, settings)).untilSequence(5)
}
