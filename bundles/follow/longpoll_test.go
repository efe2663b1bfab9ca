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

// longPollServer is a server that holds a request until there is a new bundle, or until the wait is over.
type longPollServer struct {
	*server
	bundles chan []byte   // what is published
	over    chan struct{} // ends a wait without a new bundle
	held    atomic.Int32
	eager   atomic.Bool // answers 304 at once
	again   atomic.Bool // answers at once with the same bundle
	prefers atomic.Value
	last    []byte
}

func startLongPollServer(t *testing.T, first []byte) *longPollServer {
	h := &longPollServer{bundles: make(chan []byte, 1), over: make(chan struct{}), last: first}
	h.server = serve(t, nil)
	h.server.answer = h.serve
	return h
}

// serve serves one client, which sends its requests one after another.
func (h *longPollServer) serve(w http.ResponseWriter, r *http.Request) {
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
		case <-h.over: // not a timeout, which could expire between two steps of a test on a busy machine
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("ETag", `"`+string(rune('a'+h.sent.Add(1)))+`"`)
	_, _ = w.Write(h.last)
}

// longPolling makes every pause longer than a test, except the pause after a long poll.
var longPolling = follow.Polling{Min: time.Hour, Max: time.Hour, LongPoll: time.Minute, Timeout: testTimeout}

// A release arrives as soon as it is published, without requests in between.
func TestLongPolling(t *testing.T) {
	t.Parallel()
	h := startLongPollServer(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, h.source(t, nil).SetPolling(longPolling))
	f.untilSequence(1)
	require.Equal(t, "modes=snapshot;wait=60", h.prefers.Load())
	f.until("a request is held", func(follow.Status) bool { return h.held.Load() == 1 })
	h.bundles <- bundletest.Signed(bundletest.Release(2)).Pack()
	f.untilSequence(2)
	require.EqualValues(t, 2, f.checks.Load())
	h.over <- struct{}{}
	f.untilOutcome(follow.Unchanged)
	h.bundles <- bundletest.Release(3).Pack()
	f.untilOutcome(follow.Refused)
	h.bundles <- bundletest.Signed(bundletest.Release(3)).Pack()
	f.untilSequence(3)
	require.LessOrEqual(t, h.requests.Load(), int32(7))
}

// The server announces long polling and answers at once.
func TestBrokenLongPollingFallsBackToPolling(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *longPollServer){
		"nothing new at once":  func(h *longPollServer) { h.eager.Store(true) },
		"the same at once":     func(h *longPollServer) { h.again.Store(true) },
		"a bad bundle at once": func(h *longPollServer) { h.again.Store(true); h.last = bundletest.Release(1).Pack() },
	} {
		h := startLongPollServer(t, bundletest.Signed(bundletest.Release(1)).Pack())
		change(h)
		f := startFollower(t, h.source(t, nil).SetPolling(longPolling))
		began := time.Now()
		f.until(name, func(follow.Status) bool { return h.requests.Load() >= 3 })
		time.Sleep(100 * time.Millisecond)
		requests, most := h.requests.Load(), int32(4)
		if name == "a bad bundle at once" { // pauses after failures start short: a busy machine has time for more requests
			most = 1
			for at, pause := 100*time.Millisecond, 100*time.Millisecond; at <= time.Since(began); at += pause {
				most++
				pause *= 2
			}
		}
		require.LessOrEqual(t, requests, most, name)
		f.Close()
	}
}
