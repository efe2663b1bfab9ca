package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// releaseWithRoles returns release n of the built-in policy. If atDivisions is set, it also offers ed_normal at divisions.
func releaseWithRoles(t *testing.T, n int64, atDivisions bool) testRelease {
	t.Helper()
	r := builtInRelease(t, n)
	if atDivisions {
		const row = "ed_normal:           {offered_at: [facility]"
		table := r.files["authz/regional/data.yaml"]
		require.Contains(t, table, row)
		r.files["authz/regional/data.yaml"] = strings.Replace(table, row, "ed_normal: {offered_at: [facility, division]", 1)
	}
	return r
}

const (
	withoutEve = `locations:
  - {id: metro, name: Metro, kind: region, model: regional}
  - {id: north, name: North, kind: division, parent: metro}
users:
  - {id: alice, default_location: metro, assignments: [{location: metro, role: regional_admin}]}
`
	withEve = withoutEve + `  - {id: eve, default_location: north, assignments: [{location: north, role: ed_normal}]}
`
	byEve = `{"subject":{"type":"user","id":"eve"},"action":{"name":"location.switch"},"resource":{"type":"location","id":"north"}}`
)

// A directory that only a refused release allows is not used, not even briefly. Once the release is active, it is used.
func TestRefusedPolicyDoesNotChangeTheVocabulary(t *testing.T) {
	t.Parallel()
	k := newStatefulServer(t)
	directory := writeFile(t, "directory.yaml", withoutEve)
	args := k.reloadingArgs(t, "--directory", directory)
	k.publish(releaseWithRoles(t, 1, false).signed(t, k.signer))
	d := startServer(t, args...)
	waitUntil(t, "the first release is active", func() bool { return d.revision(t).Sequence == 1 })
	unknown := func() bool {
		w, body := post(t, d.url, "", byEve)
		require.Equal(t, http.StatusOK, w.StatusCode, body)
		require.NotContains(t, body, `"decision":true`, "by release %d", d.revision(t).Sequence)
		return strings.Contains(body, "unknown_subject")
	}
	replaceFile(t, directory, []byte(withEve))
	waitUntil(t, "the directory is refused", func() bool { return d.metric(t, "wardkeeper_directory_reload_failures_total") == 1 })
	require.True(t, unknown())

	// A release that cannot be saved changes nothing, no matter how often it is tried.
	require.NoError(t, os.Rename(k.state, k.state+"-aside"))
	k.publish(releaseWithRoles(t, 2, true).signed(t, k.signer))
	refusals := `wardkeeper_bundle_refusals_total{reason="not_kept"}`
	waitUntil(t, "the follower has tried", func() bool { return d.metric(t, refusals) >= 1 })
	require.True(t, unknown())
	require.EqualValues(t, 1, d.revision(t).Sequence)
	require.EqualValues(t, 1, d.metric(t, "wardkeeper_directory_reload_failures_total"), "the file is not at fault once more")

	require.NoError(t, os.Rename(k.state+"-aside", k.state))
	waitUntil(t, "the release is active", func() bool { return d.revision(t).Sequence == 2 })
	waitUntil(t, "the account is known", func() bool {
		_, body := post(t, d.url, "", byEve)
		return strings.Contains(body, `"decision":true`)
	})
}

// The release is accepted once the directory has been corrected.
func TestReleaseThatTheDirectoryBreaksIsRefused(t *testing.T) {
	t.Parallel()
	k := newStatefulServer(t)
	directory := writeFile(t, "directory.yaml", withEve)
	args := k.reloadingArgs(t, "--directory", directory)
	k.publish(releaseWithRoles(t, 1, true).signed(t, k.signer))
	d := startServer(t, args...)
	waitUntil(t, "the first release is active", func() bool { return d.revision(t).Sequence == 1 })
	k.publish(releaseWithRoles(t, 2, false).signed(t, k.signer))
	waitUntil(t, "the follower has tried", func() bool { return d.metric(t, `wardkeeper_bundle_refusals_total{reason="directory"}`) >= 2 })
	require.Zero(t, d.metric(t, "wardkeeper_directory_reload_failures_total"), "the directory is good by the active policy")
	w, body := post(t, d.url, "", byEve)
	require.Equal(t, http.StatusOK, w.StatusCode)
	require.Contains(t, body, `"decision":true`)
	replaceFile(t, directory, []byte(withoutEve))
	waitUntil(t, "the release is active", func() bool { return d.revision(t).Sequence == 2 })
	d.kill(t)

	// The same applies to a start from disk.
	replaceFile(t, directory, []byte(withEve))
	k.takeDown()
	d = startServer(t, args...)
	ready, _ := d.readiness(t)
	require.False(t, ready)
	replaceFile(t, directory, []byte(withoutEve))
	waitUntil(t, "the policy on disk decides", func() bool {
		policy := d.revision(t)
		return policy.Sequence == 2 && policy.FromDisk
	})
	require.FileExists(t, filepath.Join(k.state, "bundle.tar.gz"))
}

// reloadingArgs returns arguments of a server that polls the source every second.
func (k *statefulServer) reloadingArgs(t *testing.T, more ...string) []string {
	t.Helper()
	config := fmt.Sprintf("policy:\n  bundle:\n    service: {url: %q}\n    resource: authz.tar.gz\n    key_file: %q\n    state_dir: %q\n"+
		"    polling: {min_delay_seconds: 1, max_delay_seconds: 1}\n",
		strings.TrimSuffix(k.url, "/authz.tar.gz"), writeFile(t, "public.pem", k.signer.public), k.state)
	return append([]string{"--config", writeFile(t, "wardkeeper.yaml", config)}, more...)
}
