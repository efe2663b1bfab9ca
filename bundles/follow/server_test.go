package follow_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// An unchanged bundle is neither sent nor checked again.
func TestUnchangedBundleIsConfirmed(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"with ETag": false, "without ETag": true} {
		s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
		s.plain = plain
		f := startFollower(t, s.source(t, nil))
		first := f.untilOutcome(follow.Unchanged)
		s.waitForRequests(t, 3)
		f.until(name, func(now follow.Status) bool { return now.Confirmed.After(first.Confirmed) })
		require.EqualValues(t, 1, f.checks.Load(), name)
		require.Equal(t, !plain, s.sent.Load() == 1, name)
		require.False(t, first.FromDisk)
		resume := s.pauseAfter(bundletest.Signed(bundletest.Release(2)).Pack())
		require.Equal(t, follow.Activated, f.untilSequence(2).Attempt.Outcome, name)
		resume()
		require.True(t, f.decides("read2"))
		s.set(bundletest.Release(3).Pack())
		f.untilOutcome(follow.Refused)
		s.waitForRequests(t, 3)
		require.EqualValues(t, 1, f.Status().Refused[bundles.Unsigned], name)
	}
}

// pauseAfter makes the server serve body and, once body was sent, hold all further requests until resume is called: until
// then, the outcome of the attempt stays.
func (s *server) pauseAfter(body []byte) (resume func()) {
	resumed := make(chan struct{})
	var sent atomic.Bool
	s.change(func() {
		s.body = body
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if sent.Swap(true) {
				select {
				case <-resumed:
				case <-r.Context().Done():
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write(body)
		}
	})
	return func() {
		s.change(func() { s.answer = nil })
		close(resumed)
	}
}

// Whatever the server answers, the next release is activated once it works again.
func TestServerFailureChangesNothing(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(1)).Pack()
	s := serve(t, good)
	quick := fastPolling
	quick.Timeout = 200 * time.Millisecond
	f := startFollower(t, s.source(t, nil).SetPolling(quick))
	f.untilSequence(1)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	sequence := int64(1)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"broken":       {status(500), "500"},
		"gone":         {status(404), "404"},
		"forbidden":    {status(403), "403"},
		"a part":       {status(206), "206"},
		"nothing":      {status(204), "204"},
		"elsewhere":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirects too often"},
		"hangs up":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"never begins": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "in time"},
		"never ends": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(good[:100])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "to its end"},
		"an error without end": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "502"},
		"less than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(good)+1))
			_, _ = w.Write(good)
		}, "to its end"},
	} {
		s.change(func() { s.answer = c.answer })
		now := f.until(name, func(now follow.Status) bool {
			return now.Attempt.Outcome == follow.Unavailable && strings.Contains(now.Attempt.Err.Error(), c.says)
		})
		require.Equal(t, bundles.Unavailable, now.Attempt.Reason, name)
		s.waitForRequests(t, 2)
		require.Equal(t, sequence, f.Status().Active.Sequence, name)
		require.True(t, f.decides("read"), name)
		sequence++
		s.set(bundletest.Signed(bundletest.Release(int(sequence))).Pack())
		f.untilSequence(sequence)
		require.True(t, f.decides(fmt.Sprintf("read%d", sequence)), name)
	}
	require.NotZero(t, f.Status().Refused[bundles.Unavailable])
}

// However its server fails meanwhile, an outage is one line when it begins, and one when it ends.
func TestAnOutageOfTheServerIsOneLine(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(5)).Pack())
	f := startFollower(t, s.source(t, nil))
	f.untilSequence(5)
	for _, status := range []int{http.StatusNotFound, http.StatusBadGateway, http.StatusNotFound} {
		s.change(func() { s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) } })
		f.until("it is unavailable", func(now follow.Status) bool {
			return now.Attempt.Outcome == follow.Unavailable && strings.Contains(now.Attempt.Err.Error(), strconv.Itoa(status))
		})
	}
	s.change(func() { s.answer = nil })
	f.untilLogged("is good again", 1)
	require.Equal(t, 1, f.log.count("cannot be read"))
	require.Equal(t, 1, f.log.count("is good again\" lasted_ms="))
}

