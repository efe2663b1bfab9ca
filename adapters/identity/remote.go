package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/loopback"
	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

// Ages of fetched keys.
const (
	refreshAfter = 10 * time.Minute // older keys are fetched again, and used meanwhile
	forgetAfter  = 24 * time.Hour   // older keys are no longer used
	retryAfter   = 15 * time.Second // the minimum time between fetches, whatever key ids tokens name
	fetchTimeout = 5 * time.Second
	maxWait      = time.Second // for a fetch in progress
)

// remote is a key set that is fetched over HTTP, at most once in retryAfter: tokens with invented key ids cannot cause more
// fetches.
type remote struct {
	url    string
	client *http.Client
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	keys    keySet
	fetched time.Time     // when the last successful fetch ended
	tried   time.Time     // when the last fetch began
	failed  bool          // whether the last fetch that ended has failed
	down    outage.Outage // while fetches fail
	running chan struct{} // closed when the fetch in progress ends; nil if none is
}

func newRemote(address string, client *http.Client, logger *slog.Logger, now func() time.Time) (*remote, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback.Is(u.Hostname())) {
		return nil, errors.New("identity: the URL of the keys is not one of https (or of http at a loopback address)")
	}
	if client == nil {
		client = &http.Client{}
	}
	own := *client
	own.Timeout = fetchTimeout
	// All trust rests on the keys, so they come only from the configured URL.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &remote{url: address, client: &own, logger: logger, now: now}, nil
}

// find waits for a fetch if no usable key fits the token. While the keys cannot be fetched, the one that is missing may be a new
// one of the issuer: then it is not known whether the token is valid.
func (r *remote) find(ctx context.Context, h header) ([]any, error) {
	keys, wait := r.current(h)
	if wait != nil {
		timer := time.NewTimer(maxWait)
		defer timer.Stop()
		select {
		case <-wait:
		case <-timer.C:
			return nil, ErrUnavailable
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if wait != nil {
		keys = r.usable()
	}
	if found := keys.find(h); len(found) > 0 {
		return found, nil
	}
	if keys == nil || r.failed {
		return nil, ErrUnavailable
	}
	return nil, errNoKey
}

// current returns the usable keys. If none fits the token, it also returns a channel to wait on, which is nil if no fetch is
// in progress. It starts a fetch if one is due.
func (r *remote) current(h header) (keySet, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.usable()
	missing := len(keys.find(h)) == 0
	if missing || r.now().Sub(r.fetched) > refreshAfter {
		r.start()
	}
	if missing {
		return keys, r.running
	}
	return keys, nil
}

func (r *remote) usable() keySet {
	if r.now().Sub(r.fetched) > forgetAfter {
		return nil
	}
	return r.keys
}

// start starts a fetch unless one is in progress or was tried recently. The fetch outlives the request that causes it,
// because others wait for it too.
func (r *remote) start() {
	if r.running != nil || r.now().Sub(r.tried) < retryAfter {
		return
	}
	r.tried = r.now()
	r.running = make(chan struct{})
	go func() {
		keys, err := r.fetch()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failed = err != nil
		if err != nil {
			if r.down.Failed() {
				r.logger.Warn("the issuer's keys cannot be fetched", "error", err)
			}
		} else {
			r.keys, r.fetched = keys, r.now()
			if ended := r.down.Ended(); ended != nil {
				r.logger.Info("the issuer's keys can be fetched again", ended...)
			}
		}
		close(r.running)
		r.running = nil
	}()
}

func (r *remote) fetch() (keySet, error) {
	req, err := http.NewRequest(http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxKeySet:
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	return parseKeySet(data)
}
