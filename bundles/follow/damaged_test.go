package follow_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// encodedAs answers with a body and a Content-Encoding.
func encodedAs(w http.ResponseWriter, encoding string, body []byte) {
	w.Header().Set("Content-Encoding", encoding)
	_, _ = w.Write(body)
}

// gunzip decompresses a .gz.
func gunzip(data []byte) []byte {
	var out bytes.Buffer
	_ = bundletest.Must(out.ReadFrom(bundletest.Must(gzip.NewReader(bytes.NewReader(data)))))
	return out.Bytes()
}

// The damaged bundle has the ETag of the good one, so a conditional request would be answered "not modified" forever.
func TestDamagedBundleIsFetchedUnconditionally(t *testing.T) {
	t.Parallel()
	next := bundletest.Signed(bundletest.Release(2)).Pack()
	foreign, large := bundletest.Signer{Key: bundletest.OtherKey}.Sign(bundletest.Release(2)).Pack(), []byte(bundletest.Random(2*bundletest.SizeLimit))
	changed := bundletest.Signed(bundletest.Release(2)).With(bundletest.Files{"app/words/data.yaml": "hello: you\n"}).Pack()
	for name, c := range map[string]struct {
		spoil  func(w http.ResponseWriter)
		reason bundles.Reason
	}{
		"cut off, and closed":   {func(w http.ResponseWriter) { _, _ = w.Write(next[:len(next)/2]) }, bundles.Malformed},
		"a page with 200":       {func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>Log in first</html>")) }, bundles.Malformed},
		"nothing":               {func(http.ResponseWriter) {}, bundles.Malformed},
		"a bit":                 {func(w http.ResponseWriter) { _, _ = w.Write(flipBit(next)) }, bundles.Malformed},
		"unpacked on the way":   {func(w http.ResponseWriter) { _, _ = w.Write(gunzip(next)) }, bundles.Malformed},
		"without its signature": {func(w http.ResponseWriter) { _, _ = w.Write(bundletest.Release(2).Pack()) }, bundles.Unsigned},
		"another one's":         {func(w http.ResponseWriter) { _, _ = w.Write(foreign) }, bundles.Signature},
		"with a file changed":   {func(w http.ResponseWriter) { _, _ = w.Write(changed) }, bundles.Signature},
		"more than it may be":   {func(w http.ResponseWriter) { _, _ = w.Write(large) }, bundles.TooLarge},
		"unknown encoding":      {func(w http.ResponseWriter) { encodedAs(w, "br", next) }, bundles.Unavailable},
		"encoded twice":         {func(w http.ResponseWriter) { encodedAs(w, "gzip, gzip", next) }, bundles.Unavailable},
		"cut off, and encoded":  {func(w http.ResponseWriter) { encodedAs(w, "gzip", bundletest.Gzip(next, 1)[:len(next)/2]) }, bundles.Unavailable},
		"a part": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-99/%d", len(next)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(next[:100])
		}, bundles.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
			f := startFollower(t, s.source(t, map[string]any{"size_limit_bytes": bundletest.SizeLimit}))
			f.untilSequence(1)
			s.change(func() {
				s.answer = func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("ETag", etagOf(next))
					if r.Header.Get("If-None-Match") == etagOf(next) {
						w.WriteHeader(http.StatusNotModified)
						return
					}
					c.spoil(w)
				}
			})
			now := f.until(name, func(now follow.Status) bool { return now.Attempt.Err != nil })
			require.Equal(t, c.reason, now.Attempt.Reason, now.Attempt.Err)
			s.waitForRequests(t, 3)
			if c.reason != bundles.Unavailable {
				require.EqualValues(t, 1, f.Status().Refused[c.reason], "the same bytes are not checked again")
			}
			require.True(t, f.decides("read1"))
			s.set(next)
			f.untilSequence(2)
			require.Equal(t, "no-cache", s.asked.Load().Get("Cache-Control"), "what a cache has may be damaged")
			require.Equal(t, "identity", s.asked.Load().Get("Accept-Encoding"))
		})
	}
}

