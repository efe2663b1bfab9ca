package connlimit

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connAt returns a connection that entered its phase at a time, in seconds.
func connAt(l *Limiter, phase int32, second int64) *Conn {
	client, server := net.Pipe()
	_ = client.Close()
	c := &Conn{Conn: server, limiter: l}
	c.phase.Store(phase)
	c.phaseStart.Store(second * int64(time.Second))
	l.open[c] = struct{}{}
	return c
}

func TestEvictionOrder(t *testing.T) {
	l := New(Config{})
	busy := connAt(l, phaseBusy, 0)
	recent := connAt(l, phaseReadingBody, 100)
	idle := connAt(l, phaseIdle, 50)
	idleLonger := connAt(l, phaseIdle, 40)
	slow := connAt(l, phaseReadingBody, 90)
	silent := connAt(l, phaseNew, 80)
	now := 100 * int64(time.Second)
	for _, want := range []*Conn{silent, slow, idleLonger, idle, recent} {
		got := l.evictionCandidate(now)
		require.Same(t, want, got)
		require.NoError(t, got.Close())
	}
	assert.Nil(t, l.evictionCandidate(now), "busy connections are never evicted")
	assert.Len(t, l.open, 1)
	require.NoError(t, busy.Close())
	assert.Empty(t, l.open)
}

func TestHTTP2ConnectionIsBusyWhileResponsesAreComputed(t *testing.T) {
	l := New(Config{Max: 1})
	c := connAt(l, phaseNew, 0)
	c.SetHTTP2()
	ConnState(c, http.StateActive)
	now := monotonic() + int64(time.Minute)
	require.Same(t, c, l.evictionCandidate(now), "only a head has arrived")
	c.BeginResponse()
	c.BeginResponse()
	c.EndResponse()
	require.Nil(t, l.evictionCandidate(now))
	c.EndResponse()
	require.Same(t, c, l.evictionCandidate(now))
}

func TestBodyThatArrivesDoesNotKeepAConnectionOpen(t *testing.T) {
	l := New(Config{Max: 1})
	c := connAt(l, phaseNew, 0)
	ConnState(c, http.StateActive)
	c.ReadingBody()
	now := monotonic() + int64(time.Minute)
	require.Same(t, c, l.evictionCandidate(now))
	c.BodyRead()
	require.Nil(t, l.evictionCandidate(now))
	ConnState(c, http.StateIdle)
	require.Same(t, c, l.evictionCandidate(now))
}

func TestNilConnIsIgnored(t *testing.T) {
	c := FromContext(t.Context())
	require.Nil(t, c)
	c.ReadingBody()
	c.BodyRead()
	c.SetHTTP2()
	c.BeginResponse()
	c.EndResponse()
}
