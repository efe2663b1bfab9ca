package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/pdp"
)

// explained are questions about the sample directory: for each model an allow, and denials of each stage.
var explained = map[string]string{
	"regional_allow":                  "alice user.edit jane --from metro",
	"regional_default_location":       "alice assignment.remove jane --at ghi --from metro",
	"regional_not_permitted":          "tom user.deactivate jane",
	"regional_not_assigned_here":      "nadia user.edit lena --from north",
	"regional_other_location":         "ana assignment.add tom --at ghi --set role=ed_admin --from north",
	"regional_unknown_user":           "alice user.view lucy --from metro",
	"regional_subject_inactive":       "samir user.view jane --from metro",
	"regional_switch":                 "tom location.switch ghi",
	"health_system_allow":             "marta assignment.remove lucy --from mercy",
	"health_system_admin_required":    "marta admin.grant lucy --set role=system_admin --from mercy",
	"health_system_not_permitted":     "lucy user.edit hiro --from mercy",
	"health_system_not_assigned_here": "marta user.view paul --from mercy",
	"health_system_plan":              "otto user.list valley --from valley",
	"practice_group_allow":            "dora user.deactivate adam --from smile",
	"practice_group_area":             "dan user.edit adam --from smile",
	"practice_group_owner_required":   "dora user.deactivate olga --from smile",
	"practice_group_area_access":      "wim area.access smile-kids --set area=patient_records --from smile-kids",
	"vendor_allow":                    "vera entity.create newone --from acme",
	"vendor_only":                     "lucy entity.create newone --from mercy",
}

var lineOfRule = regexp.MustCompile(`(\.rego|\.yaml):\d+`)

// Each explanation is in testdata/explain, in both voices. -update rewrites the files.
func TestExplanations(t *testing.T) {
	t.Parallel()
	for name, question := range explained {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"explain", "--directory", sampleDirectory}, strings.Fields(question)...)
			administrator, author := run(t, nil, args...), run(t, nil, append(args, "--for", "author")...)
			require.Equal(t, builtInDecides+builtInDecides, administrator.err+author.err)
			require.Equal(t, administrator.status, author.status)
			require.Equal(t, map[bool]int{true: statusOK, false: statusNo}[strings.HasPrefix(administrator.out, "ALLOWED")], administrator.status)
			got := "$ wardkeeper explain " + question + "\n" + administrator.out + "\n$ wardkeeper explain " + question + " --for author\n" + author.out
			got = lineOfRule.ReplaceAllString(got, "$1:LINE") // another test is about these
			golden := filepath.Join("testdata", "explain", name+".txt")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// What the author is told of a rule is where it is written.
func TestExplanationsNameTheLineThatFailed(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "explain", "--directory", sampleDirectory, "alice", "assignment.remove", "jane", "--at", "ghi", "--from", "metro", "--for", "author", "--json")
	require.Equal(t, statusNo, got.status, got)
	var answer struct {
		Decision bool
		Context  struct {
			Reasons     []map[string]any
			Explanation pdp.Explanation
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &answer))
	require.Equal(t, "REG-I3", answer.Context.Reasons[0]["rule"])
	failed := answer.Context.Explanation.Failed
	require.NotEmpty(t, failed)
	for _, rule := range failed {
		file, line, _ := strings.Cut(rule.At, ":")
		source, err := os.ReadFile(filepath.Join("..", "..", "policies", filepath.FromSlash(file)))
		require.NoError(t, err)
		lines := strings.Split(string(source), "\n")
		number, err := strconv.Atoi(line)
		require.NoError(t, err)
		require.Contains(t, lines[number-1], strings.Fields(rule.Failed)[0], "%v", rule)
	}
	require.Equal(t, "input.facts.user.default_location != place.id", failed[len(failed)-1].Failed)
	for _, cell := range answer.Context.Explanation.Tables {
		file, line, _ := strings.Cut(cell.At, ":")
		source, err := os.ReadFile(filepath.Join("..", "..", "policies", filepath.FromSlash(file)))
		require.NoError(t, err, cell)
		number, err := strconv.Atoi(line)
		require.NoError(t, err)
		name := cell.Path[strings.LastIndex(cell.Path, ".")+1:]
		require.Contains(t, strings.Split(string(source), "\n")[number-1], name+":", "%v", cell)
	}
}

