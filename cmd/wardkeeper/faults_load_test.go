package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// The people whom the load asks about.
const (
	stableAdmin  = "stable"  // may edit Jane
	revokedAdmin = "revoked" // may, until the revocation
	nobodysAdmin = "nurse"   // may not
)

const faultsDirectory = `{"locations":[{"id":"metro","kind":"region","model":"regional"},{"id":"north","kind":"division","parent":"metro"},
	{"id":"ghi","kind":"facility","parent":"north"}],"users":[
	{"id":"jane","default_location":"ghi","assignments":[{"location":"ghi","role":"ed_normal"}]},
	{"id":"nurse","default_location":"ghi","assignments":[{"location":"ghi","role":"ed_normal"}]},
	{"id":"stable","default_location":"metro","assignments":[{"location":"metro","role":"regional_admin"}]},
	{"id":"revoked","default_location":"metro","assignments":[{"location":"metro","role":"regional_admin"}]}]}`

// faultLoad asks a server questions whose answers are known, without pause, and probes its /health as those do who have no
// connection yet.
type faultLoad struct {
	url    string
	client *http.Client
	others *http.Client // makes a new connection for each request
	log    revocationLog
	fault  fault
	faulty atomic.Bool // it shows now

	probes, answered, unanswered atomic.Int64

	mu      sync.Mutex
	wrong   []string
	slowest time.Duration // answer
	// During the fault: questions, those that took longer than half of their time-out, and those without an answer.
	during, slow, failed int
	lateProbe            time.Duration // the longest that /health took: how slow machine and process are by themselves

	ending  chan struct{}
	workers sync.WaitGroup
	once    sync.Once
}

func startFaultLoad(t *testing.T, url string, one fault) *faultLoad {
	l := &faultLoad{url: url, fault: one, log: revocationLog{maxAge: faultsMaxAge}, ending: make(chan struct{}), client: &http.Client{
		Timeout: servertest.Timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 10},
	}, others: &http.Client{Timeout: servertest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}}
	for _, id := range []string{stableAdmin, revokedAdmin, nobodysAdmin} {
		l.workers.Go(func() {
			for l.wait(10 * time.Millisecond) {
				l.ask(id)
			}
		})
	}
	l.workers.Go(func() {
		for l.wait(probePause) {
			l.probe()
		}
	})
	t.Cleanup(l.stop)
	return l
}

// wait waits for a pause. It returns false when the load ends.
func (l *faultLoad) wait(pause time.Duration) bool {
	select {
	case <-l.ending:
		return false
	case <-time.After(pause):
		return true
	}
}

func (l *faultLoad) stop() {
	l.once.Do(func() { close(l.ending) })
	l.workers.Wait()
	l.client.CloseIdleConnections()
}

// waitForAnswers waits until questions have been asked, with or without success.
func (l *faultLoad) waitForAnswers(n int64) {
	for from := l.answered.Load() + l.unanswered.Load(); l.answered.Load()+l.unanswered.Load() < from+n; {
		time.Sleep(servertest.PollInterval)
	}
}

func (l *faultLoad) ask(id string) {
	during := l.faulty.Load()
	began := time.Now()
	a, status, err := askAbout(l.client, l.url, id, "")
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, took)
	if during {
		l.during++
		if took > faultsTimeout/2 {
			l.slow++
		}
	}
	if during && (err != nil || status != http.StatusOK) {
		l.failed++
	}
	switch {
	case err != nil && l.fault.resets:
		l.unanswered.Add(1)
		return
	case err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable:
		l.wrong = append(l.wrong, fmt.Sprintf("about %s: status %d, %v", id, status, err))
	case status != http.StatusOK:
		l.unanswered.Add(1)
		return
	case id == stableAdmin && !a.allowed:
		l.wrong = append(l.wrong, id+" was denied")
	case id == nobodysAdmin && a.allowed:
		l.wrong = append(l.wrong, id+" was allowed")
	case id == revokedAdmin:
		l.log.addAnswer(a)
	}
	l.answered.Add(1)
}

func (l *faultLoad) probe() {
	began := time.Now()
	status, _, err := getPage(l.others, l.url+"/health")
	took := time.Since(began)
	l.mu.Lock()
	l.lateProbe = max(l.lateProbe, took)
	if status != http.StatusOK && !(err != nil && l.fault.resets) {
		l.wrong = append(l.wrong, fmt.Sprintf("/health: status %d, %v", status, err))
	}
	l.mu.Unlock()
	l.probes.Add(1)
}

func (l *faultLoad) get(path string) (status int, body string, err error) {
	return getPage(l.client, l.url+path)
}

func getPage(client *http.Client, url string) (status int, body string, err error) {
	w, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = w.Body.Close() }()
	text, err := io.ReadAll(w.Body)
	return w.StatusCode, string(text), err
}

// wrongAnswers lists what was answered wrongly so far.
func (l *faultLoad) wrongAnswers() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.wrong, l.log.violations(whenCommitted))
}

// check checks the answers: that they were right, and came in time.
func (l *faultLoad) check(t *testing.T) {
	t.Helper()
	wrong := l.wrongAnswers()
	assert.Empty(t, wrong[:min(len(wrong), 5)], "of %d", len(wrong))
	const overrun = time.Second / 4
	busy := l.lateProbe > faultsTimeout/4 // the machine, so that it cannot be told who is slow
	if l.fault.resets {
		busy = l.lateProbe > faultsTimeout/10 // a question then waits for several connections, each as late
	}
	if !busy || !l.fault.resets {
		assert.LessOrEqual(t, l.slowest, faultsTimeout+overrun+tolerance+2*l.lateProbe, "no question takes longer than its time-out")
	}
	if !busy {
		// The first ones find out that something does not answer. The others do not wait for it.
		assert.LessOrEqual(t, l.slow, 20+l.during/10, "of %d questions during the fault", l.during)
		if l.fault.ready == "" && !l.fault.resets && !l.fault.stops {
			assert.LessOrEqual(t, l.failed, 5+l.during/10, "questions are answered, since nothing is missing")
		}
	}
	t.Logf("%d questions answered, %d not; the slowest took %v, /health %v; %d of %d were slow during the fault", l.answered.Load(), l.unanswered.Load(),
		l.slowest.Round(time.Millisecond), l.lateProbe.Round(time.Millisecond), l.slow, l.during)
}
