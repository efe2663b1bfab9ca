package rotation

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// MaxAge is the usual age of connections, roughly. When they are replaced, names are looked up and certificates are
// presented again.
const MaxAge = 5 * time.Minute

// TransportConfig configures a [Transport].
type TransportConfig struct {
	// New makes a transport from the current files. If it fails, the previous transport stays in use.
	New func() (*http.Transport, error)
	// Version identifies what New would use. When it changes, the transport is replaced. The value must be comparable. Nil
	// means that it never changes.
	Version func() any
	MaxAge  time.Duration // 0 means [MaxAge]
}

// Transport is an [http.RoundTripper] that replaces its connections when they reach their age, and when what they were made
// from has changed. Requests in flight finish on their connection. It is safe for concurrent use.
type Transport struct {
	cfg TransportConfig

	mu      sync.Mutex
	current *http.Transport
	version any
	until   time.Time
}

// NewTransport makes the first transport, and fails if that fails.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	if cfg.Version == nil {
		cfg.Version = func() any { return nil }
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = MaxAge
	}
	t := &Transport{cfg: cfg}
	if err := t.replace(cfg.Version()); err != nil {
		return nil, err
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.now().RoundTrip(r) }

func (t *Transport) now() *http.Transport {
	version := t.cfg.Version()
	t.mu.Lock()
	defer t.mu.Unlock()
	if version != t.version || time.Now().After(t.until) {
		_ = t.replace(version) // on failure the current one stays in use, and the next request tries again
	}
	return t.current
}

// replace makes a new transport. If that fails, it only closes the idle connections of the current one.
func (t *Transport) replace(version any) error {
	before := t.current
	next, err := t.cfg.New()
	if err == nil {
		t.current, t.version = next, version
		t.until = time.Now().Add(t.cfg.MaxAge - rand.N(t.cfg.MaxAge/10+1)) // spread, so that not all are replaced at once
	}
	if before != nil {
		before.CloseIdleConnections() // those in use are closed when they are returned
	}
	return err
}

// Renew makes the next request use a new connection.
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
