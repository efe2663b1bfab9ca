package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// Metrics and log name the record, and /ready counts it. Questions about other records are answered, and the sidecar stays
// ready.
func TestQuarantinedRecordIsReported(t *testing.T) {
	t.Parallel()
	database := servertest.StartPostgres(t)
	directory := writeFile(t, "directory.json", `{"locations":[{"id":"a","kind":"region","model":"regional"},{"id":"b","kind":"region","model":"regional"}],
		"users":[{"id":"ann","default_location":"a","assignments":[{"location":"a","role":"regional_admin"}]},
		{"id":"bob","default_location":"b","assignments":[{"location":"b","role":"regional_admin"}]}]}`)
	require.Zero(t, run(t, nil, "directory", "import", directory, "--to", database.URL()).status)
	connection, err := pgx.Connect(context.Background(), database.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	change := func(sql string) {
		_, err := connection.Exec(context.Background(), sql)
		require.NoError(t, err)
	}
	d := startServer(t, "--directory", database.URL())
	asks := func(id, at string) int {
		w, _ := post(t, d.url, "", `{"subject":{"type":"user","id":"`+id+`"},"action":{"name":"user.list"},"resource":{"type":"location","id":"`+at+
			`"},"context":{"current_location":"`+at+`"}}`)
		return w.StatusCode
	}
	require.Equal(t, http.StatusOK, asks("ann", "a"))
	change("UPDATE assignments SET role = 'boss' WHERE user_id = 'ann'")
	waitUntil(t, "Ann is in quarantine", func() bool { return asks("ann", "a") == http.StatusServiceUnavailable })
	change("ALTER TABLE locations DROP CONSTRAINT locations_model_of_roots")
	change("UPDATE locations SET model = 'vendor' WHERE id = 'a'")
	waitUntil(t, "so is the organization, and nothing else", func() bool {
		asks("ann", "a")
		return d.metric(t, `wardkeeper_membership_quarantined{id="a",kind="organization"}`) == 1 &&
			d.metric(t, `wardkeeper_membership_quarantined{id="ann",kind="user"}`) == 1 &&
			d.metric(t, "wardkeeper_membership_quarantined_records") == 2
	})
	require.Equal(t, http.StatusOK, asks("bob", "b"))
	waitUntil(t, "listening has begun anew after the change of the schema, so that only the quarantine is left", func() bool {
		status, body := d.get(t, "/ready")
		require.Equal(t, http.StatusOK, status, body)
		require.NotContains(t, body, "ann", "everybody can read it")
		return strings.Contains(body, `"membership":{"quarantined_count":2}`)
	})
	d.waitForLog(t, "record quarantined", 2)
}

// Whose records are at fault is nobody's business where the log of decisions has pseudonyms.
func TestQuarantinedPeopleHavePseudonymsWhereDecisionsDo(t *testing.T) {
	t.Parallel()
	application := origintest.NewApplication(t, `{"locations":[{"id":"a","kind":"region","model":"regional"}],
		"users":[{"id":"ann","default_location":"a","assignments":[{"location":"a","role":"regional_admin"}]}]}`)
	address, err := url.Parse(application.Serve().URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(address)
	proxy.ModifyResponse = func(w *http.Response) error {
		body, err := io.ReadAll(w.Body)
		w.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte("regional_admin"), []byte("regional_bossy"))))
		return err
	}
	faulty := httptest.NewServer(proxy)
	defer faulty.Close()
	key := strings.Repeat("k", 32)
	d := startServer(t, "--directory", faulty.URL+"/membership", "--config", writeFile(t, "c.yaml", fmt.Sprintf(
		"decision_log: {dir: '%s', pseudonym_key_file: '%s'}", t.TempDir(), writeFile(t, "key", key))))
	w, _ := post(t, d.url, "", `{"subject":{"type":"user","id":"ann"},"action":{"name":"user.list"},"resource":{"type":"location","id":"a"},"context":{"current_location":"a"}}`)
	require.Equal(t, http.StatusServiceUnavailable, w.StatusCode)
	pseudonym := decisionrecord.Pseudonym([]byte(key), "ann")
	require.EqualValues(t, 1, d.metric(t, `wardkeeper_membership_quarantined{id="`+pseudonym+`",kind="user"}`))
	require.NotContains(t, get(t, http.DefaultClient, d.url+"/metrics"), `"ann"`)
	d.waitForLog(t, "record quarantined", 1)
	logs := requireStops(t, d)
	require.Contains(t, logs, pseudonym)
	require.NotRegexp(t, `\bann\b`, logs)
}
