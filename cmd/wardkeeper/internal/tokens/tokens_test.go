package tokens

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTokenInBothFilesNeverMovesBetweenTheSets(t *testing.T) {
	const firstToken, secondToken, thirdToken = "the-first-token-of-the-tests", "the-second-token-of-the-tests", "the-third-token-of-the-tests"
	cfg := Config{Ask: File{writeFile(t, firstToken), "--token-file"}, Announce: File{writeFile(t, secondToken), "--changes-token-file"}}
	var log bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	tokens, err := Open(cfg)
	require.NoError(t, err)
	for _, step := range []struct {
		ask, announce string
		want          sets
		warned        int
	}{
		{firstToken, secondToken, sets{[]string{firstToken}, []string{secondToken}}, 0},
		{firstToken, firstToken, sets{[]string{firstToken}, []string{secondToken}}, 1},
		{thirdToken, firstToken, sets{[]string{thirdToken}, []string{firstToken}}, 1},
		{thirdToken + "\n" + firstToken, firstToken, sets{[]string{thirdToken}, []string{firstToken}}, 2},
		{firstToken, thirdToken, sets{[]string{firstToken}, []string{thirdToken}}, 2}, // in one step
		{secondToken, secondToken, sets{[]string{secondToken}, []string{thirdToken}}, 3},
		{secondToken, secondToken + "\n" + thirdToken, sets{[]string{secondToken}, []string{thirdToken}}, 3},
		{secondToken, firstToken, sets{[]string{secondToken}, []string{firstToken}}, 3},
	} {
		replaceFile(t, cfg.Ask.Path, step.ask)
		replaceFile(t, cfg.Announce.Path, step.announce)
		for range 2 {
			tokens.Reload()
			require.Equal(t, step.want.ask, tokens.Ask()())
			require.Equal(t, step.want.announce, tokens.Announce()())
		}
		require.Equal(t, step.warned, strings.Count(log.String(), "a token is in both token files"), log.String())
	}
	require.NotContains(t, log.String(), "-token-of-the-tests")
	replaceFile(t, cfg.Ask.Path, firstToken+"\n"+secondToken)
	_, err = Open(cfg)
	require.EqualError(t, err, "--changes-token-file contains a token of --token-file: clients that announce changes need tokens of their own")
}

func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}
