package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// A server that requires approval keeps its policy until whatever a new one allows is approved, also when it was started meanwhile.
func TestServerRequiresApproval(t *testing.T) {
	t.Parallel()
	policy, state := policyFolder(t, phones), t.TempDir()
	more := strings.Replace(phones, `{"chief"}`, `{"chief", "clerk"}`, 1)
	_, err := follow.Settings{Path: policy, RequireApproval: true}.Resolve()
	require.ErrorContains(t, err, "state_dir", "a server that starts would have nothing to compare with")
	settings, err := json.Marshal(map[string]any{"decision": "authz/decision",
		"policy": map[string]any{"bundle": map[string]any{"path": policy, "state_dir": state, "require_approval": true}}})
	require.NoError(t, err)
	args := []string{"--config", writeFile(t, "wardkeeper.json", string(settings)), "--directory", writeFile(t, "directory.yaml", `
locations: [{id: metro, kind: region, model: regional}]
users: [{id: bob, default_location: metro, assignments: [{location: metro, role: clerk}]}]
`)}
	bobMay := func(d *daemon) bool {
		w, body := post(t, d.url, "", `{"subject":{"type":"user","id":"bob"},"action":{"name":"phone.answer"},"resource":{"type":"location","id":"metro"},"context":{"current_location":"metro"}}`)
		require.Equal(t, http.StatusOK, w.StatusCode, body)
		return strings.Contains(body, `"decision":true`)
	}
	refusals := `wardkeeper_bundle_refusals_total{reason="unapproved"}`
	write := func(name, text string) { replaceFile(t, filepath.Join(policy, name), []byte(text)) }

	d := startServer(t, args...)
	require.False(t, bobMay(d))
	write("authz.rego", more)
	waitUntil(t, "the policy is refused", func() bool { return d.metric(t, refusals) == 1 })
	require.False(t, bobMay(d))
	d.waitForLog(t, "in 1 change without approval", 1)
	require.Contains(t, d.kill(t), "holding clerk at the region")

	d = startServer(t, args...)
	require.EqualValues(t, 1, d.metric(t, refusals), "it is compared with the policy of before")
	require.False(t, bobMay(d))

	var report proof.Differences
	require.NoError(t, json.Unmarshal([]byte(run(t, nil, "diff", policyFolder(t, phones), policy, "--json").out), &report))
	write("approved.yaml", "approved:\n- {id: "+strings.Repeat("0", 32)+", change: another, reason: R}\n")
	waitUntil(t, "it is refused again", func() bool { return d.metric(t, refusals) == 2 })
	write("approved.yaml", "approved:\n- id: "+report.Changes[0].ID+"\n  change: \""+report.Changes[0].Sentence+"\"\n  reason: Clerks answer the phone.\n")
	waitUntil(t, "the policy is active", func() bool { return bobMay(d) })

	// What takes power away needs no approval. To give it back does.
	require.NoError(t, os.Remove(filepath.Join(policy, "approved.yaml")))
	write("authz.rego", phones)
	waitUntil(t, "the policy is active", func() bool { return !bobMay(d) })
	write("authz.rego", more)
	waitUntil(t, "the policy is refused", func() bool { return d.metric(t, refusals) == 3 })
	require.False(t, bobMay(d))

	// What was in force cannot be loaded any more: nothing is taken for the first.
	d.kill(t)
	require.NoError(t, os.WriteFile(filepath.Join(state, "bundle.tar.gz"), []byte("damaged"), 0o600))
	got := run(t, nil, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "empty that directory to begin without comparing")
	write("authz.rego", phones)
	require.False(t, bobMay(startServer(t, args...)), "the same as before")
}

// A refusal is a line of the log: it names one change, counts the others, and says how to see all.
func TestRefusalIsShort(t *testing.T) {
	t.Parallel()
	report := &proof.Differences{NotExplored: []string{"one world", "another"}}
	for _, id := range []string{"1", "2", "3"} {
		report.Changes = append(report.Changes, proof.Difference{ID: strings.Repeat(id, 32), Kind: proof.Granted, Sentence: strings.Repeat("standing somewhere, ", 50)})
	}
	ignored := []string{strings.Repeat("the approval of nothing ", 50), "another approval"}
	text := unapproved(report, ignored)
	require.Contains(t, text, "in 3 changes without approval: "+strings.Repeat("1", 32)+" standing somewhere, ")
	require.Contains(t, text, "… (and 2 more); the approval of nothing ")
	require.Contains(t, text, "… (and 1 more); \"wardkeeper diff\" with both policies shows all")
	require.Less(t, len(text), 3*maxSentence)

	report.Changes = nil
	require.Contains(t, unapproved(report, nil), "not everything can be compared with the policy in force: one world (and 1 more); ")
	report.NotExplored = nil
	require.Empty(t, unapproved(report, ignored), "what is approved for nothing does no harm")
}
