package follow_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// once follows until a policy is active, and returns settings to continue with.
func once(t *testing.T, s *server, more map[string]any) map[string]any {
	t.Helper()
	settings := s.settings(t, more)
	f := startFollower(t, source(t, settings))
	f.until("a policy", func(now follow.Status) bool { return now.Active != nil })
	f.Close()
	return settings
}

func stateOf(t *testing.T, settings map[string]any, name string) string {
	return filepath.Join(settings["state_dir"].(string), name)
}

// editState changes state.json.
func editState(t *testing.T, settings map[string]any, change func(state map[string]any)) {
	t.Helper()
	path := stateOf(t, settings, "state.json")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(data, &all))
	change(all)
	require.NoError(t, os.WriteFile(path, bundletest.Must(json.Marshal(all)), 0o600))
}

func TestSavedBundleServesWhileServerIsDown(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(5)).Pack())
	settings := once(t, s, nil)
	s.change(func() { s.answer = http.NotFound })
	f := startFollower(t, source(t, settings))
	require.True(t, f.Status().FromDisk)
	require.True(t, f.decides("read5"))
	now := f.untilOutcome(follow.Unavailable)
	require.True(t, now.FromDisk)
	require.True(t, now.Active.Verified)
	require.Equal(t, s.URL+"/app.tar.gz", now.Active.Source)
	require.Equal(t, 1, f.log.count("from disk"))
	sent := s.sent.Load()
	s.change(func() { s.answer = nil })
	require.False(t, f.untilOutcome(follow.Unchanged).FromDisk)
	require.Equal(t, sent, s.sent.Load(), "the server knows it by its tag")
	require.EqualValues(t, 1, f.Status().Activations)
	s.set(bundletest.Signed(bundletest.Release(4)).Pack())
	require.Equal(t, bundles.Replayed, f.untilOutcome(follow.Refused).Attempt.Reason, "also after a start")
	s.set(bundletest.Signed(bundletest.Release(6)).Pack())
	f.untilSequence(6)
}

func TestSavedBundleIsCheckedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, settings map[string]any)
		reason bundles.Reason // as logged; "" if the bundle is not even read
	}{
		"a byte changed": {func(t *testing.T, settings map[string]any) {
			data := bundletest.Must(os.ReadFile(stateOf(t, settings, "bundle.tar.gz")))
			data[len(data)/2] ^= 0x10
			require.NoError(t, os.WriteFile(stateOf(t, settings, "bundle.tar.gz"), data, 0o600))
		}, bundles.Malformed},
		"another in its place": {func(t *testing.T, settings map[string]any) {
			require.NoError(t, os.WriteFile(stateOf(t, settings, "bundle.tar.gz"), bundletest.Signer{Key: bundletest.OtherKey}.Sign(bundletest.Release(9)).Pack(), 0o600))
		}, bundles.Signature},
		"an older in its place": {func(t *testing.T, settings map[string]any) {
			require.NoError(t, os.WriteFile(stateOf(t, settings, "bundle.tar.gz"), bundletest.Signed(bundletest.Release(4)).Pack(), 0o600))
		}, bundles.Replayed},
		"older than the record": {func(t *testing.T, settings map[string]any) {
			editState(t, settings, func(r map[string]any) { r["sequence"] = 6 })
		}, bundles.Replayed},
		"of another source": {func(t *testing.T, settings map[string]any) {
			editState(t, settings, func(r map[string]any) { r["source"] = "http://elsewhere/app.tar.gz" })
		}, ""},
		"its key was withdrawn": {func(t *testing.T, settings map[string]any) {
			settings["key_file"] = bundletest.KeyFile(t, bundletest.OtherKey)
		}, bundles.Signature},
		"larger than the limit": {func(t *testing.T, settings map[string]any) { settings["size_limit_bytes"] = 500 }, bundles.TooLarge},
		"gone": {func(t *testing.T, settings map[string]any) {
			require.NoError(t, os.Remove(stateOf(t, settings, "bundle.tar.gz")))
		}, ""},
	} {
		s := serve(t, bundletest.Signed(bundletest.Release(5)).Pack())
		settings := once(t, s, nil)
		s.change(func() { s.answer = http.NotFound })
		c.change(t, settings)
		f := startFollower(t, source(t, settings))
		now := f.untilOutcome(follow.Unavailable)
		require.Nil(t, now.Active, name)
		require.False(t, now.FromDisk, name)
		if c.reason == "" {
			require.Zero(t, f.log.count("saved on disk is not used"), name)
		} else {
			require.Equal(t, 1, f.log.count("saved on disk is not used"), name)
			require.Equal(t, 1, f.log.count("reason="+string(c.reason)), name)
		}
		f.Close()
	}
}

func TestSavedBundleIsOfItsSourceOnly(t *testing.T) {
	t.Parallel()
	plain := func(word string) bundletest.Files {
		return bundletest.Release(1).With(bundletest.Files{".manifest": "", "notes.md": "", "app/words/data.yaml": "hello: good day\nby: " + word + "\n"})
	}
	s := serve(t, plain("the server").Pack())
	settings := once(t, s, map[string]any{"key_file": nil, "allow_unsigned": true})
	dir := t.TempDir()
	bundletest.Unpack(t, dir, plain("the directory"))
	local := map[string]any{"path": dir, "state_dir": settings["state_dir"]}
	f := startFollower(t, source(t, local))
	good := f.Status().Active.ID
	f.Close()
	bundletest.Unpack(t, dir, bundletest.Files{"app/app.rego": "package"})
	now := startFollower(t, source(t, local)).Status()
	require.True(t, now.FromDisk)
	require.Equal(t, good, now.Active.ID, "the server's bundle is not the directory's")
}

