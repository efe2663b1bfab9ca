package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNotReadyWithAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	ready := func(d *daemon) (int, string) {
		w, err := http.Get(d.url + "/ready")
		require.NoError(t, err)
		defer func() { require.NoError(t, w.Body.Close()) }()
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return w.StatusCode, string(body)
	}
	status, body := ready(startServer(t, "--directory", testDirectory))
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"ready":true}`, body)

	empty := filepath.Join(t.TempDir(), "empty.yaml")
	require.NoError(t, os.WriteFile(empty, []byte("locations: []\nusers: []\n"), 0o600))
	status, body = ready(startServer(t, "--directory", empty))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.JSONEq(t, `{"error":"Not ready, missing: directory.","missing":["directory"]}`, body)
}
