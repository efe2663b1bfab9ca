package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFleetKeyFileIsChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "it is empty: write one key a line",
		"correct horse battery staple":       "line 1 is not a key of 64 hexadecimal digits",
		strings.Repeat("a1", 32) + "\nshort": "line 2 is not a key of 64 hexadecimal digits",
	} {
		got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--fleet-key-file", writeFile(t, "fleet.key", text))
		assert.Equal(t, statusFailed, got.status, text)
		assert.Contains(t, got.err, "--fleet-key-file: the fleet key file: ")
		assert.Contains(t, got.err, want)
	}
}

// Behind a load balancer, a list goes on at any sidecar of the fleet; what others made is refused and counted.
func TestListGoesOnAtAnotherSidecarOfTheFleet(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	start := func(lines string) *daemon {
		return startServer(t, "--directory", testDirectory, "--fleet-key-file", writeFile(t, "fleet.key", lines))
	}
	first, second, stranger := start(a), start(b+"\n"+a), start(b)
	page := func(d *daemon, token string) (int, string) {
		question := map[string]any{
			"subject": map[string]any{"type": "user", "id": "alice"}, "action": map[string]any{"name": "user.view"}, "resource": map[string]any{"type": "user"},
			"context": map[string]any{"current_location": "metro"}, "page": map[string]any{"limit": 1, "token": token},
		}
		body, err := json.Marshal(question)
		require.NoError(t, err)
		w, answer := send(t, http.DefaultClient, "POST", d.url+"/access/v1/search/resource", "", string(body))
		var list struct {
			Page struct {
				Next string `json:"next_token"`
			}
		}
		if w.StatusCode == http.StatusOK {
			require.NoError(t, json.Unmarshal([]byte(answer), &list), answer)
		}
		return w.StatusCode, list.Page.Next
	}
	status, token := page(first, "")
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, token)
	status, _ = page(second, token)
	require.Equal(t, http.StatusOK, status)
	status, _ = page(stranger, token)
	require.Equal(t, http.StatusBadRequest, status)
	_, metrics := send(t, http.DefaultClient, "GET", stranger.url+"/metrics", "", "")
	assert.Contains(t, metrics, `wardkeeper_fleet_key_refused_total{reason="unknown_key",what="page_token"} 1`)
	_, metrics = send(t, http.DefaultClient, "GET", second.url+"/metrics", "", "")
	assert.Contains(t, metrics, `wardkeeper_fleet_key_refused_total{reason="unknown_key",what="page_token"} 0`)
	assert.Contains(t, metrics, `role="signs"} 1`)
	assert.Contains(t, metrics, `role="verifies"} 1`)
	stranger.waitForLog(t, "ignored what the fleet key does not verify", 1)
}