// The change that an explanation tells is made in the file, and the question asked again.
func TestToldChangeHelps(t *testing.T) {
	t.Parallel()
	question := []string{"alice", "assignment.remove", "jane", "--at", "ghi", "--from", "metro"}
	got := run(t, nil, append([]string{"explain", "--directory", sampleDirectory}, question...)...)
	require.Contains(t, got.out, "flips    if jane's default location were abc (now ghi)\n")
	directory, err := os.ReadFile(sampleDirectory)
	require.NoError(t, err)
	changed := strings.Replace(string(directory), "default_location: ghi # to be changed", "default_location: abc # to be changed", 1)
	require.NotEqual(t, string(directory), changed)
	answer := run(t, nil, append([]string{"ask", "--directory", writeFile(t, "directory.yaml", changed)}, question...)...)
	require.Equal(t, statusOK, answer.status, answer)
}

// A policy of one's own is explained too; what it does not look up in a directory has no counterfactuals.
func TestExplanationOfAnyPolicy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.rego"), []byte("package app\n\ndefault decision := false\n\ndecision if {\n\tinput.resource.properties.open == true\n}\n"), 0o600))
	args := []string{"explain", "a", "read", "x", "--type", "door", "--bundle", dir, "--decision", "app/decision", "--resource-set", "open=true"}
	require.Equal(t, result{out: "ALLOWED  a may read on door x\n" +
		"  held     app.rego:5  data.app.decision\n" +
		"  read     input.resource.properties.open  true\n" +
		"0 single changes were tried: none flips the answer.\n"}, run(t, nil, append(args, "--for", "author")...))
	require.Contains(t, run(t, nil, args...).out, "nothing more is told.\n")
}

// The author is told first what can be changed; what only carries it on is counted, and shown on demand.
func TestAuthorIsToldTheRulesThatMatter(t *testing.T) {
	t.Parallel()
	args := []string{"explain", "--directory", sampleDirectory, "alice", "assignment.remove", "jane", "--at", "ghi", "--from", "metro", "--for", "author"}
	short, all := run(t, nil, args...).out, run(t, nil, append(args, "--all")...).out
	require.Less(t, strings.Index(short, "data.authz.regional.met: input.facts.user.default_location != place.id"), strings.Index(short, "  held "))
	require.Less(t, strings.Index(short, "  read     data."), strings.Index(short, "  read     input."))
	require.NotRegexp(t, `(?m)^  held .*\._|^  read .*messages|^  read     input\.subject\.id`, short)
	require.Regexp(t, `(?m)^  held .*\._`, all)
	left := strings.Count(all, "\n") - strings.Count(short, "\n") + 1
	require.Contains(t, short, fmt.Sprintf("\n%d other lines not shown: --all shows them.\n", left))
	require.NotContains(t, all, "not shown")
}

// A name in a question that the policy or the file does not have is named with one that is like it. Who asks a server is told nothing.
func TestMistypedNamesAreNoted(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"alice assignment.remov jane":              "the policy has no action assignment.remov: did you mean assignment.remove?",
		"alice write jane":                         "the policy has no action write: there are access.change, ",
		"alice user.edit jane --type usr":          "user.edit is asked about a resource of the type user, not usr",
		"alise user.edit jane --from metro":        "the directory has no user alise: did you mean alice?",
		"alice user.edit jnae --from metro":        "the directory has no user jnae: did you mean jane?",
		"alice assignment.remove jane --at gih":    "the directory has no location gih: did you mean ghi?",
		"alice assignment.remove jane --from mtro": "the directory has no location mtro: did you mean metro?",
		"alice location.switch gih":                "the directory has no location gih: did you mean ghi?",
	} {
		for _, command := range []string{"ask", "explain"} {
			got := run(t, nil, append([]string{command, "--directory", sampleDirectory}, strings.Fields(line)...)...)
			require.Equal(t, statusNo, got.status, line)
			require.Contains(t, got.err, "wardkeeper: "+want, line)
			require.NotContains(t, got.out, "did you mean")
		}
	}
	server := startServer(t, "--directory", sampleDirectory).url
	got := run(t, nil, "ask", "--server", server, "alice", "user.edit", "jnae", "--from", "metro")
	require.Equal(t, statusNo, got.status, got)
	require.Empty(t, got.err)
}

