package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// Each question is asked alone, and all questions of a file in one batch.
func TestGoldenDecisionsThroughOPAsAPI(t *testing.T) {
	t.Parallel()
	for _, path := range goldenPaths(t) {
		t.Run(strings.TrimSuffix(path, ".yaml"), func(t *testing.T) {
			file := goldenQuestions(t, path)
			url := serveOPA(t, goldenEngine(t, file))
			questions, wanted := map[string]json.RawMessage{}, map[string]string{}
			for _, c := range file.Cases {
				questions[c.Name], wanted[c.Name] = goldenQuestion(t, c), string(goldenAnswer(t, c))
				require.JSONEq(t, wanted[c.Name], asResponse(t, postJSON(t, url+"/", questions[c.Name])), c.Name)
				var one struct{ Result json.RawMessage }
				require.NoError(t, json.Unmarshal(postJSON(t, url+"/v1/data/authz/decision", map[string]any{"input": questions[c.Name]}), &one))
				require.JSONEq(t, wanted[c.Name], asResponse(t, one.Result), c.Name)
			}
			var all struct {
				Responses map[string]struct{ Result json.RawMessage }
			}
			require.NoError(t, json.Unmarshal(postJSON(t, url+"/v1/batch/data/authz/decision", map[string]any{"inputs": questions}), &all))
			require.Len(t, all.Responses, len(questions))
			for name, want := range wanted {
				require.JSONEq(t, want, asResponse(t, all.Responses[name].Result), name)
			}
		})
	}
}

// serveOPA serves an engine and returns the address.
func serveOPA(t *testing.T, engine *pdp.Engine) string {
	t.Helper()
	api, err := httpapi.New(httpapi.Config{
		Decider: engine, Data: engine, BaseURL: "https://pdp.example.org", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

func postJSON(t *testing.T, url string, body any) []byte {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	w, err := http.Post(url, "application/json", strings.NewReader(string(data)))
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	answer, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, w.StatusCode, "%s", answer)
	return answer
}

// asResponse converts a decision of the policy to an AuthZEN response.
func asResponse(t *testing.T, decision []byte) string {
	t.Helper()
	var said map[string]any
	require.NoError(t, json.Unmarshal(decision, &said), "%s", decision)
	allow, ok := said["allow"].(bool)
	require.True(t, ok, "%s", decision)
	delete(said, "allow")
	for name, list := range said {
		if len(list.([]any)) == 0 {
			delete(said, name)
		}
	}
	response, err := json.Marshal(authzen.Response{Decision: allow, Context: said})
	require.NoError(t, err)
	return string(response)
}