func flipBit(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)/2] ^= 0x10
	return data
}

func TestDamagedFirstBundleIsFetchedAgain(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(1)).Pack()
	s := serve(t, good)
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etagOf(good))
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(good[:200])
	}
	f := startFollower(t, s.source(t, nil))
	require.Equal(t, bundles.Malformed, f.untilOutcome(follow.Refused).Attempt.Reason)
	s.set(good)
	f.untilSequence(1)
}

func TestFailuresBackOff(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Release(1).Pack())
	times := follow.Polling{Min: time.Millisecond, Max: time.Hour, Timeout: testTimeout}
	began := time.Now()
	f := startFollower(t, s.source(t, nil).SetPolling(times))
	f.until("five requests", func(follow.Status) bool { return s.requests.Load() >= 5 })
	require.GreaterOrEqual(t, time.Since(began), 1500*time.Millisecond, "0.1, 0.2, 0.4, 0.8 s")
}

func Test304ForAnotherETagIsIgnored(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, s.source(t, nil))
	f.untilOutcome(follow.Unchanged)
	next := bundletest.Signed(bundletest.Release(2)).Pack()
	s.change(func() {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", etagOf(next))
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write(next)
		}
	})
	f.untilSequence(2)

	s.change(func() {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", "W/"+r.Header.Get("If-None-Match"))
			w.WriteHeader(http.StatusNotModified)
		}
	})
	s.waitForRequests(t, 2)
	weak := time.Now()
	f.until("a weak ETag names the same state", func(now follow.Status) bool { return now.Confirmed.After(weak) })
	require.EqualValues(t, 2, f.Status().Activations)
}

// gzip can mean that the file was compressed once more, or only that it is a .gz.
func TestContentEncodingIsUndone(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(1)).Pack()
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		fault    string
	}{
		"compressed once more":         {"gzip", bundletest.Gzip(good, gzip.BestSpeed), ""},
		"in another case":              {"GZip", bundletest.Gzip(good, gzip.BestSpeed), ""},
		"by its old name":              {"x-gzip", bundletest.Gzip(good, gzip.BestSpeed), ""},
		"with another that is none":    {"identity, gzip", bundletest.Gzip(good, gzip.BestSpeed), ""},
		"the file's own":               {"gzip", good, ""},
		"none":                         {"identity", good, ""},
		"unknown":                      {"zstd", good, `Content-Encoding "zstd"`},
		"unknown, with odd signs":      {"a\tb", good, `Content-Encoding "a\tb"`},
		"a bomb":                       {"gzip", bundletest.Gzip([]byte("\x1f\x8b"+strings.Repeat("\x00", 2*bundletest.SizeLimit)), gzip.BestCompression), "larger than"},
		"gzip of what is no archive":   {"gzip", bundletest.Gzip([]byte("hello"), gzip.BestSpeed), "truncated"},
		"gzip, and it is nothing such": {"gzip", []byte("hello"), "not a gzip archive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil)
			s.answer = func(w http.ResponseWriter, _ *http.Request) { encodedAs(w, c.encoding, c.body) }
			r, err := openOnce(s.source(t, map[string]any{"size_limit_bytes": bundletest.SizeLimit}))
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 1, r.Sequence)
		})
	}
}

