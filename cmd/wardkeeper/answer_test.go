package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// TestAnswerText prints each answer of testdata/answers, {"question", "answer"}, and compares with the text beside it.
func TestAnswerText(t *testing.T) {
	files, err := filepath.Glob("testdata/answers/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var c struct {
				Question question
				Answer   json.RawMessage
			}
			require.NoError(t, json.Unmarshal(data, &c))
			a, err := readAnswer(c.Answer)
			require.NoError(t, err)
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			text := a.text(&c.Question)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(text), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), text)
		})
	}
}

func TestOnlyADecisionIsOne(t *testing.T) {
	for _, body := range []string{
		``, `null`, `true`, `[]`, `{}`, `{"decision":"true"}`, `{"decision":1}`, `{"decision":null}`, `{"Decision":true}`,
		`{"result":true}`, `{"decision":true} {"decision":true}`, `{"decision":true`, `{"decision":true,"context":[]}`,
		`{"decision":false,"decision":true}`, `{"decision":true,"context":{"obligations":{"id":"a"}}}`,
	} {
		_, err := readAnswer([]byte(body))
		require.ErrorIs(t, err, errNoDecision, body)
	}
	a, err := readAnswer([]byte("{\"decision\": true,\n \"x\": 1, \"context\": null}"))
	require.NoError(t, err)
	require.True(t, a.allow)
	require.Equal(t, `{"decision":true,"x":1,"context":null}`, string(a.raw))
}

func TestAnswerExits(t *testing.T) {
	q := &question{authzen.Evaluation{
		Subject: authzen.Entity{ID: "a"}, Action: authzen.Action{Name: "b"}, Resource: authzen.Entity{Type: "user", ID: "c"},
	}}
	var out strings.Builder
	require.NoError(t, printAnswer(&out, &answer{allow: true, raw: []byte("{\"decision\":true,\"x\":\"\u202e\"}")}, q, true))
	require.Equal(t, `{"decision":true,"x":"\u202e"}`+"\n", out.String())
	out.Reset()
	var exit *exitError
	require.ErrorAs(t, printAnswer(&out, &answer{}, q, false), &exit)
	require.Equal(t, statusNo, exit.status)
	require.Equal(t, "DENIED  a may not b on c\n", out.String())
}
