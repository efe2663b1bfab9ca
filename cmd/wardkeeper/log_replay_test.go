package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// recordGolden asks the golden questions and records the answers. It also returns how many of them another policy answers
// differently.
func recordGolden(t *testing.T, dir string, other *pdp.Policy) (asked, differ int) {
	t.Helper()
	s := config.Default()
	s.DecisionLog.Dir = dir
	log, err := openDecisionLog(s, false, io.Discard, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	policy, err := builtInPolicy()
	require.NoError(t, err)
	for _, path := range goldenPaths(t) {
		file := goldenQuestions(t, path)
		_, data, err := file.DirectoryJSON(os.DirFS(goldenTree))
		require.NoError(t, err)
		dir, err := directory.Parse(data, *policy.Vocabulary())
		require.NoError(t, err)
		source := fixedView{dir}
		engine := pdp.New(pdp.Config{Policy: policy, Source: source, Timeout: time.Minute, Recorder: log.recorderOf()})
		changed := pdp.New(pdp.Config{Policy: other, Source: source, Timeout: time.Minute})
		for _, c := range file.Cases {
			question, err := authzen.DecodeEvaluation(goldenQuestion(t, c))
			require.NoError(t, err)
			was, err := engine.Decide(t.Context(), question)
			require.NoError(t, err)
			is, err := changed.Decide(t.Context(), question)
			require.NoError(t, err)
			was.Revision, is.Revision = "", ""
			asked++
			if !equalDecisions(t, was, is) {
				differ++
			}
		}
	}
	log.close(t.Context(), slog.New(slog.DiscardHandler))
	return asked, differ
}

func equalDecisions(t *testing.T, a, b pdp.Decision) bool {
	t.Helper()
	text := func(d pdp.Decision) string {
		out, err := authzen.AppendValue(nil, []any{d.Allow, d.Reasons, d.Obligations, d.Advice})
		require.NoError(t, err)
		return string(out)
	}
	return text(a) == text(b)
}

func TestReplayOfGoldenDecisions(t *testing.T) {
	t.Parallel()
	changed := t.TempDir()
	require.NoError(t, os.CopyFS(changed, policies.Files()))
	editTables(t, filepath.Join(changed, "authz/regional/data.yaml"), func(tables *yaml.Node) { // one cell
		cell := member(member(member(tables, "matrix"), "user.edit"), "division")
		*cell = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "no"}
	})
	other, err := openPolicy(t.Context(), changed, config.DefaultDecision)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "log")
	asked, differ := recordGolden(t, dir, other)
	require.Positive(t, differ)

	got := run(t, nil, "log", "replay", dir)
	require.Equal(t, statusOK, got.status, got)
	require.Regexp(t, regexp.MustCompile(`^\d+ decisions of \d+ records decided again by .*: no answer differs\.\n$`), got.out)
	require.Contains(t, got.out, fmt.Sprint(asked, " decisions of ", asked, " records"))

	got = run(t, nil, "log", "replay", dir, "--bundle", changed)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, fmt.Sprint(": ", differ, " answer"))
	require.Equal(t, differ, len(regexp.MustCompile(`(?m)^  [0-9a-f]{32}  `).FindAllString(got.out, -1)), got.out)
	require.Contains(t, got.out, "user.edit")
	require.Regexp(t, `allowed.* +denied: not_permitted \(REG-11\)`, got.out)

	got = run(t, nil, "log", "replay", filepath.Join(dir, "none"))
	require.Equal(t, statusFailed, got.status, got)
}

func TestLogShowFilters(t *testing.T) {
	t.Parallel()
	key := writeFile(t, "key", strings.Repeat("k", 40))
	for name, flags := range map[string][]string{"ids": nil, "pseudonyms": {"--pseudonym-key-file", key}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "log")
			s := config.Default()
			s.DecisionLog.Dir = dir
			if flags != nil {
				s.DecisionLog.PseudonymKeyFile = key
			}
			log, err := openDecisionLog(s, false, io.Discard, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			policy, err := builtInPolicy()
			require.NoError(t, err)
			view, err := directory.Parse([]byte(canaryDirectory), *policy.Vocabulary())
			require.NoError(t, err)
			engine := pdp.New(pdp.Config{Policy: policy, Source: fixedView{view}, Timeout: time.Minute, Recorder: log.recorderOf()})
			for _, text := range []string{canaryQuestion, strings.Replace(canaryQuestion, `"id":"jane"`, `"id":"nobody"`, 1)} {
				question, err := authzen.DecodeEvaluation([]byte(text))
				require.NoError(t, err)
				_, err = engine.Decide(t.Context(), question)
				require.NoError(t, err)
			}
			log.close(t.Context(), slog.New(slog.DiscardHandler))
			for _, c := range []struct {
				flags []string
				shown int
			}{
				{nil, 2}, {[]string{"--subject", "alice"}, 2}, {[]string{"--subject", "jane"}, 0}, {[]string{"--user", "jane"}, 1},
				{[]string{"--outcome", "denied"}, 1}, {[]string{"--outcome", "listed"}, 0}, {[]string{"--action", "user.view", "--user", "nobody"}, 1},
				{[]string{"--since", "1h"}, 2}, {[]string{"--until", "1h"}, 0}, {[]string{"--since", "2020-01-31", "--until", "2100-01-31T12:00:00Z"}, 2},
			} {
				got := run(t, nil, append(append([]string{"log", "show", dir, "--json"}, flags...), c.flags...)...)
				require.Equal(t, statusOK, got.status, got)
				require.Equal(t, c.shown, strings.Count(got.out, "\n"), "%v: %s", c.flags, got.out)
				require.Equal(t, c.shown == 0, strings.Contains(got.err, "no record matches"), got.err)
			}
			got := run(t, nil, "log", "show", dir)
			require.Regexp(t, `(?m)user\.view +\S+ +metro +allowed`, got.out)
			require.Contains(t, got.out, "denied: unknown_user")
			require.Equal(t, flags == nil, strings.Contains(got.out, "alice"))
		})
	}
	for _, args := range [][]string{{"--since", "yesterday"}, {"--outcome", "maybe"}, {"--pseudonym-key-file", "/none"}} {
		got := run(t, nil, append([]string{"log", "show", t.TempDir()}, args...)...)
		require.Equal(t, statusFailed, got.status, args)
		require.Contains(t, got.err, args[0])
	}
}
