package rotation

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Life is how long connections are used, about. Then names are looked up again, and certificates are shown anew.
const Life = 5 * time.Minute

// TransportConfig is what a [Transport] is made of.
type TransportConfig struct {
	// Make makes a transport by what is current. Where it fails, the one before is used on.
	Make func() (*http.Transport, error)
	// Basis names what a transport is made by: when it changes, another one is made. The value must be comparable. nil:
	// it never changes.
	Basis func() any
	Life  time.Duration // 0 means [Life]
}

// Transport is an [http.RoundTripper] that replaces its connections: when their life is over, and when what they are made
// by has changed. Requests on their way end on the connection that they have. It is safe for concurrent use.
type Transport struct {
	cfg TransportConfig

	mu      sync.Mutex
	current *http.Transport
	basis   any
	until   time.Time
}

// NewTransport makes the first transport, and fails where that fails.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	if cfg.Basis == nil {
		cfg.Basis = func() any { return nil }
	}
	if cfg.Life <= 0 {
		cfg.Life = Life
	}
	t := &Transport{cfg: cfg}
	if err := t.replace(cfg.Basis()); err != nil {
		return nil, err
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.now().RoundTrip(r) }

func (t *Transport) now() *http.Transport {
	basis := t.cfg.Basis()
	t.mu.Lock()
	defer t.mu.Unlock()
	if basis != t.basis || time.Now().After(t.until) {
		_ = t.replace(basis) // else what was good goes on, and is tried again
	}
	return t.current
}

// replace begins anew. Where that is not possible, the connections at least are closed.
func (t *Transport) replace(basis any) error {
	before := t.current
	next, err := t.cfg.Make()
	if err == nil {
		t.current, t.basis = next, basis
		t.until = time.Now().Add(t.cfg.Life - rand.N(t.cfg.Life/10+1)) // not all at the same time
	}
	if before != nil {
		before.CloseIdleConnections() // one in use is closed when it comes back
	}
	return err
}

// Renew has the next request use a new connection.
func (t *Transport) Renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = time.Time{}
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.CloseIdleConnections()
}
