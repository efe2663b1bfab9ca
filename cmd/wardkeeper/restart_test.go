package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// balancer is a load balancer that follows readiness. It sends each request to one of the servers that were ready when it
// looked last, and never a second time.
type balancer struct {
	client  *http.Client // for checks
	servers []*balanced
	next    atomic.Uint64
}

type balanced struct {
	url   *url.URL
	proxy *httputil.ReverseProxy
	ready atomic.Bool
}

// checkPause is the time between two checks of a server.
const checkPause = 200 * time.Millisecond

func startBalancer(t *testing.T, addrs ...string) (b *balancer, url string) {
	b = &balancer{client: &http.Client{Timeout: servertest.Timeout}}
	for _, addr := range addrs {
		s := &balanced{url: mustParse(t, "http://"+addr)}
		transport := &http.Transport{MaxIdleConnsPerHost: 100}
		t.Cleanup(transport.CloseIdleConnections)
		s.proxy = httputil.NewSingleHostReverseProxy(s.url)
		s.proxy.Transport = transport
		s.proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the load balancer failed: "+err.Error(), http.StatusBadGateway)
		}
		b.servers = append(b.servers, s)
		stop := make(chan struct{})
		var checks sync.WaitGroup
		checks.Go(func() {
			for {
				b.check(s)
				select {
				case <-stop:
					return
				case <-time.After(checkPause):
				}
			}
		})
		t.Cleanup(func() { close(stop); checks.Wait() })
	}
	front := httptest.NewServer(b)
	t.Cleanup(front.Close)
	return b, front.URL
}

func mustParse(t *testing.T, text string) *url.URL {
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func (b *balancer) check(s *balanced) {
	w, err := b.client.Get(s.url.String() + "/ready")
	if err == nil {
		_ = w.Body.Close()
	}
	s.ready.Store(err == nil && w.StatusCode == http.StatusOK)
}

// ServeHTTP implements [http.Handler].
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first := b.next.Add(1)
	for i := range uint64(len(b.servers)) {
		if s := b.servers[(first+i)%uint64(len(b.servers))]; s.ready.Load() {
			s.proxy.ServeHTTP(w, r)
			return
		}
	}
	http.Error(w, "no server is ready", http.StatusServiceUnavailable)
}

// Two servers are restarted in turn under load.
func TestRestartsBehindALoadBalancerFailNoRequest(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	restart := func(t *testing.T, delay string) (answered int64, failures []string) {
		addrs := []string{"127.0.0.1:" + strconv.Itoa(servertest.FreePort(t)), "127.0.0.1:" + strconv.Itoa(servertest.FreePort(t))}
		servers := make([]*daemon, len(addrs))
		begin := func(i int) {
			servers[i] = startServerAt(t, addrs[i], "--directory", testDirectory, "--shutdown-delay", delay)
		}
		for i := range addrs {
			begin(i)
		}
		b, front := startBalancer(t, addrs...)
		ready := func(want ...bool) {
			waitUntil(t, "the load balancer has noticed", func() bool {
				return b.servers[0].ready.Load() == want[0] && b.servers[1].ready.Load() == want[1]
			})
		}
		ready(true, true)

		var ok atomic.Int64
		var mu sync.Mutex
		var load sync.WaitGroup
		stop := make(chan struct{})
		for range 6 {
			load.Go(func() {
				client := &http.Client{Transport: &http.Transport{}, Timeout: servertest.Timeout}
				defer client.CloseIdleConnections()
				for {
					select {
					case <-stop:
						return
					default:
					}
					if fault := askOnce(client, front); fault != nil {
						mu.Lock()
						failures = append(failures, fault.Error())
						mu.Unlock()
					} else {
						ok.Add(1)
					}
				}
			})
		}
		for i := range servers {
			before := ok.Load()
			waitUntil(t, "there is load", func() bool { return ok.Load() > before+50 })
			servers[i].signal(t, syscall.SIGTERM)
			status, _ := servers[i].end()
			assert.Equal(t, statusOK, status)
			ready(i != 0, i != 1)
			begin(i)
			ready(true, true)
		}
		close(stop)
		load.Wait()
		return ok.Load(), failures
	}
	t.Run("with a delay", func(t *testing.T) {
		answered, failures := restart(t, "3s")
		assert.Empty(t, failures)
		t.Logf("%d requests answered", answered)
	})
	t.Run("without", func(t *testing.T) { // what the delay is for
		answered, failures := restart(t, "0s")
		assert.NotEmpty(t, failures)
		t.Logf("%d requests answered, %d failed", answered, len(failures))
	})
}

// askOnce asks a question, and returns an error unless it is allowed.
func askOnce(client *http.Client, url string) error {
	w, err := client.Post(url+evaluationPath, "application/json", strings.NewReader(viewJane))
	if err != nil {
		return err
	}
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(w.Body)
	if err == nil && (w.StatusCode != http.StatusOK || string(body) != `{"decision":true}`) {
		err = errors.New(w.Status + ": " + string(body))
	}
	return err
}

// Until a server stops, it says that it does. Another signal stops it at once.
func TestServerIsNotReadyBeforeItStops(t *testing.T) {
	t.Parallel()
	d := startServer(t, "--directory", testDirectory, "--shutdown-delay", "1h")
	status, _ := d.get(t, "/ready")
	require.Equal(t, http.StatusOK, status)
	d.signal(t, syscall.SIGTERM)
	waitUntil(t, "it is not ready", func() bool {
		status, body := d.get(t, "/ready")
		return status == http.StatusServiceUnavailable && body == `{"error":"Not ready, stopping.","stopping":true}`
	})
	require.NoError(t, askOnce(http.DefaultClient, d.url))
	d.signal(t, syscall.SIGTERM)
	d.end() // the connection of the last answer may still have been closing, which counts as a request in flight
	_, err := net.Dial("tcp", d.addr())
	require.Error(t, err)
}