// Where no server is named and none runs, whoever asks is told that none is needed.
func TestUnreachableDefaultServerIsNotNeeded(t *testing.T) {
	t.Parallel()
	unreachable := fmt.Errorf("%w: connection refused", client.ErrUnreachable)
	require.EqualError(t, askFlags{}.withoutServer(unreachable), "cannot reach the server: connection refused; --directory FILE asks without a server")
	named := askFlags{}
	named.server = "http://pdp"
	require.Equal(t, unreachable, named.withoutServer(unreachable))
	require.NoError(t, askFlags{}.withoutServer(nil))
	_, err := client.Client{BaseURL: "http://127.0.0.1:1"}.Get(t.Context(), "/ready")
	require.ErrorIs(t, err, client.ErrUnreachable)
}

func TestExplanationIsOfAValidQuestion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"explain a b c --server http://127.0.0.1:1":         "cannot reach the server: ",
		"explain a b c --for author":                        "--for author applies only without a server",
		"explain a b c --server http://x --directory x.yml": "--server cannot be combined",
		"explain a b c --decision x/y":                      "--decision applies only without a server",
		"explain a b":                                       "RESOURCE is missing: wardkeeper explain SUBJECT ACTION RESOURCE",
		"explain a b c --all --bundle x":                    "--all applies to --for author alone",
		"explain a b c --for everybody":                     `--for is "everybody": use administrator or author`,
		"explain a b c --bundle x --set role":               `--set "role": write it as KEY=VALUE`,
		"explain a b c --directory x.yml":                   "x.yml",
		"explain a b c --direktory x.yml":                   "there is no flag --direktory: did you mean --directory? ",
	} {
		got := run(t, nil, strings.Fields(line)...)
		require.Equal(t, statusFailed, got.status, "%s: %v", line, got)
		require.Contains(t, got.err, want)
		require.Empty(t, got.out, line)
	}
}

// A server explains answers, in single evaluations, to callers with the role for it. Nobody else notices.
func TestServersExplainAnswersToCallersWithTheRole(t *testing.T) {
	t.Parallel()
	may, mayNot := writeFile(t, "may", "may-token-0123456789"), writeFile(t, "may-not", "other-token-0123456789")
	settings := writeFile(t, "wardkeeper.yaml", "callers:\n- {name: portal, roles: [ask, explain], token_file: "+may+"}\n- {name: other, roles: [ask], token_file: "+mayNot+"}\n")
	server := startServer(t, "--directory", sampleDirectory, "--config", settings).url
	question := []string{"alice", "assignment.remove", "jane", "--at", "ghi", "--from", "metro"}
	inProcess := run(t, nil, append([]string{"explain", "--directory", sampleDirectory}, question...)...)
	require.Equal(t, builtInDecides, inProcess.err)
	inProcess.err = ""
	require.Equal(t, inProcess, run(t, nil, append([]string{"explain", "--server", server, "--token-file", may}, question...)...))
	asJSON := run(t, nil, append([]string{"explain", "--server", server, "--token-file", may, "--json"}, question...)...)
	require.JSONEq(t, run(t, nil, append([]string{"explain", "--directory", sampleDirectory, "--json"}, question...)...).out, asJSON.out)

	got := run(t, nil, append([]string{"explain", "--server", server, "--token-file", mayNot}, question...)...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.err, "the caller needs the role explain")
	include := append([]string{"ask", "--json", "--server", server, "--context", `include=["explanation"]`}, question...)
	without := run(t, nil, append([]string{"ask", "--json", "--server", server, "--token-file", mayNot}, question...)...)
	require.Equal(t, without, run(t, nil, append(include, "--token-file", mayNot)...))
	require.Contains(t, run(t, nil, append(include, "--token-file", may)...).out, `"explanation":{`)

	batch, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/access/v1/evaluations", strings.NewReader(`{"subject": {"type": "user", "id": "alice"}, "action": {"name": "user.view"},
		"context": {"current_location": "metro", "include": ["explanation"]}, "evaluations": [{"resource": {"type": "user", "id": "jane"}}, {"resource": {"type": "user", "id": "tom"}}]}`))
	require.NoError(t, err)
	batch.Header.Set("Content-Type", "application/json")
	batch.Header.Set("Authorization", "Bearer may-token-0123456789")
	answer, err := http.DefaultClient.Do(batch)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, `{"evaluations":[{"decision":true},{"decision":true}]}`, strings.TrimSpace(string(body)))
}

// builtInDecides is what a command says that no --bundle was given.
const builtInDecides = "wardkeeper: the built-in policy decides; --bundle names another one\n"