// Recovery comes with another good release, or with the active one, which is not checked again.
func TestRecoversAfterRefusal(t *testing.T) {
	t.Parallel()
	good, bad := bundletest.Signed(bundletest.Release(5)).Pack(), bundletest.Release(6).Pack()
	s := serve(t, good)
	f := startFollower(t, s.source(t, nil))
	f.untilSequence(5)
	s.set(bad)
	f.untilOutcome(follow.Refused)
	s.set(good)
	now := f.untilOutcome(follow.Unchanged)
	require.EqualValues(t, 1, now.Activations)
	require.EqualValues(t, 1, f.checks.Load())
	f.untilLogged("is good again", 1)
	require.Equal(t, 1, f.log.count("is good again"))
	s.set(bad)
	f.untilOutcome(follow.Refused)
	s.change(func() { s.answer = http.NotFound })
	require.Equal(t, bundles.Unsigned, f.untilOutcome(follow.Unavailable).Refusal.Reason, "it stands")
	s.set(bad)
	f.untilOutcome(follow.Refused)
	require.EqualValues(t, 2, f.Status().Refused[bundles.Unsigned], "the same is not checked again")
	s.set(bundletest.Signed(bundletest.Release(6)).Pack())
	f.untilSequence(6)
	require.Zero(t, f.Status().Refusal)
	s.set(bundletest.Signer{Key: bundletest.TrustedKey, ID: "anew"}.Sign(bundletest.Release(6)).Pack())
	s.waitForRequests(t, 3)
	require.EqualValues(t, 2, f.Status().Activations, "signed anew")
	require.EqualValues(t, 2, f.checks.Load())
	require.Equal(t, follow.Unchanged, f.Status().Attempt.Outcome)
}

// An endless policy does not block the next releases, and a start that times out refuses nothing.
func TestEndlessPolicyIsTimedOut(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates for two seconds")
	}
	t.Parallel()
	endless := bundletest.Release(2).With(bundletest.Files{"app/app.rego": `package app

default decision := false

decision if {
	some i in numbers.range(1, 100000)
	some j in numbers.range(1, 100000)
	i + j == count(input.subject.id) - 1000
}
`, "golden/data.json": `{"decisions": []}`})
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, s.source(t, nil).SetCheckTimeout(2*time.Second))
	f.untilSequence(1)
	s.set(bundletest.Signed(endless).Pack())
	f.until("it is not checked in time", func(now follow.Status) bool { // on a busy machine it may not compile in time either
		return now.Attempt.Err != nil && strings.Contains(now.Attempt.Err.Error(), "cannot be checked within 2s")
	})
	require.True(t, f.decides("read1"))
	s.set(bundletest.Signed(bundletest.Release(3)).Pack())
	f.untilSequence(3)

	slow, cfg := newFollower(t, s.source(t, nil).SetCheckTimeout(time.Hour))
	cfg.StartTimeout = 2 * time.Second
	gate := cfg.Gate
	cfg.Gate = func(ctx context.Context, r *bundles.Revision) (follow.Candidate, error) {
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < time.Minute { // that of the start
			<-ctx.Done()
			return nil, bundles.Refuse(bundles.Golden, ctx.Err())
		}
		return gate(ctx, r)
	}
	slow.begin(cfg).untilSequence(3)
}

