package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

const (
	firstRelease  = 10
	secondRelease = 11
)

// policyFaults are those of a bundle server that lies. Whatever it says would allow everything.
var policyFaults = map[string]fault{
	"bundle server lies": {
		unprotected: []removal{
			without("bundles/verify.go", "case sent == nil && v.Required:", "case false:", everythingIsAllowed),
			without("bundles/verify.go",
				"files, keyID, err := v.signature(signatures, headerOf(signatures))\n\tif err != nil {\n\t\treturn nil, err\n\t}",
				"files, keyID, err := v.signature(signatures, headerOf(signatures))\n\tif err != nil {\n\t\treturn nil, nil\n\t}", everythingIsAllowed),
			without("bundles/verify.go",
				"err != nil || !bytes.Equal(found, wanted)", "err != nil || !bytes.Equal(found[:0], wanted[:0])", everythingIsAllowed),
			without("bundles/follow/statestore.go",
				"case highest == 0 || r.Sequence > highest || r.Sequence == highest && r.ID == s.state.ID:",
				"case true:", everythingIsAllowed),
		},
		begin: func(f *faultTest) {
			other := newSigner(f.t, "ES256")
			allowed := allowingRelease(secondRelease + 1)
			genuine := builtInRelease(f.t, secondRelease).signed(f.t, f.bundles.signer)
			for _, lie := range []struct {
				reason string
				tell   func(w http.ResponseWriter)
			}{
				{"malformed", answerBytes([]byte("no archive"))},
				{"malformed", answerBytes(genuine[:len(genuine)/2])},
				{"unsigned", answerBytes(archiveBytes(f.t, allowed.archive(f.t)))},
				{"signature", answerBytes(allowed.signed(f.t, other))},
				{"signature", answerBytes(replaceRule(f.t, genuine))},
				{"too_large", endlessAnswer},
				{"replayed", answerBytes(allowingRelease(firstRelease-1).signed(f.t, f.bundles.signer))},
			} {
				metric := fmt.Sprintf("wardkeeper_bundle_refusals_total{reason=%q}", lie.reason)
				before := f.metric(metric)
				f.bundles.tell(lie.tell)
				f.d.signal(f.t, syscall.SIGHUP) // it asks at once
				f.waitUntil("it is refused: "+lie.reason, func() bool { return f.metric(metric) > before })
			}
		},
		ready: `"refused":`, metrics: `^wardkeeper_bundle_refusals_total{reason="replayed"} [1-9]`, log: "policy refused, the active policy stays in force",
		end: func(f *faultTest) { f.bundles.release(secondRelease) },
	},
	// Nothing tells that there is a newer release, but that it does not arrive.
	"bundle server always says 304": {
		unprotected: []removal{ // it believes that nothing will ever be new
			without("bundles/follow/follow.go",
				"case first && f.Stale():",
				"case f.status.Attempt.Outcome == Unchanged:\n\t\treturn time.Hour\n\tcase first && f.Stale():",
				"it has not recovered"),
		},
		begin: func(f *faultTest) {
			f.bundles.tell(func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotModified) })
		},
		metrics: fmt.Sprintf("^wardkeeper_bundle_sequence %d$", firstRelease),
		end:     func(f *faultTest) { f.bundles.release(secondRelease) },
	},
}

// lyingBundleServer is a bundle server that can lie.
type lyingBundleServer struct {
	t        *testing.T
	signer   signer
	url      string
	answer   atomic.Pointer[func(http.ResponseWriter)] // nil: the truth
	truth    atomic.Pointer[[]byte]
	released atomic.Int64
}

func newLyingBundleServer(t *testing.T) *lyingBundleServer {
	t.Helper()
	s := &lyingBundleServer{t: t, signer: newSigner(t, "ES256")}
	s.release(firstRelease)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *lyingBundleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if answer := s.answer.Load(); answer != nil {
		(*answer)(w)
		return
	}
	etag := fmt.Sprintf(`"%d"`, s.released.Load())
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(*s.truth.Load())
}

func (s *lyingBundleServer) tell(lie func(http.ResponseWriter)) { s.answer.Store(&lie) }

// release publishes the built-in policy as a release, and ends all lies.
func (s *lyingBundleServer) release(n int64) {
	data := builtInRelease(s.t, n).signed(s.t, s.signer)
	s.truth.Store(&data)
	s.released.Store(n)
	s.answer.Store(nil)
}

func answerBytes(data []byte) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = w.Write(data) }
}

func endlessAnswer(w http.ResponseWriter) {
	for noise := make([]byte, 64<<10); ; {
		_, _ = rand.Read(noise)
		if _, err := w.Write(noise); err != nil {
			return
		}
	}
}

func allowingRelease(n int64) testRelease {
	return testRelease{n, map[string]string{"authz/authz.rego": "package authz\n\ndecision := {\"allow\": true}\n"}}
}

// replaceRule returns a signed release with a rule that allows what it denied to anybody, under the old signature.
func replaceRule(t *testing.T, genuine []byte) []byte {
	t.Helper()
	a, err := bundles.ReadArchive(bytes.NewReader(genuine), bundles.Limits{})
	require.NoError(t, err)
	for i, file := range a.Files {
		if file.Name == "authz/authz.rego" {
			const denial = "else := _denial"
			a.Files[i].Data = bytes.Replace(file.Data, []byte(denial), []byte(`else := {"allow": true} if input.facts.subject.status == "active" `+denial), 1)
			require.NotEqual(t, file.Data, a.Files[i].Data)
		}
	}
	return archiveBytes(t, a)
}
