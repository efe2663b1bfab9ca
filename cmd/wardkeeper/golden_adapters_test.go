package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/inprocess"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// An application gets the golden decisions from a sidecar and in its own process: each question alone, and all of a file in one
// batch.
func TestGoldenDecisionsThroughTheGoAdapters(t *testing.T) {
	t.Parallel()
	for _, path := range goldenPaths(t) {
		t.Run(strings.TrimSuffix(path, ".yaml"), func(t *testing.T) {
			file := goldenQuestions(t, path)
			engine := goldenEngine(t, file)
			remote, err := client.New(client.Config{URL: serveOPA(t, engine), Timeout: time.Minute})
			require.NoError(t, err)
			t.Cleanup(remote.Close)
			questions := make([]authzen.Evaluation, len(file.Cases))
			for i, c := range file.Cases {
				questions[i], err = authzen.DecodeEvaluation(goldenQuestion(t, c))
				require.NoError(t, err, c.Name)
			}
			for name, decider := range map[string]pep.Decider{"client": remote, "in process": inprocess.New(engine)} {
				for i, c := range file.Cases {
					one, err := decider.Decide(t.Context(), questions[i:i+1])
					require.NoError(t, err, c.Name)
					requireGolden(t, c, one[0], name)
				}
				all, err := decider.Decide(t.Context(), questions)
				require.NoError(t, err)
				require.Len(t, all, len(questions))
				for i, c := range file.Cases {
					requireGolden(t, c, all[i], name+", in a batch")
				}
				enforceGolden(t, file, questions, decider)
			}
		})
	}
}

func requireGolden(t *testing.T, c golden.Case, got authzen.Response, how string) {
	t.Helper()
	answer, err := json.Marshal(got)
	require.NoError(t, err)
	var said authzen.Response
	require.NoError(t, json.Unmarshal(answer, &said))
	if said.Context == nil { // the file has an empty one
		said.Context = map[string]any{}
	}
	answer, err = json.Marshal(said)
	require.NoError(t, err)
	require.JSONEq(t, string(goldenAnswer(t, c)), string(answer), "%s: %s", how, c.Name)
}

// enforceGolden asks all questions of a file in one batch, as an application that can fulfill every obligation. It skips
// questions that state which obligations the application supports.
func enforceGolden(t *testing.T, file *golden.File, questions []authzen.Evaluation, decider pep.Decider) {
	t.Helper()
	enforcer, err := pep.New(pep.Config{Decider: decider, Handlers: map[string]pep.Handler{
		"notification": {}, "session_termination": {}, pep.Confirm: {}, "custom/warn": {}}})
	require.NoError(t, err)
	for i, o := range enforcer.Ask(t.Context(), questions) {
		c := file.Cases[i]
		if questions[i].Context["supported_obligations"] != nil {
			continue
		}
		want := pep.Denied
		if *c.Decision {
			want = pep.Permitted
		}
		for _, obligation := range o.Obligations {
			if *c.Decision && obligation.Kind() == pep.Confirm {
				want = pep.ConfirmationRequired
			}
		}
		require.Equal(t, want, o.Verdict, "%s: %v", c.Name, o.Err)
		assert.Len(t, o.Obligations, len(c.Obligations), c.Name)
		assert.Len(t, o.Advice, len(c.Advice), c.Name)
		assert.Len(t, o.Reasons, len(c.Reasons), c.Name)
	}
}
