package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/bench"
)

func TestBenchAsksPlausibleQuestions(t *testing.T) {
	t.Parallel()
	const directory = "../../testdata/directories/sample.yaml"
	d := startServer(t, "--directory", directory)
	got := run(t, nil, "bench", "--server", d.url, "--directory", directory, "--duration", "2s", "--warm-up", "0s", "--mix", "single=60,batch=20,search=20", "--json")
	require.Equal(t, statusOK, got.status, got)
	var r bench.Result
	require.NoError(t, json.Unmarshal([]byte(got.out), &r), got.out)
	assert.Positive(t, r.Requests)
	assert.Zero(t, r.Errors)
	assert.Positive(t, r.Allowed)
	assert.Positive(t, r.Denied)
	assert.Positive(t, r.Found)
}