// Without the state, any old release would be accepted.
func TestUnreadableStateStopsStart(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(5)).Pack())
	settings := once(t, s, nil)
	whole := bundletest.Must(os.ReadFile(stateOf(t, settings, "state.json")))
	for name, data := range map[string][]byte{
		"empty": {}, "torn": whole[:len(whole)/2], "zeros": make([]byte, len(whole)), "twice": bytes.Repeat(whole, 2), "a list": []byte("[]"),
		"a sequence of text": []byte(`{"sequence": "5"}`), "below nothing": []byte(`{"sequence": -1}`),
	} {
		require.NoError(t, os.WriteFile(stateOf(t, settings, "state.json"), data, 0o600))
		_, cfg := newFollower(t, source(t, settings))
		_, err := follow.Start(t.Context(), cfg)
		require.ErrorContains(t, err, "repair it, or remove it to accept any", name)
		require.ErrorContains(t, err, "state.json", name)
	}
	require.NoError(t, os.WriteFile(stateOf(t, settings, "state.json"), whole, 0o600))
	f := startFollower(t, source(t, settings))
	_, cfg := newFollower(t, source(t, settings))
	_, err := follow.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "in use by another process: give each its own")
	f.Close()
	startFollower(t, source(t, settings)).Close()

	_, cfg = newFollower(t, source(t, with(settings, "state_dir", bundletest.WriteFile(t, "file", nil))))
	_, err = follow.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "cannot make the state directory")
}

func with(settings map[string]any, name string, value any) map[string]any {
	all := maps.Clone(settings)
	all[name] = value
	return all
}

func TestUnsavableBundleIsNotActivated(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	settings := s.settings(t, nil)
	f := startFollower(t, source(t, settings))
	f.untilSequence(1)
	dir := settings["state_dir"].(string)
	aside := dir + "-aside"
	require.NoError(t, os.Rename(dir, aside)) // stops root, too
	s.set(bundletest.Signed(bundletest.Release(2)).Pack())
	now := f.untilOutcome(follow.Refused)
	require.Equal(t, bundles.NotSaved, now.Attempt.Reason)
	require.EqualValues(t, 1, now.Active.Sequence)
	require.False(t, f.decides("read2"))
	f.until("retried", func(now follow.Status) bool { return now.Refused[bundles.NotSaved] > 1 })
	require.NoError(t, os.Rename(aside, dir))
	f.untilSequence(2)
	require.True(t, f.decides("read2"))
	require.Equal(t, 1, f.log.count("policy refused"))
}

// The age of the last confirmation counts across a restart, too.
func TestUnconfirmedPolicyBecomesStale(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	settings := s.settings(t, map[string]any{"max_age": "1h"})
	f := startFollower(t, source(t, settings).SetMaxAge(200*time.Millisecond))
	f.untilSequence(1)
	s.change(func() { s.answer = http.NotFound })
	s.waitForRequests(t, 2) // on a busy machine it may have been stale for a moment before
	confirmed := f.log.count("policy confirmed again")
	f.until("stale", func(follow.Status) bool { return f.Stale() })
	f.untilLogged("policy stale", confirmed+1)
	s.waitForRequests(t, 3)
	require.Equal(t, confirmed+1, f.log.count("policy stale"), "logged once")
	s.change(func() { s.answer = nil })
	f.until("no longer stale", func(follow.Status) bool { return !f.Stale() })
	f.untilLogged("policy confirmed again", confirmed+1)
	f.Close()

	ago := time.Now().Add(-2 * time.Hour).Round(0)
	editState(t, settings, func(r map[string]any) { r["confirmed"] = ago })
	s.change(func() { s.answer = http.NotFound })
	f = startFollower(t, source(t, settings))
	require.True(t, f.Stale())
	require.True(t, ago.Equal(f.Status().Confirmed))
	require.False(t, startFollower(t, source(t, with(with(settings, "max_age", ""), "state_dir", t.TempDir()))).Stale(), "nothing to be stale")
	s.change(func() { s.answer = nil })
	f.untilOutcome(follow.Unchanged)
	require.False(t, f.Stale())
	f.Close()

	editState(t, settings, func(r map[string]any) { r["confirmed"] = time.Now().Add(24 * time.Hour) })
	s.change(func() { s.answer = http.NotFound })
	f = startFollower(t, source(t, settings))
	require.False(t, f.Status().Confirmed.After(time.Now()), "the clock was set back")
}

// If an empty state counted as a missing one, any old release would be accepted.
func TestEmptyStateIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, bundletest.Signed(bundletest.Release(5)).Pack())
	settings := once(t, s, nil)
	for _, data := range []string{`{}`, `null`, `{"sequence": 5, "id": "x"}`, `{"sequence": 5, "source": ""}`, `{"source": null}`, ` `} {
		require.NoError(t, os.WriteFile(stateOf(t, settings, "state.json"), []byte(data), 0o600))
		_, cfg := newFollower(t, source(t, settings))
		_, err := follow.Start(t.Context(), cfg)
		require.ErrorContains(t, err, "repair it, or remove it to accept any", data)
		_, err = openOnce(source(t, settings))
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, data).Reason, data)
		require.ErrorContains(t, err, "repair it", data)
	}
	require.NoError(t, os.Remove(stateOf(t, settings, "state.json")))
	startFollower(t, source(t, settings)).untilSequence(5)
}