// A slow compilation blocks neither the next releases nor the end of the process, although a compiler cannot be interrupted.
func TestSlowCompileBlocksNothing(t *testing.T) {
	t.Parallel()
	stop, compiling := make(chan struct{}), make(chan struct{}, 10)
	t.Cleanup(func() { close(stop) })
	compile := func(ctx context.Context, cfg bundles.Config) (*bundles.Revision, error) {
		r, err := bundles.Open(ctx, cfg)
		if err == nil && r.Sequence == 2 {
			compiling <- struct{}{}
			<-stop
		}
		return r, err
	}
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f, cfg := newFollower(t, s.source(t, nil).SetCheckTimeout(2*time.Second))
	cfg.SetOpen(compile)
	f = f.begin(cfg)
	f.untilSequence(1)
	s.set(bundletest.Signed(bundletest.Release(2)).Pack())
	now := f.untilOutcome(follow.Refused)
	require.Equal(t, bundles.Compile, now.Attempt.Reason)
	require.ErrorContains(t, now.Attempt.Err, "does not compile within 2s")
	require.True(t, f.decides("read1"))
	s.set(bundletest.Signed(bundletest.Release(3)).Pack())
	f.untilSequence(3)

	s = serve(t, bundletest.Signed(bundletest.Release(2)).Pack())
	waiting, cfg := newFollower(t, s.source(t, nil).SetCheckTimeout(time.Hour))
	cfg.SetOpen(compile)
	cfg.StartTimeout = time.Millisecond // the start does not wait
	<-compiling
	waiting = waiting.begin(cfg)
	<-compiling
	waiting.Close()
}

func TestPanickingGateRefuses(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f, cfg := newFollower(t, s.source(t, nil))
	gate := cfg.Gate
	cfg.Gate = func(ctx context.Context, r *bundles.Revision) (follow.Candidate, error) {
		if r.Sequence == 2 {
			panic("a policy too many")
		}
		return gate(ctx, r)
	}
	f = f.begin(cfg)
	f.untilSequence(1)
	s.set(bundletest.Signed(bundletest.Release(2)).Pack())
	require.Equal(t, bundles.Vetoed, f.untilOutcome(follow.Refused).Attempt.Reason)
	s.set(bundletest.Signed(bundletest.Release(3)).Pack())
	f.untilSequence(3)
}

// Close is prompt even while a request hangs, which is not a failure.
func TestCloseIsPrompt(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, s.source(t, nil))
	f.untilSequence(1)
	hanging := make(chan struct{})
	var once sync.Once
	s.change(func() {
		s.answer = func(_ http.ResponseWriter, r *http.Request) {
			once.Do(func() { close(hanging) })
			<-r.Context().Done()
		}
	})
	<-hanging
	closed := make(chan struct{})
	go func() {
		f.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(testTimeout):
		t.Fatal("it does not close")
	}
	require.NotEqual(t, follow.Unavailable, f.Status().Attempt.Outcome)
	require.Zero(t, f.log.count("level=WARN"))
	require.True(t, f.decides("read1"))
	f.Close()
}

func TestStatusIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, s.source(t, nil))
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				now := f.Status()
				now.Refused["mine"]++
				_ = f.Stale()
				if now.Active != nil && now.Active.Sequence > 1 {
					_, _ = now.Active.Prepare(bundletest.Entrypoint)
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	for sequence := int64(2); sequence < 12; sequence++ {
		s.set(bundletest.Release(int(sequence)).Pack())
		f.untilOutcome(follow.Refused)
		s.set(bundletest.Signed(bundletest.Release(int(sequence))).Pack())
		f.untilSequence(sequence)
	}
	close(done)
	asking.Wait()
	require.NotContains(t, f.Status().Refused, bundles.Reason("mine"))
}

func TestUnconditional304IsUnavailable(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	s.change(func() {
		s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
	})
	f := startFollower(t, s.source(t, nil))
	now := f.untilOutcome(follow.Unavailable)
	require.Nil(t, now.Active)
	require.Equal(t, bundles.Unavailable, now.Attempt.Reason)
	require.ErrorContains(t, now.Attempt.Err, "without If-None-Match")
	s.waitForRequests(t, 2)
	require.True(t, f.Status().Confirmed.IsZero())
	s.set(bundletest.Signed(bundletest.Release(1)).Pack())
	f.untilSequence(1)
}
