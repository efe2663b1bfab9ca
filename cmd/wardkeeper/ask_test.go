package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func TestDecisionSetsTheExitStatus(t *testing.T) {
	q := &ask.Question{Evaluation: authzen.Evaluation{
		Subject: authzen.Entity{ID: "a"}, Action: authzen.Action{Name: "b"}, Resource: authzen.Entity{Type: "user", ID: "c"},
	}}
	var out strings.Builder
	require.NoError(t, printDecision(&out, &ask.Decision{Allow: true, JSON: []byte("{\"decision\":true,\"x\":\"\u202e\"}")}, q, true))
	require.Equal(t, `{"decision":true,"x":"\u202e"}`+"\n", out.String())
	out.Reset()
	var exit *exitError
	require.ErrorAs(t, printDecision(&out, &ask.Decision{}, q, false), &exit)
	require.Equal(t, statusNo, exit.status)
	require.Equal(t, "DENIED  a may not b on c\n", out.String())
}