func TestContentEncodingOfRegistryIsUndone(t *testing.T) {
	t.Parallel()
	store := imageOf(t, bundletest.Signed(bundletest.Release(1)).Pack())
	for name, c := range map[string]struct {
		encoding string
		encode   func([]byte) []byte
		fault    string
	}{
		"compressed once more": {"gzip", func(b []byte) []byte { return bundletest.Gzip(b, gzip.BestSpeed) }, ""},
		"the file's own":       {"gzip", func(b []byte) []byte { return b }, ""},
		"unknown":              {"br", func(b []byte) []byte { return b }, `Content-Encoding "br"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					store.ServeHTTP(w, r)
					return
				}
				inner := httptest.NewRecorder()
				store.ServeHTTP(inner, r)
				body := inner.Body.Bytes()
				for name, values := range inner.Header() {
					w.Header()[name] = values
				}
				if inner.Code == http.StatusOK {
					body = c.encode(body)
					w.Header().Set("Content-Encoding", c.encoding)
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				w.WriteHeader(inner.Code)
				_, _ = w.Write(body)
			}))
			t.Cleanup(front.Close)
			r, err := openOnce(imageAt(t, front, nil))
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 1, r.Sequence)
		})
	}
}

// An untrusted file is reread even if its size, time and inode are the same.
func TestUntrustedFileIsReread(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(2)).Pack()
	path := bundletest.WriteFile(t, "bundle.tar.gz", bundletest.Signed(bundletest.Release(1)).Pack())
	f := startFollower(t, source(t, map[string]any{"path": path, "key_file": bundletest.KeyFile(t, bundletest.TrustedKey)}))
	at := time.Now().Add(-time.Hour)
	overwrite := func(data []byte) {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = file.Write(data)
		require.NoError(t, err)
		require.NoError(t, file.Truncate(int64(len(data))))
		require.NoError(t, file.Close())
		require.NoError(t, os.Chtimes(path, at, at))
	}
	overwrite(flipBit(good))
	f.until("refused", func(now follow.Status) bool { return now.Attempt.Outcome == follow.Refused && now.Refusal.Err != nil })
	overwrite(good)
	f.untilSequence(2)
}

// A bundle that does not compile in time is not refused for good, and never compiled twice at a time.
func TestSlowCompileIsRetriedOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	f, cfg := newFollower(t, s.source(t, nil).SetCheckTimeout(2*time.Second))
	release2, compiled := make(chan struct{}), atomic.Int32{}
	t.Cleanup(func() {
		select {
		case <-release2:
		default:
			close(release2)
		}
	})
	cfg.SetOpen(func(ctx context.Context, c bundles.Config) (*bundles.Revision, error) {
		r, err := bundles.Open(ctx, c)
		if err == nil && r.Sequence == 2 && compiled.Add(1) == 1 {
			<-release2
		}
		return r, err
	})
	f = f.begin(cfg)
	f.untilSequence(1)
	s.set(bundletest.Signed(bundletest.Release(2)).Pack())
	require.ErrorContains(t, f.untilOutcome(follow.Refused).Attempt.Err, "does not compile within 2s")
	f.until("it is compiling", func(follow.Status) bool { return compiled.Load() > 0 })
	s.waitForRequests(t, 3)
	require.EqualValues(t, 1, compiled.Load())
	close(release2)
	f.untilSequence(2)
}

// The bundle is checked again whatever the server says about its ETag.
func TestChangedKeysRecheckBundle(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	both := func(keys ...*ecdsa.PrivateKey) *follow.BundleSource {
		return s.source(t, map[string]any{"key_file": bundletest.KeyFile(t, keys...)})
	}
	var now atomic.Pointer[follow.BundleSource]
	now.Store(both(bundletest.TrustedKey))
	f := startFollower(t, s.source(t, nil).VerifyLike(now.Load))
	f.untilSequence(1)
	s.set(bundletest.Signer{Key: bundletest.OtherKey}.Sign(bundletest.Release(2)).Pack())
	require.Equal(t, bundles.Signature, f.untilOutcome(follow.Refused).Attempt.Reason)
	now.Store(both(bundletest.TrustedKey, bundletest.OtherKey))
	f.untilSequence(2)
	f.untilOutcome(follow.Unchanged)

	now.Store(both(bundletest.TrustedKey))
	require.Equal(t, bundles.Signature, f.untilOutcome(follow.Refused).Attempt.Reason, "the key of the active one was withdrawn")
	require.True(t, f.decides("read2"), "it stays active, and is not confirmed")
	now.Store(both(bundletest.OtherKey))
	f.untilOutcome(follow.Unchanged)
	require.EqualValues(t, 2, f.Status().Activations)
}
