package follow_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// holding is a server that holds a request until there is something new, or until the client's wait is over.
type holding struct {
	*server
	bundles chan []byte // what is published
	held    atomic.Int32
	eager   atomic.Bool // answers 304 at once
	again   atomic.Bool // answers at once with the same bundle
	prefers atomic.Value
	last    []byte
}

func hold(t *testing.T, first []byte) *holding {
	h := &holding{bundles: make(chan []byte, 1), last: first}
	h.server = serve(t, nil)
	h.server.answer = h.serve
	return h
}

// serve serves one client, which sends its requests one after another.
func (h *holding) serve(w http.ResponseWriter, r *http.Request) {
	h.prefers.Store(r.Header.Get("Prefer"))
	w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
	switch {
	case h.again.Load() || r.Header.Get("If-None-Match") == "":
		select {
		case h.last = <-h.bundles:
		default:
		}
	case h.eager.Load():
		w.WriteHeader(http.StatusNotModified)
		return
	default:
		h.held.Add(1)
		select {
		case h.last = <-h.bundles:
		case <-r.Context().Done():
			return
		case <-time.After(time.Second):
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("ETag", `"`+string(rune('a'+h.sent.Add(1)))+`"`)
	_, _ = w.Write(h.last)
}

// longPolling makes every pause but that after a long poll longer than a test.
var longPolling = follow.Polling{Min: time.Hour, Max: time.Hour, LongPoll: time.Second, Timeout: testTimeout}

// A release arrives as soon as it is published, without requests in between.
func TestLongPolling(t *testing.T) {
	t.Parallel()
	h := hold(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, h.origin(t, nil).SetPolling(longPolling))
	f.untilSequence(1)
	require.Equal(t, "modes=snapshot;wait=1", h.prefers.Load())
	require.Eventually(t, func() bool { return h.held.Load() == 1 }, testTimeout, time.Millisecond)
	h.bundles <- bundletest.Signed(bundletest.Release(2)).Pack()
	f.untilSequence(2)
	require.EqualValues(t, 2, f.checks.Load())
	f.untilOutcome(follow.Unchanged) // a wait ended without news
	h.bundles <- bundletest.Release(3).Pack()
	f.untilOutcome(follow.Refused)
	h.bundles <- bundletest.Signed(bundletest.Release(3)).Pack()
	f.untilSequence(3)
	require.LessOrEqual(t, h.requests.Load(), int32(7))
}

// The server announces long polling and answers at once.
func TestBrokenLongPollingFallsBackToPolling(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *holding){
		"nothing new at once":  func(h *holding) { h.eager.Store(true) },
		"the same at once":     func(h *holding) { h.again.Store(true) },
		"a bad bundle at once": func(h *holding) { h.again.Store(true); h.last = bundletest.Release(1).Pack() },
	} {
		h := hold(t, bundletest.Signed(bundletest.Release(1)).Pack())
		change(h)
		f := startFollower(t, h.origin(t, nil).SetPolling(longPolling))
		require.Eventually(t, func() bool { return h.requests.Load() >= 3 }, testTimeout, time.Millisecond, name)
		require.Never(t, func() bool { return h.requests.Load() > 4 }, 100*time.Millisecond, 10*time.Millisecond, name)
		f.Close()
	}
}
