package benchfleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// sidecar is a running server.
type sidecar struct {
	*servertest.Wardkeeper
	number int
	away   atomic.Bool // it was killed or stopped
	client *http.Client
}

// serve starts a server, and returns once it serves.
func serve(t *testing.T, binary string, number int, settings ...string) *sidecar {
	return &sidecar{
		Wardkeeper: servertest.StartWardkeeper(t, binary, []string{"GOMAXPROCS=2"}, settings...), number: number,
		client: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}},
	}
}

// answer is what the harness looks at.
type answer struct {
	Decision bool
	Context  struct {
		Freshness struct {
			Records []struct {
				Type, ID string
				Version  uint64
				Vouched  bool
			}
		}
	}
}

// ask asks whether an administrator may edit a user, and by which facts.
func (s *sidecar) ask(ctx context.Context, subject, user string) (a answer, err error) {
	body, err := json.Marshal(map[string]any{
		"subject": map[string]any{"type": "user", "id": subject}, "action": map[string]any{"name": "user.edit"},
		"resource": map[string]any{"type": "user", "id": user}, "context": map[string]any{"current_location": "metro", "confirmed": true, "include": []string{"freshness"}},
	})
	if err != nil {
		return a, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/access/v1/evaluation", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := s.client.Do(r)
	if err != nil {
		return a, err
	}
	defer func() { _ = w.Body.Close() }()
	if w.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(w.Body)
		return a, fmt.Errorf("%s: %s", w.Status, text)
	}
	return a, json.NewDecoder(w.Body).Decode(&a)
}

func (s *sidecar) get(path string) (string, error) {
	w, err := s.client.Get(s.URL + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = w.Body.Close() }()
	text, err := io.ReadAll(w.Body)
	return string(text), err
}

// metric returns the sum of a metric's values; 0 if the server does not answer.
func (s *sidecar) metric(name string) (sum float64) {
	text, err := s.get("/metrics")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok {
			value, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			sum += value
		}
	}
	return sum
}

// wire leads connections to a server, until it is cut: then nothing gets through, and nobody is told.
type wire struct {
	addr string
	cut  atomic.Bool
}

func lay(t *testing.T, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	w := &wire{addr: l.Addr().String()}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go w.copy(near, far)
			go w.copy(far, near)
		}
	}()
	return w
}

func (w *wire) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		for w.cut.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if _, err2 := to.Write(buffer[:n]); err != nil || err2 != nil {
			return
		}
	}
}
