package ask

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// TestDecisionText formats each decision of testdata/decisions, {"question", "answer"}, and compares the result with the text
// file next to it.
func TestDecisionText(t *testing.T) {
	files, err := filepath.Glob("testdata/decisions/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var c struct {
				Question Question
				Answer   json.RawMessage
			}
			require.NoError(t, json.Unmarshal(data, &c))
			d, err := Decode(c.Answer)
			require.NoError(t, err)
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			text := d.Text(&c.Question)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(text), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), text)
		})
	}
}

func TestDecodeRefusesWhatIsNotClearlyADecision(t *testing.T) {
	for _, body := range []string{
		``, `null`, `true`, `[]`, `{}`, `{"decision":"true"}`, `{"decision":1}`, `{"decision":null}`, `{"Decision":true}`,
		`{"result":true}`, `{"decision":true} {"decision":true}`, `{"decision":true`, `{"decision":true,"context":[]}`,
		`{"decision":false,"decision":true}`, `{"decision":true,"context":{"obligations":{"id":"a"}}}`,
	} {
		_, err := Decode([]byte(body))
		require.ErrorIs(t, err, errNoDecision, body)
	}
	d, err := Decode([]byte("{\"decision\": true,\n \"x\": 1, \"context\": null}"))
	require.NoError(t, err)
	require.True(t, d.Allow)
	require.Equal(t, `{"decision":true,"x":1,"context":null}`, string(d.JSON))
}
